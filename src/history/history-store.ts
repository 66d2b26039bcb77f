import { createStore, del, promisifyRequest, type UseStore, values } from 'idb-keyval';

import { AlignError } from '../align/errors.ts';
import { guardStorage } from './guard-storage.ts';
import { type HistoryEntry, parseHistoryEntry } from './history-entry.ts';

/**
 * The runs that this browser keeps, in IndexedDB, one record each: two tabs write side by side and lose nothing.
 *
 * Every method throws AlignError `storage-unavailable` where the browser keeps nothing, `storage-full` where it has no
 * room.
 */
export interface HistoryStore {
  /** The newest first. A record that is damaged is left out and left alone. */
  list(): Promise<HistoryEntry[]>;
  /** Adds entries, or replaces the ones of the same id. */
  put(entries: readonly HistoryEntry[]): Promise<void>;
  /**
   * Changes an entry as it is stored now, in one step, whatever another tab did to it meanwhile. Nothing happens to one
   * that is gone.
   */
  update(id: string, change: (entry: HistoryEntry) => HistoryEntry): Promise<void>;
  remove(ids: readonly string[]): Promise<void>;
  /** Calls back when another tab changed something. @returns stops */
  onChange(listener: () => void): () => void;
}

/** @param channel  tells other tabs; undefined where the browser has none */
export function createHistoryStore(
  name = 'metaaligner-history',
  channel: BroadcastChannel | undefined = 'BroadcastChannel' in globalThis ? new BroadcastChannel(name) : undefined,
): HistoryStore {
  let opened: UseStore | undefined;
  const store: UseStore = (mode, callback) => (opened ??= createStore(name, 'entries'))(mode, callback);
  const changed = () => channel?.postMessage('changed');
  return {
    async list() {
      const stored = await guardStorage('edits', () => values<unknown>(store));
      const entries = stored.flatMap((value) => {
        try {
          return [parseHistoryEntry(value)];
        } catch (error) {
          if (error instanceof AlignError) return [];
          throw error;
        }
      });
      return entries.sort((one, other) => other.createdAt - one.createdAt);
    },
    async put(entries) {
      await guardStorage('edits', () =>
        store('readwrite', (objects) => {
          for (const entry of entries) objects.put(entry, entry.id);
          return promisifyRequest(objects.transaction);
        }),
      );
      changed();
    },
    async update(id, change) {
      await guardStorage('edits', () =>
        store('readwrite', (objects) => {
          const request = objects.get(id);
          request.onsuccess = () => {
            if (request.result !== undefined) objects.put(change(request.result as HistoryEntry), id);
          };
          return promisifyRequest(objects.transaction);
        }),
      );
      changed();
    },
    async remove(ids) {
      await guardStorage('edits', () => Promise.all(ids.map((id) => del(id, store))));
      changed();
    },
    onChange(listener) {
      channel?.addEventListener('message', listener);
      return () => channel?.removeEventListener('message', listener);
    },
  };
}
