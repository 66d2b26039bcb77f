import type { StateCreator } from 'zustand/vanilla';

import type { AlignEvent } from '../align/edit.ts';
import { AlignError, type AlignErrorData } from '../align/errors.ts';
import { newId } from '../align/new-id.ts';
import type { AlignRequest } from '../align/request.ts';
import { type ColumnMap, guessColumns } from '../batch/columns.ts';
import { type BatchSettings, type RowOutcome, type RowState, rowWork } from '../batch/page-batch.ts';
import { type RowFormat, rowFormatOf, type SourceRow } from '../batch/row-format.ts';
import { RowPlaces } from '../batch/row-places.ts';
import { type BatchItem, runBatch } from '../batch/run-batch.ts';
import type { LoadRequest } from '../../workers/protocol.ts';
import type { ConvertedModel } from '../worker-client/model-library.ts';
import type { AppDependencies, AppState } from './app-store.ts';
import { isAbort, toErrorData } from './error-data.ts';
import { FrameBatch } from './frame-batch.ts';
import { followModel } from './run-slice.ts';
import { isServed } from './server-slice.ts';

/** A file of rows, how it is run, and how far it came. Kept in the browser with every finished row. */
export interface BatchJob {
  /** Of this opening of the file: results of another are not its own. */
  id: string;
  fileName: string;
  format: RowFormat;
  file: Blob;
  /** Names that the file has. */
  found: readonly string[];
  columns: ColumnMap;
  /** Undefined before the first start. */
  plan: BatchPlan | undefined;
  /** It was running when the page was left, so it goes on when the page is opened, unless a server writes it. */
  isRunning: boolean;
}

export interface BatchPlan {
  settings: BatchSettings;
  modelId: string;
  choice: Pick<LoadRequest, 'device' | 'variant'>;
}

export type Batch =
  | { status: 'none' }
  | { status: 'reading'; fileName: string }
  | {
      status: 'ready';
      job: BatchJob;
      rows: readonly SourceRow[];
      /** By row. It is the same map as long as the file is; `counts` tells that something was added. */
      results: ReadonlyMap<number, RowState>;
      counts: BatchCounts;
      activity: 'resting' | 'running' | 'pausing';
      /** Why it stopped by itself. */
      error: AlignErrorData | undefined;
    }
  | { status: 'failed'; fileName: string; error: AlignErrorData };

export interface BatchCounts {
  edited: number;
  failed: number;
  scored: number;
  /** Of `failed`: not by what the row holds, so another try may do better. */
  retryable: number;
  /** Of the rows that this page ran since the last start. */
  run: { rows: number; editTokens: number; ms: number };
}

export interface BatchSlice {
  batch: Batch;
  /** Puts a file in the place of the one before, which is forgotten. */
  openBatch: (file: File) => Promise<void>;
  mapColumns: (columns: ColumnMap) => Promise<void>;
  /** Begins, or goes on with the rows that are not finished. Resolves when it rests again. */
  runBatch: (plan: BatchPlan, model: ConvertedModel) => Promise<void>;
  /** After the row that is being written. */
  pauseBatch: () => void;
  /** At once; the row that was being written is written anew later. */
  stopBatch: () => void;
  /** Rows that failed count as not reached, but those that cannot be run at all. */
  retryFailed: () => void;
  /**
   * Does something with what is kept: after what this page does with it already, and while no other tab does.
   *
   * @throws AlignError `invalid-request` where another tab runs a batch; what the work throws
   */
  inBatchTurn: (work: () => Promise<void>) => Promise<void>;
  /** Keeps an edited row with its scores; of no effect where another file is open by now. */
  keepRowScores: (jobId: string, row: RowState) => Promise<void>;
  closeBatch: () => Promise<void>;
  /** What is kept from before; goes on with it if it was running here. */
  restoreBatch: (findModel: (id: string) => Promise<ConvertedModel | undefined>) => Promise<void>;
}

/** Larger files are the command line's: a page holds all of its rows. */
const MAX_FILE_BYTES = 500_000_000;
/** Rows at a server at a time: as many as one of ours runs together, unless it was told otherwise. */
const SERVER_CONCURRENCY = 4;
const NOTHING_RUN: BatchCounts['run'] = { rows: 0, editTokens: 0, ms: 0 };

