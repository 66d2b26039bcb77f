import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { cellText, formatHeader, formatRow, type SourceRow } from '../../src/batch/row-format.ts';
import { type BatchItem, runBatch } from '../../src/batch/run-batch.ts';
import { JournalFile } from '../batch/journal-file.ts';
import { pathBeside, writeWhole } from '../batch/output-files.ts';
import { readRows } from '../batch/read-rows.ts';
import { packageVersion } from '../package-version.ts';
import { ProgressLine } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';
import type { AnswerLimits, QueryRunner } from './query-runners.ts';
import { RESPONSIBLE_USE } from './responsible-use.ts';

export interface AnswerJob {
  dataset: string;
  inputPath: string;
  /** Column of the reference answers; `query` holds the queries. */
  goldensColumn: string;
  outputPath: string;
  limits: AnswerLimits;
  /** The first so many rows. */
  limit: number | undefined;
  isRestarted: boolean;
  isRetryingFailed: boolean;
}

export interface AnswerSummary {
  answered: number;
  failed: number;
  /** Of both: finished by an earlier run. */
  resumed: number;
  /** Ended by the length, not by the model. */
  cutOff: number;
}

const OUTPUT_COLUMNS = ['query', 'goldens', 'generated_text'];

/**
 * Answers the queries of one file. The output is there whole or not at all, and what was finished stays finished whenever the
 * process ends.
 *
 * @throws UsageError for an output that is not of this job; AlignError as the journal and the runner; the signal's reason
 */
export async function answerFile(job: AnswerJob, runner: QueryRunner, signal: AbortSignal): Promise<AnswerSummary> {
  const { outputPath, dataset } = job;
  const started = new Date();
  const journalPath = pathBeside(outputPath, 'journal.jsonl');
  if (!job.isRestarted && existsSync(outputPath) && !existsSync(journalPath)) {
    throw new UsageError(`${outputPath} exists and is not of this run. Move it away, or replace it with --restart.`);
  }
  const description = await describe(job, runner);
  const { isRestarted } = job;
  const journal = await JournalFile.open(journalPath, description, { setCount: 1, isRestarted });
  try {
    let total = 0;
    for await (const _ of selectedRows(job)) total += 1;
    const progress = new ProgressLine();
    let [finished, resumed] = [0, 0];
    const items = async function* (): AsyncGenerator<BatchItem<{ query: string }>, void, void> {
      for await (const row of selectedRows(job)) {
        const state = journal.stateOf(row.index, 0);
        if (state === undefined || (state === 'failed' && job.isRetryingFailed)) {
          yield { row: row.index, set: 0, work: workOf(row) };
        } else {
          resumed += 1;
          finished += 1;
        }
      }
    };
    try {
      await runBatch(items(), {
        concurrency: runner.concurrency,
        signal,
        run: ({ query }, runSignal) => runner.run(query, runSignal),
        record: async (result) => {
          await journal.append(result);
          finished += 1;
          progress.show(dataset, finished / total, `${finished} of ${total} answers`);
        },
      });
    } finally {
      progress.end();
    }
    const summary: AnswerSummary = { ...(await writeAnswers(job, journal)), resumed };
    const report = {
      note: RESPONSIBLE_USE,
      dataset,
      input: job.inputPath,
      output: outputPath,
      job: description,
      versions: { metaaligner: packageVersion(), node: process.versions.node },
      counts: { rows: total, ...summary },
      startedAt: started.toISOString(),
      seconds: (Date.now() - started.getTime()) / 1000,
    };
    await writeWhole(pathBeside(outputPath, 'report.json'), (write) =>
      write(`${JSON.stringify(report, undefined, 2)}\n`),
    );
    return summary;
  } finally {
    await journal.close();
  }
}

async function* selectedRows({ inputPath: path, limit = Infinity }: AnswerJob): AsyncGenerator<SourceRow, void, void> {
  for await (const row of readRows({ path, format: 'csv' })) {
    if (row.index >= limit) return;
    yield row;
  }
}

function workOf(row: SourceRow): BatchItem<{ query: string }>['work'] {
  if (row.problem !== undefined) return { error: { code: 'bad-row', message: row.problem } };
  const query = cellText(row.cells.query);
  if (query.trim() === '') return { error: { code: 'blank-query', message: 'The query is blank.' } };
  return { query };
}

/** Settings that change the answers, or which rows have one. */
async function describe({ inputPath, goldensColumn, limits, limit }: AnswerJob, { identity }: QueryRunner) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(inputPath), hash);
  return {
    kind: 'imhi-answers',
    input: { sha256: hash.digest('hex') },
    goldensColumn,
    maxLength: limits.maxLength,
    maxNewTokens: limits.maxNewTokens ?? null,
    limit: limit ?? null,
    model: identity,
  };
}

/** A row that failed has an empty answer, and stands in `NAME.errors.jsonl`. */
async function writeAnswers(job: AnswerJob, journal: JournalFile): Promise<Omit<AnswerSummary, 'resumed'>> {
  const counts = { answered: 0, failed: 0, cutOff: 0 };
  const errorsPath = pathBeside(job.outputPath, 'errors.jsonl');
  await writeWhole(errorsPath, async (writeError) => {
    await writeWhole(job.outputPath, async (write) => {
      await write(formatHeader('csv', OUTPUT_COLUMNS));
      for await (const { index, cells } of selectedRows(job)) {
        const result = await journal.read(index, 0);
        if (result === undefined) throw new Error(`Row ${index + 1} was not finished; this is a bug.`);
        let answer = '';
        if ('error' in result) {
          counts.failed += 1;
          await writeError(`${JSON.stringify({ row: index + 1, ...result.error })}\n`);
        } else {
          counts.answered += 1;
          if (result.finishReason === 'length') counts.cutOff += 1;
          answer = result.edit;
        }
        const texts = [cellText(cells.query), cellText(cells[job.goldensColumn]), answer];
        await write(formatRow('csv', OUTPUT_COLUMNS, texts));
      }
    });
  });
  if (counts.failed === 0) await rm(errorsPath);
  return counts;
}
