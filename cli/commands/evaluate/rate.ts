import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Objective } from '../../../src/align/objectives.ts';
import { SeededRandom } from '../../../src/align/random.ts';
import { ratingMessages, readRating } from '../../../src/evaluation/judge-prompt.ts';
import { bootstrapMean, type Estimate } from '../../../src/evaluation/win-statistics.ts';
import { callOf, type JudgeCall } from '../../judge/ask-judge.ts';
import { addJudgeOptions, type JudgeRunOptions, runJudge } from '../../judge/judge-run.ts';
import type { VerdictCache } from '../../judge/verdict-cache.ts';
import { readObjectives } from '../../request-options.ts';
import { print } from '../../terminal.ts';
import { formatTable, listOutputs, readCells } from './outputs.ts';

const COLUMNS = ['query', 'origin_responses', 'aligned_responses'] as const;

interface RateOptions extends JudgeRunOptions {
  judgeModel: string;
  json?: true;
}

export function addRateCommand(evaluate: Command): void {
  const command = evaluate
    .command('rate')
    .description('what a judge gives originals and edits from 0 to 10, for each objective')
    .requiredOption('--outputs <folder>', `CSV files as batch writes them, one a policy model: ${COLUMNS.join(', ')}`)
    .requiredOption('--judge-model <name>', 'its name there')
    .requiredOption('--report <folder>', 'for ratings.json and the judge’s replies')
    .option('--json', 'print ratings.json');
  addJudgeOptions(command).action(run);
}

interface RatedList {
  policy: string;
  objective: Objective;
  /** Without the rows of which a text is blank. */
  rows: { original: JudgeCall; aligned: JudgeCall }[];
  leftOut: number;
}

interface Ratings {
  policy: string;
  objective: string;
  /** With a rating of both answers. */
  rows: number;
  invalid: number;
  leftOut: number;
  original: Estimate | null;
  aligned: Estimate | null;
  /** Aligned less original, paired. */
  difference: Estimate | null;
}

async function run(options: RateOptions): Promise<void> {
  // The published prompt is UltraFeedback's: its objectives' texts are meant.
  const objectives = readObjectives({ ...options, promptStyle: 'bare' }, 'ultrafeedback');
  const lists: RatedList[] = [];
  for (const { dataset: policy, path } of await listOutputs(options.outputs)) {
    const rows = await readCells(path, COLUMNS);
    const kept = rows.filter((row) => row.origin_responses.trim() !== '' && row.aligned_responses.trim() !== '');
    for (const objective of objectives) {
      const callFor = (query: string, answer: string) => {
        const messages = ratingMessages(objective, query, answer);
        return callOf(options.judge, { model: options.judgeModel, messages, temperature: 0 });
      };
      lists.push({
        policy,
        objective,
        rows: kept.map((row) => ({
          original: callFor(row.query, row.origin_responses),
          aligned: callFor(row.query, row.aligned_responses),
        })),
        leftOut: rows.length - kept.length,
      });
    }
  }
  const calls = lists.flatMap(({ rows }) => rows.flatMap(({ original, aligned }) => [original, aligned]));
  await runJudge(calls, options, async (cache) => {
    const ratings = lists.map((list) => ratingsOf(list, cache, options.seed));
    const { judge, judgeModel: model, seed } = options;
    const json = `${JSON.stringify({ settings: { judge, model, seed }, ratings }, undefined, 2)}\n`;
    await writeFile(join(options.report, 'ratings.json'), json);
    await print(options.json ? json : tableOf(ratings));
  });
}

function ratingsOf({ policy, objective, rows, leftOut }: RatedList, cache: VerdictCache, seed: number): Ratings {
  const ratingOf = ({ key }: JudgeCall) => {
    const reply = cache.get(key);
    return reply === undefined ? undefined : readRating(reply.text);
  };
  const pairs = rows.flatMap((row) => {
    const [original, aligned] = [ratingOf(row.original), ratingOf(row.aligned)];
    return original === undefined || aligned === undefined ? [] : [{ original, aligned }];
  });
  const estimate = (values: number[]) => (values.length === 0 ? null : bootstrapMean(values, new SeededRandom(seed)));
  return {
    policy,
    objective: objective.key,
    rows: pairs.length,
    invalid: rows.length - pairs.length,
    leftOut,
    original: estimate(pairs.map(({ original }) => original)),
    aligned: estimate(pairs.map(({ aligned }) => aligned)),
    difference: estimate(pairs.map(({ original, aligned }) => aligned - original)),
  };
}

function tableOf(ratings: readonly Ratings[]): string {
  const shown = (estimate: Estimate | null) =>
    estimate === null ? '–' : `${estimate.value.toFixed(2)} [${estimate.low.toFixed(2)}, ${estimate.high.toFixed(2)}]`;
  return formatTable(
    ['policy, objective', 'rows', 'invalid', 'left out', 'original', 'aligned', 'difference'],
    ratings.map((one) => [
      `${one.policy}, ${one.objective}`,
      ...[one.rows, one.invalid, one.leftOut].map(String),
      ...[one.original, one.aligned, one.difference].map(shown),
    ]),
  );
}
