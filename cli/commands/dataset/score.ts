import { stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { AlignError } from '../../../src/align/errors.ts';
import { lineOf } from '../../../src/batch/row-format.ts';
import type { SplitPair } from '../../../src/datasets/hh-rlhf.ts';
import {
  HH_RLHF_OBJECTIVES,
  type PreferenceObjective,
  type ScoreSource,
} from '../../../src/datasets/preference-objectives.ts';
import { scoreStatistics, type ScoreStatistics, zScore } from '../../../src/datasets/scores.ts';
import { scoredColumns } from '../../../src/datasets/scored-pairs.ts';
import { parseCount } from '../../dataset/build-options.ts';
import { addInputOptions, type InputOptions, localInput } from '../../dataset/input-file.ts';
import {
  addObjectiveOptions,
  addScoreSourceOptions,
  assignScoreSources,
  columnsOfSources,
  type ObjectiveOptions,
  readObjectives,
  type ScoreSourceOptions,
} from '../../dataset/objective-options.ts';
import { addPairColumnOptions, openPairs, type PairColumnOptions, type PairSource } from '../../dataset/pairs.ts';
import { RowProblems } from '../../dataset/problems.ts';
import { requireColumns } from '../../dataset/row-source.ts';
import { writeRows } from '../../dataset/row-writer.ts';
import { type PairScore, ScoreJournal } from '../../dataset/score-journal.ts';
import { openScorer, type ScoredRow, type Scorer, type ScorerOptions } from '../../dataset/scorers.ts';
import { addClassifierOptions } from '../../open-classifier.ts';
import { interruptSignal, note, print, ProgressLine } from '../../terminal.ts';

/**
 * Pairs whose responses are sorted by length together and written to the journal together: as many as take a few seconds,
 * so that little is lost with the process, and many where that is cheap.
 */
const WINDOW = { firstPairs: 4, mostPairs: 512, shortMs: 2_000, longMs: 15_000 } as const;

interface ScoreOptions
  extends InputOptions, PairColumnOptions, ObjectiveOptions, ScoreSourceOptions, Omit<ScorerOptions, 'apiKey'> {
  to: string;
  strict?: true;
  restart?: true;
  json?: true;
  apiKeyEnv: string;
}

export function addScoreCommand(parent: Command): void {
  const command = parent
    .command('score')
    .description('score both responses of each pair, for each objective, with reward models; goes on where it stopped')
    .requiredOption('--to <file>', 'CSV with the texts and the standardized scores; mean and std stand beside it')
    .option('--min-tokens <count>', 'a dialogue with fewer is dropped', parseCount, 8)
    .option('--api-key-env <name>', 'environment variable that holds a server’s key', 'SCORE_API_KEY')
    .option('--restart', 'forget the scores of an earlier run')
    .option('--strict', 'stop at the first row that cannot be used, instead of leaving it out')
    .option('--json', 'print the report as one JSON object');
  addInputOptions(command, 'pairs, split or as dialogues: JSONL, CSV, TSV (.gz is unpacked) or Parquet');
  addPairColumnOptions(command);
  addScoreSourceOptions(addObjectiveOptions(command, HH_RLHF_OBJECTIVES));
  addClassifierOptions(command).action(score);
}

type ScoredObjective = PreferenceObjective & { score: ScoreSource };

async function score(options: ScoreOptions): Promise<void> {
  const objectives = assignScoreSources(await readObjectives(options, HH_RLHF_OBJECTIVES, 'hh-rlhf'), options);
  const input = await localInput(options);
  const signal = interruptSignal();
  const pairs = await openPairs(input, options);
  requireColumns(pairs.source, columnsOfSources(objectives));
  const problems = new RowProblems(options.input, options.strict === true);
  const total = await checkRows(pairs, problems);

  const { size, mtimeMs } = await stat(input);
  const job = {
    input: { path: resolve(input), size, mtimeMs },
    columns: [options.promptColumn, options.chosenColumn, options.rejectedColumn],
    scores: objectives.map((objective) => objective.score),
    variant: options.variant,
    minTokens: options.minTokens,
  };
  const journal = await ScoreJournal.open(
    `${options.to}.journal.jsonl`,
    job,
    objectives.length,
    options.restart === true,
  );
  let isDone = false;
  try {
    const descriptions: string[] = [];
    for (const [index, objective] of objectives.entries()) {
      const scorer = await openScorer(objective.score, { ...options, apiKey: process.env[options.apiKeyEnv] }, signal);
      try {
        await scoreAll(pairs, scorer, { objective, index, total, journal, signal });
      } finally {
        await scorer.dispose();
      }
      descriptions.push(scorer.description);
    }
    const report = {
      input: options.input,
      ...(await writeScored(pairs, options.to, journal, objectives, descriptions)),
      leftOut: problems.list,
    };
    await writeFile(reportPath(options.to), `${JSON.stringify(report, undefined, 2)}\n`);
    if (options.json) await print(`${JSON.stringify(report, undefined, 2)}\n`);
    note(
      `${report.pairs.read} pairs read, ${report.pairs.written} scored in ${options.to}, ` +
        `${report.dropped.length} dropped for their length or by a server, ${problems.list.length} left out; ` +
        `means and deviations are in ${reportPath(options.to)}.`,
    );
    isDone = true;
  } finally {
    await (isDone ? journal.remove() : journal.close());
  }
}

/** `scored.csv` to `scored.scores.json`. */
function reportPath(path: string): string {
  return `${path.replace(/\.csv$/i, '')}.scores.json`;
}

/** Says what is wrong before the first model is loaded. @returns the pairs that can be scored */
async function checkRows({ source, readPair }: PairSource, problems: RowProblems): Promise<number> {
  let usable = 0;
  for await (const row of source.rows()) {
    const pair = readPair(row);
    if ('problem' in pair) problems.add(lineOf(row), pair.problem);
    else usable += 1;
  }
  return usable;
}

interface Pass {
  objective: ScoredObjective;
  index: number;
  /** Usable pairs of the file. */
  total: number;
  journal: ScoreJournal;
  signal: AbortSignal;
}

/** Scores what the journal has not, window by window. */
async function scoreAll(pairs: PairSource, scorer: Scorer, pass: Pass): Promise<void> {
  const { objective, index, total, journal, signal } = pass;
  const progress = new ProgressLine();
  const already = journal.scoresOf(index).length;
  if (already > 0) note(`${objective.key}: ${already} of ${total} pairs are scored already.`);
  let seen = 0;
  let window: ScoredRow[] = [];
  let windowPairs: number = WINDOW.firstPairs;
  const flush = async () => {
    signal.throwIfAborted();
    const startedAt = performance.now();
    if (window.length > 0) await journal.append(index, await scorer.score(window, signal));
    const elapsedMs = performance.now() - startedAt;
    if (elapsedMs < WINDOW.shortMs) windowPairs = Math.min(2 * windowPairs, WINDOW.mostPairs);
    else if (elapsedMs > WINDOW.longMs) windowPairs = Math.ceil(windowPairs / 2);
    window = [];
    const done = journal.scoresOf(index).length;
    progress.show(`scoring ${objective.key}`, done / Math.max(total, 1), `${done} of ${total} pairs`);
  };
  try {
    for await (const row of usablePairs(pairs)) {
      seen += 1;
      if (seen <= already) continue;
      window.push(row);
      if (window.length >= windowPairs) await flush();
    }
    await flush();
  } finally {
    progress.end();
  }
}

async function* usablePairs({
  source,
  readPair,
}: PairSource): AsyncGenerator<ScoredRow & { pair: SplitPair; line: number }> {
  for await (const row of source.rows()) {
    const pair = readPair(row);
    if (!('problem' in pair)) yield { pair, cells: row.cells, line: lineOf(row) };
  }
}

interface ScoreReport {
  pairs: { read: number; written: number; otherPrompts: number };
  objectives: ({ name: string; scoredBy: string; chosen: string; rejected: string } & ScoreStatistics)[];
  /** Pairs without a score, by length or a server's refusal. */
  dropped: { line: number; problem: string }[];
}

/** Standardizes the scores of the pairs that have all of them, and writes these pairs. */
async function writeScored(
  pairs: PairSource,
  to: string,
  journal: ScoreJournal,
  objectives: readonly ScoredObjective[],
  descriptions: readonly string[],
): Promise<ScoreReport> {
  const all = objectives.map((_, index) => journal.scoresOf(index));
  const problemOf = (pair: number) =>
    all.map((scores) => scores[pair]!).find((each): each is string => typeof each === 'string');
  if (all[0]!.every((_, pair) => problemOf(pair) !== undefined)) {
    const [problem = 'there is none that can be used'] = all[0]!.map((_, pair) => problemOf(pair));
    throw new AlignError('invalid-request', `No pair of ${pairs.source.path} has a score. The first: ${problem}`, {
      details: { path: pairs.source.path, pairs: all[0]!.length },
    });
  }
  const statistics = all.map((scores) =>
    scoreStatistics(scores.flatMap((each, pair) => (problemOf(pair) === undefined ? (each as [number, number]) : []))),
  );
  const report: ScoreReport = {
    pairs: { read: 0, written: 0, otherPrompts: 0 },
    objectives: objectives.map(({ key, chosenColumn, rejectedColumn }, i) => ({
      name: key,
      scoredBy: descriptions[i]!,
      chosen: chosenColumn,
      rejected: rejectedColumn,
      ...statistics[i]!,
    })),
    dropped: [],
  };
  await writeRows(to, scoredColumns(objectives), async (writer) => {
    for await (const { pair, line } of usablePairs(pairs)) {
      const index = report.pairs.read++;
      const problem = problemOf(index);
      if (problem !== undefined) {
        report.dropped.push({ line, problem });
        continue;
      }
      const side = (which: 0 | 1) =>
        all.map((scores, i) => String(zScore(scoreOf(scores[index]!, which), statistics[i]!)));
      await writer.add([pair.prompt, pair.chosen, pair.rejected, ...side(0), ...side(1)]);
      report.pairs.written += 1;
      if (pair.hasOtherPrompt) report.pairs.otherPrompts += 1;
    }
  });
  return report;
}

function scoreOf(score: PairScore, which: 0 | 1): number {
  if (typeof score === 'string') throw new Error('A pair without a score is written; this is a bug.');
  return score[which];
}
