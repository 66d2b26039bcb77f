import { clear, createStore, get, promisifyRequest, set, type UseStore } from 'idb-keyval';

import { guardStorage } from './guard-storage.ts';

/** What the browser keeps of one batch run: its file, how it is run, and every row that is finished. */
export interface BatchStore<Job, Result extends { row: number }> {
  /** @returns undefined where none is kept */
  load(): Promise<{ job: Job; results: Result[] } | undefined>;
  /** Replaces whatever is kept. */
  begin(job: Job): Promise<void>;
  /** The results stay. */
  saveJob(job: Job): Promise<void>;
  saveResult(result: Result): Promise<void>;
  forget(): Promise<void>;
  /** Runs in one tab at a time. @returns false, with nothing done, where another tab is at it */
  alone(work: () => Promise<void>): Promise<boolean>;
}

const JOB_KEY = 'job';

/** Results have their row as key, so that they are read in order. */
export function createBatchStore<Job, Result extends { row: number }>(
  name = 'metaaligner-batch',
): BatchStore<Job, Result> {
  let opened: UseStore | undefined;
  const store: UseStore = (mode, callback) => (opened ??= createStore(name, 'entries'))(mode, callback);
  const guarded = <T>(call: () => Promise<T>) => guardStorage('batch runs', call);
  return {
    load: () =>
      guarded(async () => {
        const job = await get<Job>(JOB_KEY, store);
        if (job === undefined) return undefined;
        const everyRow = IDBKeyRange.bound(0, Number.MAX_SAFE_INTEGER);
        const results = await store('readonly', (entries) =>
          promisifyRequest(entries.getAll(everyRow) as IDBRequest<Result[]>),
        );
        return { job, results };
      }),
    begin: (job) =>
      guarded(async () => {
        await clear(store);
        await set(JOB_KEY, job, store);
      }),
    saveJob: (job) => guarded(() => set(JOB_KEY, job, store)),
    saveResult: (result) => guarded(() => set(result.row, result, store)),
    forget: () => guarded(() => clear(store)),
    async alone(work) {
      if (!('locks' in navigator)) {
        await work();
        return true;
      }
      return navigator.locks.request(name, { ifAvailable: true }, async (lock) => {
        if (lock !== null) await work();
        return lock !== null;
      });
    },
  };
}