export function createBatchSlice({
  client,
  rows: rowsClient,
  batches,
  scheduleFrame,
  now: clockMs,
  wait,
}: AppDependencies): StateCreator<AppState, [], [], BatchSlice> {
  return (set, get) => {
    let stopping: AbortController | undefined;
    let isPausing = false;
    /** Of what keeps something, scoring too: one after the other, and after the run that holds the lock. */
    let latest: Promise<unknown> = Promise.resolve();
    const inTurn = async (work: () => Promise<void>): Promise<void> => {
      const ended = latest.then(() => batches.alone(work));
      latest = ended.catch(() => undefined);
      if (!(await ended)) throw busyElsewhere();
    };
    /** Puts something in the place of what is kept: not of what another tab did since. @throws AlignError */
    const replace = (work: () => Promise<void>, shown: Batch) =>
      inTurn(async () => {
        const kept = await batches.load();
        if (kept !== undefined && kept.results.length > 0 && !isShown(kept, shown)) {
          await show(kept.job, kept.results);
          throw finishedElsewhere(kept.job.fileName, kept.results.length);
        }
        await work();
      });
    /** The edit on the page goes on being scored. */
    const stopScoringRows = () => {
      const { scoring } = get();
      if (scoring.status === 'running' && scoring.of === 'batch') get().stopScoring();
    };
    const show = async (job: BatchJob, results: readonly RowState[]) => {
      const { rows } = await rowsClient.read(job.file, job.fileName, job.format);
      set({ batch: ready(job, rows, results) });
    };
    type Ready = Extract<Batch, { status: 'ready' }>;
    const change = (changes: Partial<Ready>) =>
      set(({ batch }) => (batch.status === 'ready' ? { batch: { ...batch, ...changes } } : {}));
    const saveJob = async (changes: Partial<BatchJob>) => {
      const { batch } = get();
      if (batch.status !== 'ready') return;
      const job = { ...batch.job, ...changes };
      change({ job });
      await batches.saveJob(job);
    };

    return {
      batch: { status: 'none' },

      async openBatch(file) {
        const { batch: before } = get();
        get().stopBatch();
        const fileName = file.name;
        set({ batch: { status: 'reading', fileName } });
        try {
          const format = rowFormatOf(fileName);
          if (format === undefined || fileName.toLowerCase().endsWith('.gz')) {
            throw new AlignError('invalid-request', `${fileName} is no .csv, .tsv or .jsonl file.`);
          }
          if (file.size > MAX_FILE_BYTES) {
            throw new AlignError(
              'invalid-request',
              `${fileName} has ${file.size} bytes; the page reads up to ${MAX_FILE_BYTES}. The command line’s “batch” reads files of any size.`,
            );
          }
          const { columns: found, rows } = await rowsClient.read(file, fileName, format);
          if (rows.length === 0) throw new AlignError('invalid-request', `${fileName} has no rows.`);
          const columns = guessColumns(found, {});
          const job: BatchJob = {
            id: newId(),
            fileName,
            format,
            file,
            found,
            columns,
            plan: undefined,
            isRunning: false,
          };
          await replace(() => batches.begin(job), before);
          set({ batch: ready(job, rows, []) });
        } catch (error) {
          // What another tab finished may be shown by now.
          if (get().batch.status === 'ready') change({ error: toErrorData(error) });
          else set({ batch: { status: 'failed', fileName, error: toErrorData(error) } });
        }
      },

      async mapColumns(columns) {
        // What other columns gave is another run.
        const { batch } = get();
        if (batch.status !== 'ready' || batch.activity !== 'resting') return;
        stopScoringRows();
        const job = { ...batch.job, id: newId(), columns, plan: undefined };
        set({ batch: ready(job, batch.rows, []) });
        try {
          await replace(() => batches.begin(job), batch);
        } catch (error) {
          change({ error: toErrorData(error) });
        }
      },

      async runBatch(plan, model) {
        const { batch } = get();
        if (batch.status !== 'ready' || batch.activity !== 'resting') return;
        const { rows } = batch;
        const results = batch.results as Map<number, RowState>;
        const controller = new AbortController();
        stopping = controller;
        isPausing = false;
        let startedMs = performance.now();
        const concurrency = model.location.kind === 'server' ? SERVER_CONCURRENCY : 1;
        const places = new RowPlaces({ most: concurrency, now: clockMs, wait });
        change({ activity: 'running', error: undefined, counts: countsOf(results, NOTHING_RUN) });
        const finished = new FrameBatch<RowState>(scheduleFrame, (latest) => {
          const { batch: shown } = get();
          if (shown.status !== 'ready' || shown.results !== results) return;
          const { run } = shown.counts;
          const editTokens = latest.reduce((sum, one) => sum + ('edit' in one ? one.usage.editTokens : 0), 0);
          const ms = performance.now() - startedMs;
          const next = { rows: run.rows + latest.length, editTokens: run.editTokens + editTokens, ms };
          change({ counts: countsOf(results, next) });
        });
        const work = async () => {
          controller.signal.throwIfAborted();
          const kept = await batches.load();
          const { batch: now } = get();
          if (kept !== undefined && now.status === 'ready' && kept.job.id !== now.job.id) throw openedElsewhere();
          // What another tab finished meanwhile is finished.
          for (const result of kept?.results ?? []) if (!isRetryable(result)) results.set(result.row, result);
          await saveJob({ plan, isRunning: true });
          const { model: state } = get();
          const isLoaded = state.status === 'ready' && state.model.id === model.id;
          if (!isLoaded && !(await get().loadModel(model, plan.choice, controller.signal))) {
            const { model: failed } = get();
            if (failed.status === 'failed') change({ error: failed.error });
            return;
          }
          startedMs = performance.now();
          await runBatch(items(), {
            concurrency,
            signal: controller.signal,
            run: async (request, signal) => await runRow(request, signal),
            record: async (result) => {
              await batches.saveResult(result);
              results.set(result.row, result);
              finished.push(result);
            },
          });
        };
        async function* items(): AsyncGenerator<BatchItem<AlignRequest>, void, void> {
          const { batch: now } = get();
          if (now.status !== 'ready') return;
          for (const row of rows) {
            if (isPausing) return;
            if (results.has(row.index)) continue;
            yield { row: row.index, set: 0, work: rowWork(row, now.job.columns, plan.settings) };
          }
        }
        /** No matter of the row: the run ends, and goes on with its own model. */
        function throwNotLoaded(): never {
          controller.abort(
            new AlignError('invalid-request', `${model.name} is not loaded any more, so the batch has stopped.`),
          );
          throw controller.signal.reason;
        }
        async function runRow(request: AlignRequest, signal: AbortSignal): Promise<RowOutcome> {
          const { model: state } = get();
          if (state.status !== 'ready' || state.model.id !== model.id) throwNotLoaded();
          const usedNow = followModel(state);
          let end: Extract<AlignEvent, { type: 'edit-end' }> | undefined;
          await places.run(
            () => client.align(request, (event) => (end = event.type === 'edit-end' ? event : end), signal),
            signal,
          );
          if (end === undefined) throw new Error('The engine ended a run without saying how; this is a bug.');
          const { edit, finishReason, usage, timings } = end;
          // The model was unloaded in the middle of the row: what it had written is no edit.
          if (finishReason === 'cancelled') throwNotLoaded();
          return { edit, finishReason, usage, timings, model: usedNow(get().model) };
        }

        let isMine = true;
        try {
          const ended = latest.then(() => batches.alone(work));
          latest = ended.catch(() => undefined);
          isMine = await ended;
        } catch (error) {
          if (!isAbort(error)) {
            const data = toErrorData(error);
            change({ error: data });
            if (data.code === 'device-lost' || data.code === 'worker-crashed') get().failModel(error);
          }
        }
        finished.flush();
        // Only the file that it ran: another may have been opened meanwhile.
        const { batch: now } = get();
        if (now.status !== 'ready' || now.results !== results) return;
        change({ activity: 'resting' });
        if (!isMine) {
          change({ error: busyElsewhere().toJSON() });
          return;
        }
        await saveJob({ isRunning: false }).catch(() => get().reportUnsaved());
      },

      pauseBatch() {
        isPausing = true;
        change({ activity: 'pausing' });
      },

      stopBatch() {
        isPausing = true;
        stopping?.abort();
        stopScoringRows();
      },

      inBatchTurn: inTurn,

      async keepRowScores(jobId, row) {
        const { batch } = get();
        if (batch.status !== 'ready' || batch.job.id !== jobId) return;
        await batches.saveResult(row);
        const before = batch.results.get(row.row);
        (batch.results as Map<number, RowState>).set(row.row, row);
        // Counting all rows for each would be slow.
        const isNew = before === undefined || !('edit' in before) || before.scores === undefined;
        set(({ batch: now }) =>
          now.status === 'ready' && now.results === batch.results
            ? { batch: { ...now, counts: { ...now.counts, scored: now.counts.scored + (isNew ? 1 : 0) } } }
            : {},
        );
      },

      retryFailed() {
        const { batch } = get();
        if (batch.status !== 'ready' || batch.activity !== 'resting') return;
        const results = new Map([...batch.results].filter(([, state]) => !isRetryable(state)));
        change({ results, counts: countsOf(results, NOTHING_RUN) });
      },

      async closeBatch() {
        const { batch } = get();
        get().stopBatch();
        set({ batch: { status: 'none' } });
        try {
          await replace(() => batches.forget(), batch);
        } catch (error) {
          const data = toErrorData(error);
          const { batch: shown } = get();
          if (shown.status === 'ready') change({ error: data });
          // One that another tab runs is that tab's.
          else if (data.code !== 'invalid-request') get().reportUnsaved();
        }
      },

      async restoreBatch(findModel) {
        try {
          const kept = await batches.load();
          if (kept === undefined || get().batch.status !== 'none') return;
          const { job, results } = kept;
          set({ batch: { status: 'reading', fileName: job.fileName } });
          await show(job, results);
          if (!job.isRunning || job.plan === undefined) return;
          // Nothing is sent anywhere by opening the page: the visitor goes on with it.
          if (isServed(job.plan.modelId)) return;
          const model = await findModel(job.plan.modelId);
          if (model === undefined) change({ error: modelGone(job.plan.modelId).toJSON() });
          else await get().runBatch(job.plan, model);
        } catch (error) {
          const data = toErrorData(error);
          const { batch } = get();
          // Where nothing can be kept the visitor is told when they open a file.
          if (batch.status === 'reading') set({ batch: { status: 'failed', fileName: batch.fileName, error: data } });
        }
      },
    };
  };
}

