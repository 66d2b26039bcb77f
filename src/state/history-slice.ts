import type { StateCreator } from 'zustand/vanilla';

import type { AlignErrorData } from '../align/errors.ts';
import type { Decisions } from '../align/review.ts';
import type { ScoreReport } from '../align/scores.ts';
import { type HistoryEntry, parseHistoryFile } from '../history/history-entry.ts';
import type { AppDependencies, AppState } from './app-store.ts';
import { toErrorData } from './error-data.ts';
import type { Run } from './run-slice.ts';

/** Beyond this many the oldest go that are not pinned. */
export const MAX_UNPINNED_ENTRIES = 1000;

/** Entries of a file in one transaction. */
const IMPORTED_AT_ONCE = 25;

type HistoryState =
  | { status: 'loading' }
  /** The newest first. */
  | { status: 'ready'; entries: readonly HistoryEntry[] }
  | { status: 'failed'; error: AlignErrorData };

/** What the import of a file came to. */
export type HistoryImport =
  { status: 'done'; added: number; damaged: number } | { status: 'failed'; error: AlignErrorData };

export interface HistorySlice {
  history: HistoryState;
  historyImport: HistoryImport | undefined;
  /** Reads it as it is stored now; decisions of the edit on the page follow. */
  loadHistory: () => Promise<void>;
  /** Keeps a run; a failure is told in `isUnsaved` and loses nothing that is on the page. */
  keepEntry: (entry: HistoryEntry) => Promise<void>;
  keepDecisions: (id: string, decisions: Decisions) => Promise<void>;
  keepScores: (id: string, scores: ScoreReport) => Promise<void>;
  pinEntry: (id: string, isPinned: boolean) => Promise<void>;
  removeEntries: (ids: readonly string[]) => Promise<void>;
  /** Adds a file's entries to the ones that are there; an entry of the same id is replaced. */
  importHistory: (text: string) => Promise<void>;
}

export function createHistorySlice({ history }: AppDependencies): StateCreator<AppState, [], [], HistorySlice> {
  return (set, get) => {
    /** Shown entries after a change that is stored already. */
    const show = (change: (entries: readonly HistoryEntry[]) => readonly HistoryEntry[]) =>
      set(({ history: shown }) =>
        shown.status === 'ready' ? { history: { status: 'ready', entries: change(shown.entries) } } : {},
      );
    /** Entries that are newer on the page than what could be stored. */
    const unsaved = new Set<string>();
    const update = async (id: string, changes: Partial<HistoryEntry>) => {
      try {
        await history.update(id, (entry) => ({ ...entry, ...changes }));
        unsaved.delete(id);
        show((entries) => entries.map((entry) => (entry.id === id ? { ...entry, ...changes } : entry)));
      } catch (error) {
        toErrorData(error);
        unsaved.add(id);
        get().reportUnsaved();
      }
    };
    return {
      history: { status: 'loading' },
      historyImport: undefined,

      async loadHistory() {
        const { run: before } = get();
        try {
          const entries = await history.list();
          set(({ run }) => ({
            history: { status: 'ready', entries },
            // Decided in another tab, on the edit that is on this page too; what is decided here meanwhile counts more.
            ...(run === before && {
              run: withKeptDecisions(
                run,
                entries.filter(({ id }) => !unsaved.has(id)),
              ),
            }),
          }));
        } catch (error) {
          set({ history: { status: 'failed', error: toErrorData(error) } });
        }
      },

      async keepEntry(entry) {
        show((entries) => [entry, ...entries.filter(({ id }) => id !== entry.id)]);
        try {
          await history.put([entry]);
        } catch (error) {
          toErrorData(error);
          get().reportUnsaved();
          return;
        }
        const { history: shown } = get();
        const unpinned = shown.status === 'ready' ? shown.entries.filter(({ isPinned }) => !isPinned) : [];
        const tooOld = unpinned.slice(MAX_UNPINNED_ENTRIES).map(({ id }) => id);
        if (tooOld.length > 0) await get().removeEntries(tooOld);
      },

      keepDecisions: (id, decisions) => update(id, { decisions: [...decisions] }),
      keepScores: (id, scores) => update(id, { scores }),
      pinEntry: (id, isPinned) => update(id, { isPinned }),

      async removeEntries(ids) {
        try {
          await history.remove(ids);
          show((entries) => entries.filter(({ id }) => !ids.includes(id)));
        } catch (error) {
          set({ history: { status: 'failed', error: toErrorData(error) } });
        }
      },

      async importHistory(text) {
        try {
          const { entries, damaged } = parseHistoryFile(text);
          // Piece by piece: copying hundreds of long texts at once would hold the page up.
          for (let start = 0; start < entries.length; start += IMPORTED_AT_ONCE) {
            await history.put(entries.slice(start, start + IMPORTED_AT_ONCE));
          }
          set({ historyImport: { status: 'done', added: entries.length, damaged } });
          await get().loadHistory();
        } catch (error) {
          set({ historyImport: { status: 'failed', error: toErrorData(error) } });
        }
      },
    };
  };
}

function withKeptDecisions(run: Run, entries: readonly HistoryEntry[]): Run {
  if (run.status !== 'done') return run;
  const kept = entries.find(({ id }) => id === run.id);
  const isSame = kept === undefined || JSON.stringify(kept.decisions) === JSON.stringify([...run.decisions]);
  return isSame ? run : { ...run, decisions: new Map(kept.decisions) };
}
