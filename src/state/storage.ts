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
 * written in any of them.
 *
 * @param tab  the tab's own, which outlives a reload
 * @param shared  all tabs'
 * @param merge  what this tab writes into what is shared now; `before` is what this tab read or wrote last
 */
export function tabStorage(
  tab: StorageArea,
  shared: StorageArea,
  merge: (shared: string | null, before: string | null, written: string) => string,
): StorageArea {
  /** By key, what this tab read or wrote last: what it would overwrite may be another tab's by now. */
  const had = new Map<string, string | null>();
  return {
    getItem(key) {
      const value = tab.getItem(key) ?? shared.getItem(key);
      had.set(key, value);
      return value;
    },
    setItem(key, value) {
      const before = had.get(key) ?? null;
      tab.setItem(key, value);
      shared.setItem(key, merge(shared.getItem(key), before, value));
      // Not of a write that failed: the next one has all of it to share.
      had.set(key, value);
    },
    removeItem(key) {
      had.delete(key);
      tab.removeItem(key);
      shared.removeItem(key);
    },
  };
}
