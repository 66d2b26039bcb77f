import type { PersistStorage } from 'zustand/middleware';

/** A write to the browser's storage failed: it is full, or the browser keeps nothing for this page. */
export type OnWriteFailed = (error: unknown) => void;

/** What of the browser's storage is used. */
export type StorageArea = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

/**
 * The browser's storage for `persist`. What cannot be read counts as absent; a write that fails is reported, because
 * the visitor believes that their text is kept.
 *
 * @param area  undefined where the browser denies storage
 */
export function createStorage<State>(
  area: StorageArea | undefined,
  onWriteFailed: OnWriteFailed,
): PersistStorage<State> {
  return {
    getItem(name) {
      const text = area?.getItem(name);
      if (text === null || text === undefined) return null;
      try {
        return JSON.parse(text) as { state: State; version?: number };
      } catch {
        return null;
      }
    },
    setItem(name, value) {
      try {
        if (area === undefined) throw new Error('The browser denies storage to this page.');
        area.setItem(name, JSON.stringify(value));
      } catch (error) {
        onWriteFailed(error);
      }
    },
    removeItem(name) {
      area?.removeItem(name);
    },
  };
}

/**
 * What a tab writes is there again after its reload, whatever other tabs wrote meanwhile; a new tab begins with what was
 * written last in any of them.
 *
 * @param tab  the tab's own, which outlives a reload
 * @param shared  all tabs'
 */
export function tabStorage(tab: Storage, shared: Storage): StorageArea {
  return {
    getItem: (key) => tab.getItem(key) ?? shared.getItem(key),
    setItem(key, value) {
      tab.setItem(key, value);
      shared.setItem(key, value);
    },
    removeItem(key) {
      tab.removeItem(key);
      shared.removeItem(key);
    },
  };
}
