import { AlignError, type AlignErrorCode } from '../align/errors.ts';
import type { RowEdit, RowFailure } from './journal.ts';

/** One row under one objective set: what to run, or why it cannot be. */
export interface BatchItem<Work> {
  row: number;
  set: number;
  work: Work | { error: { code: string; message: string } };
}

/** The part of a result that a runner finds out. */
export type EditOutcome = Omit<RowEdit, 'row' | 'set'>;

/** What a runner found out of a row, or why it failed. */
export type ResultOf<Outcome> = ({ row: number; set: number } & Outcome) | RowFailure;

export interface RunBatchOptions<Work, Outcome> {
  /** @throws AlignError; the signal's reason after an abort */
  run: (work: Work, signal: AbortSignal) => Promise<Outcome>;
  /** Resolves once the result cannot be lost any more. */
  record: (result: ResultOf<Outcome>) => Promise<void>;
  /** Runs at a time; 1 for an engine on this machine. */
  concurrency: number;
  signal: AbortSignal;
}

/** What one row may fail of while the next one succeeds. Anything else ends the run. */
const ROW_FAILURES: readonly AlignErrorCode[] = ['invalid-request', 'prompt-too-long'];

/** A row's own as far as one can tell: it may be the one that an engine, or a server that answered, cannot do. */
function isFailureToWrite({ code, details }: AlignError): boolean {
  return code === 'engine-failed' || (code === 'server-failed' && details.isAnswer === true);
}

/** So many of these in a row are no matter of the rows. */
const MAX_FAILURES_IN_A_ROW = 10;

/**
 * Runs the items and records each as it ends. Nothing is held back: what `record` has resolved is safe, and a run that
 * is stopped loses only the rows under way.
 *
 * @throws the first error that is not a row's own, after the other runs were stopped; the signal's reason
 */
export async function runBatch<Work extends object, Outcome extends object>(
  items: AsyncIterable<BatchItem<Work>>,
  { run, record, concurrency, signal }: RunBatchOptions<Work, Outcome>,
): Promise<void> {
  const iterator = items[Symbol.asyncIterator]();
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  let failuresInARow = 0;

  const runOne = async ({ row, set, work }: BatchItem<Work>): Promise<ResultOf<Outcome>> => {
    if ('error' in work) return { row, set, error: work.error };
    try {
      const outcome = await run(work, either);
      failuresInARow = 0;
      return { row, set, ...outcome };
    } catch (error) {
      // After an abort it is the run's end, whatever its reason looks like.
      if (either.aborted || !(error instanceof AlignError)) throw error;
      if (isFailureToWrite(error)) failuresInARow += 1;
      else if (!ROW_FAILURES.includes(error.code)) throw error;
      if (failuresInARow >= MAX_FAILURES_IN_A_ROW) throw error;
      return { row, set, error: { code: error.code, message: error.message } };
    }
  };
  const worker = async () => {
    for (;;) {
      either.throwIfAborted();
      // Async generators queue concurrent calls of next().
      const next = await iterator.next();
      if (next.done === true) return;
      const result = await runOne(next.value);
      await record(result);
    }
  };
  const workers = Array.from({ length: concurrency }, () =>
    worker().catch((error: unknown) => {
      stop.abort(error);
      throw error;
    }),
  );
  const ends = await Promise.allSettled(workers);
  await iterator.return?.();
  signal.throwIfAborted();
  // The others ended because of this one.
  if (stop.signal.aborted) throw stop.signal.reason;
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