function busyElsewhere(): AlignError {
  return new AlignError('invalid-request', 'Another tab runs a batch. Go on there, or stop it first.');
}

function modelGone(modelId: string): AlignError {
  return new AlignError(
    'invalid-request',
    `The batch was running when the page was left, and its model ${modelId} is not here any more. Choose a model and start it again; what is finished stays.`,
    { details: { modelId } },
  );
}

function finishedElsewhere(fileName: string, count: number): AlignError {
  return new AlignError(
    'invalid-request',
    `Another tab has finished ${count} rows of ${fileName} meanwhile; they are shown here. Export them, or do it again to let them go.`,
    { details: { fileName, count } },
  );
}

/** Whether nothing is kept that the page does not show. */
function isShown({ job, results }: { job: BatchJob; results: readonly RowState[] }, shown: Batch): boolean {
  if (shown.status !== 'ready' || shown.job.id !== job.id) return false;
  return results.every((result) => shown.results.has(result.row) || isRetryable(result));
}

function openedElsewhere(): AlignError {
  return new AlignError(
    'invalid-request',
    'Another file was opened in another tab. Close this one and open it again to run it.',
  );
}

function ready(job: BatchJob, rows: readonly SourceRow[], kept: readonly RowState[]): Batch {
  const results = new Map(kept.map((result) => [result.row, result]));
  const counts = countsOf(results, NOTHING_RUN);
  return { status: 'ready', job, rows, results, counts, activity: 'resting', error: undefined };
}

function isRetryable(state: RowState): boolean {
  return 'error' in state && !['blank-answer', 'bad-row'].includes(state.error.code);
}

function countsOf(results: ReadonlyMap<number, RowState>, run: BatchCounts['run']): BatchCounts {
  let failed = 0;
  let retryable = 0;
  let scored = 0;
  for (const state of results.values()) {
    failed += 'error' in state ? 1 : 0;
    retryable += isRetryable(state) ? 1 : 0;
    scored += 'edit' in state && state.scores !== undefined ? 1 : 0;
  }
  return { edited: results.size - failed, failed, scored, retryable, run };
}
