import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { arch, cpus, platform, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { AlignError } from '../../src/align/errors.ts';
import type { AlignRequest } from '../../src/align/request.ts';
import { readTexts, type RowTexts } from '../../src/batch/columns.ts';
import type { JobDescription, RowResult } from '../../src/batch/journal.ts';
import { formatHeader, formatRow, requireColumns, type SourceRow } from '../../src/batch/row-format.ts';
import { type BatchItem, runBatch } from '../../src/batch/run-batch.ts';
import { matcherOf, selectRange } from '../../src/batch/select-rows.ts';
import { packageVersion } from '../package-version.ts';
import { note, ProgressLine } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';
import type { Job, Runner } from './job.ts';
import { JournalFile } from './journal-file.ts';
import { pathBeside, writeWhole } from './output-files.ts';
import { readColumns, readRows, readRowsBeside } from './read-rows.ts';

/** Counted in rows times objective sets. */
export interface JobSummary {
  edited: number;
  failed: number;
  /** Of `edited` and `failed`: finished by an earlier run. */
  resumed: number;
}

interface Work {
  request: AlignRequest;
  droppedCharacters?: number;
}

/** A job that can be run, as far as its files say. */
export interface CheckedJob extends Job {
  range: Range;
}

/**
 * Reads the job's files once, and tells which rows are too long.
 *
 * @throws AlignError `invalid-request` for a file that cannot be read or does not fit the job, `prompt-too-long`; the
 *   signal's reason
 */
export async function checkJob(job: Job, runner: Runner, signal: AbortSignal): Promise<CheckedJob> {
  const { input, queries, columns } = job;
  const conditions = job.selection.where.map(({ column }) => column);
  const wanted = [columns.query, columns.answer, ...(columns.goldens === undefined ? [] : [columns.goldens])];
  const found = await readColumns(input);
  if (queries !== undefined) {
    requireColumns(queries.file.path, await readColumns(queries.file), [queries.column]);
    found.push(columns.query);
  }
  requireColumns(input.path, found, [...new Set([...wanted, ...conditions])]);
  const range = await countRows(job);
  await refuseTooLong(job, runner, range, signal);
  return { ...job, range };
}

/**
 * Runs one file to its end. The output is there whole or not at all, and what was finished stays finished whenever the
 * process ends.
 *
 * @throws AlignError `invalid-request` for a journal of another job; what the runner throws; the signal's reason
 */
export async function runJob(job: CheckedJob, runner: Runner, signal: AbortSignal): Promise<JobSummary> {
  const started = new Date();
  const { input, output, range } = job;
  const journalPath = pathBeside(output.path, 'journal.jsonl');
  await mkdir(dirname(output.path), { recursive: true });
  if (!job.isRestarted && existsSync(output.path) && !existsSync(journalPath)) {
    throw new UsageError(`${output.path} exists and is not of this batch. Move it away, or replace it with --restart.`);
  }
  const journal = await JournalFile.open(journalPath, await describe(job, runner), {
    setCount: job.sets.length,
    isRestarted: job.isRestarted,
  });
  try {
    const progress = new BatchProgress((range.end - range.start) * job.sets.length);
    const counts: JobSummary = { edited: 0, failed: 0, resumed: 0 };
    const items = async function* (): AsyncGenerator<BatchItem<Work>, void, void> {
      for await (const row of selectedRows(job, range)) {
        for (let set = 0; set < job.sets.length; set++) {
          const state = journal.stateOf(row.index, set);
          const isFinished = state === 'edited' || (state === 'failed' && !job.isRetryingFailed);
          if (!isFinished) yield { row: row.index, set, work: workOf(job, runner, row, set) };
          else {
            counts.resumed += 1;
            progress.skip();
          }
        }
      }
    };
    await runBatch(items(), {
      concurrency: runner.concurrency,
      signal,
      run: async ({ request, droppedCharacters }, runSignal) => ({
        ...(await runner.run(request, runSignal)),
        ...(droppedCharacters !== undefined && { droppedCharacters }),
      }),
      record: async (result) => {
        await journal.append(result);
        progress.advance('error' in result ? 0 : result.editTokens);
      },
    });
    progress.end();
    const details = await writeOutput(job, journal, range, counts);
    const report = {
      input: input.path,
      output: output.path,
      job: await describe(job, runner),
      runner: runner.description,
      machine: {
        platform: platform(),
        arch: arch(),
        cpu: cpus()[0]?.model,
        cores: cpus().length,
        memoryBytes: totalmem(),
      },
      versions: { metaaligner: packageVersion(), node: process.version, ...runner.versions },
      counts: { rows: range.end - range.start, sets: job.sets.length, ...counts, ...details },
      startedAt: started.toISOString(),
      seconds: (Date.now() - started.getTime()) / 1000,
      thisRun: progress.rates(),
    };
    await writeWhole(pathBeside(output.path, 'report.json'), async (write) =>
      write(`${JSON.stringify(report, null, 2)}\n`),
    );
    return counts;
  } finally {
    await journal.close();
  }
}

/** Of the rows that match, which this run does. */
interface Range {
  start: number;
  end: number;
}

function jobRows({ input, queries, columns }: Job): AsyncGenerator<SourceRow, void, void> {
  return queries === undefined ? readRows(input) : readRowsBeside(input, queries, columns.query);
}

async function countRows(job: Job): Promise<Range> {
  const matches = matcherOf(job.selection.where);
  let matching = 0;
  for await (const row of jobRows(job)) if (matches(row)) matching += 1;
  return selectRange(matching, job.selection);
}

async function* selectedRows(job: Job, { start, end }: Range): AsyncGenerator<SourceRow, void, void> {
  const matches = matcherOf(job.selection.where);
  let ordinal = 0;
  if (start === end) return;
  for await (const row of jobRows(job)) {
    if (!matches(row)) continue;
    if (ordinal >= start) yield row;
    ordinal += 1;
    if (ordinal === end) return;
  }
}

/** @throws AlignError `prompt-too-long` with the rows, before any of them is run */
async function refuseTooLong(job: Job, runner: Runner, range: Range, signal: AbortSignal): Promise<void> {
  if (runner.fit === undefined) return;
  const tooLong = new Set<number>();
  let truncated = 0;
  for await (const row of selectedRows(job, range)) {
    signal.throwIfAborted();
    for (let set = 0; set < job.sets.length; set++) {
      const work = workOf(job, runner, row, set);
      if ('error' in work && work.error.code === 'prompt-too-long') tooLong.add(row.index);
      if ('droppedCharacters' in work) truncated += 1;
    }
  }
  if (truncated > 0) note(`${truncated} contexts are shortened at their front so that they fit.`);
  if (tooLong.size === 0) return;
  const shown = [...tooLong].slice(0, 20).map((index) => index + 1);
  const list = `${shown.join(', ')}${tooLong.size > shown.length ? ', …' : ''}`;
  const message = `${tooLong.size} rows of ${job.input.path} do not fit the model’s context: ${list} (counted from 1).`;
  if (job.onTooLong !== 'error') {
    note(`${message} They get no edit.`);
    return;
  }
  throw new AlignError('prompt-too-long', `${message} See --on-too-long.`, { details: { rows: shown } });
}

function workOf(job: Job, runner: Runner, row: SourceRow, set: number): BatchItem<Work>['work'] {
  if (row.problem !== undefined) return { error: { code: 'bad-row', message: row.problem } };
  const texts = readTexts(row, job.columns, job.settings.template);
  if (texts.answer.trim() === '') {
    return { error: { code: 'blank-answer', message: 'The answer is blank; there is nothing to edit.' } };
  }
  const objectives = job.sets[set]?.objectives ?? [];
  const request: AlignRequest = { ...job.settings, objectives, context: texts.query, answer: texts.answer };
  const fitting = runner.fit === undefined ? { request } : runner.fit(request);
  return fitting ?? { error: { code: 'prompt-too-long', message: 'The prompt does not fit the model’s context.' } };
}

/** Settings that change the edits, or which rows have one. */
async function describe(job: Job, runner: Runner): Promise<JobDescription> {
  const { where, limit = null, shard = null } = job.selection;
  const { input, queries } = job;
  return {
    input: { sha256: await sha256(input.path), format: input.format },
    ...(queries !== undefined && { queries: { sha256: await sha256(queries.file.path), column: queries.column } }),
    columns: { ...job.columns, goldens: job.columns.goldens ?? null },
    objectives: job.sets.map(({ objectives }) => objectives.map(({ description }) => description)),
    settings: job.settings,
    onTooLong: job.onTooLong,
    where,
    limit,
    shard,
    model: runner.identity,
  };
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** @returns what the whole output holds; also sets `edited` and `failed` */
async function writeOutput(job: Job, journal: JournalFile, range: Range, counts: JobSummary) {
  const { output } = job;
  const failures: Record<string, number> = {};
  const details = { cutOff: 0, truncated: 0, promptTokens: 0, editTokens: 0, failures };
  const names = outputColumns(job);
  const count = (result: RowResult) => {
    if ('error' in result) {
      counts.failed += 1;
      failures[result.error.code] = (failures[result.error.code] ?? 0) + 1;
      return;
    }
    counts.edited += 1;
    details.cutOff += result.finishReason === 'length' ? 1 : 0;
    details.truncated += result.droppedCharacters === undefined ? 0 : 1;
    details.promptTokens += result.promptTokens;
    details.editTokens += result.editTokens;
  };
  const errorsPath = pathBeside(output.path, 'errors.jsonl');
  await writeWhole(errorsPath, async (writeError) => {
    await writeWhole(output.path, async (write) => {
      await write(formatHeader(output.format, names));
      for await (const row of selectedRows(job, range)) {
        const edits: string[] = [];
        for (let set = 0; set < job.sets.length; set++) {
          const result = await journal.read(row.index, set);
          if (result === undefined) throw new Error(`Row ${row.index + 1} was not finished; this is a bug.`);
          count(result);
          edits.push('error' in result ? '' : result.edit);
          if (!('error' in result)) continue;
          const name = job.sets[set]?.name;
          await writeError(`${JSON.stringify({ row: row.index + 1, objectives: name, ...result.error })}\n`);
        }
        const texts = readTexts(row, job.columns, job.settings.template);
        for (const cells of outputCells(job, texts, edits)) await write(formatRow(output.format, names, cells));
      }
    });
  });
  // No failure, no list.
  if (counts.failed === 0) await rm(errorsPath);
  return details;
}

function outputColumns({ columns, sets, isLong }: Job): string[] {
  const source = ['query', ...(columns.goldens === undefined ? [] : ['goldens']), 'origin_responses'];
  if (isLong) return [...source, 'objectives', 'aligned_responses'];
  if (sets.length === 1) return [...source, 'aligned_responses'];
  return [...source, ...sets.map(({ name }) => `aligned_responses_${name}`)];
}

function outputCells(
  { columns, sets, isLong }: Job,
  { query, goldens, answer }: RowTexts,
  edits: string[],
): string[][] {
  const source = [query, ...(columns.goldens === undefined ? [] : [goldens]), answer];
  if (!isLong) return [[...source, ...edits]];
  return sets.map(({ name }, set) => [...source, name, edits[set] ?? '']);
}

class BatchProgress {
  readonly #line = new ProgressLine();
  readonly #total: number;
  readonly #startMs = performance.now();
  #skipped = 0;
  #done = 0;
  #tokens = 0;

  constructor(total: number) {
    this.#total = total;
  }

  /** Finished before; not part of the rates. */
  skip(): void {
    this.#skipped += 1;
  }

  advance(editTokens: number): void {
    this.#done += 1;
    this.#tokens += editTokens;
    const finished = this.#skipped + this.#done;
    const { rowsPerSecond, tokensPerSecond } = this.rates();
    const secondsLeft = (this.#total - finished) / rowsPerSecond;
    this.#line.show(
      'aligning',
      finished / this.#total,
      `${finished} of ${this.#total} edits, ${rowsPerSecond.toFixed(2)} rows/s, ${tokensPerSecond.toFixed(1)} tokens/s, ${formatSeconds(secondsLeft)} left`,
    );
  }

  rates() {
    const seconds = Math.max((performance.now() - this.#startMs) / 1000, 1e-3);
    return { edits: this.#done, rowsPerSecond: this.#done / seconds, tokensPerSecond: this.#tokens / seconds };
  }

  end(): void {
    this.#line.end();
  }
}

/** `2 h 5 min`, `3 min`, `40 s`. */
function formatSeconds(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
