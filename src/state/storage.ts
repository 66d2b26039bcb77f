import type { PersistStorage } from 'zustand/middleware';

/** A write to the browser's storage failed: it is full, or the browser keeps nothing for this page. */
export type OnWriteFailed = (error: unknown) => void;

/**
 * The browser's storage for `persist`. What cannot be read counts as absent; a write that fails is reported, because
 * the visitor believes that their text is kept.
 *
 * @param area  undefined where the browser denies storage
 */
export function createStorage<State>(area: Storage | undefined, onWriteFailed: OnWriteFailed): PersistStorage<State> {
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
