import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Objective } from '../../../src/align/objectives.ts';
import type { TemplateId } from '../../../src/align/prompt.ts';
import { SeededRandom } from '../../../src/align/random.ts';
import { ratingMessages, readRating } from '../../../src/evaluation/judge-prompt.ts';
import { bootstrapMean, type Estimate } from '../../../src/evaluation/win-statistics.ts';
import { callOf, type JudgeCall } from '../../judge/ask-judge.ts';
import { addJudgeOptions, findJudges, type JudgeRunOptions, runJudge } from '../../judge/judge-run.ts';
import { EMPTY_REPORT, isAboutMentalHealth } from '../../../src/evaluation/report/evaluation-report.ts';
import type { RatingReport, Ratings } from '../../../src/evaluation/report/rating-report.ts';
import { csvOf } from '../../../src/evaluation/report/report-csv.ts';
import type { VerdictCache } from '../../judge/verdict-cache.ts';
import { RESPONSIBLE_USE } from '../../imhi/responsible-use.ts';
import { familyOption, readObjectives } from '../../request-options.ts';
import { note, print } from '../../terminal.ts';
import { formatTable, listAligners, readCells } from './outputs.ts';

const COLUMNS = ['query', 'origin_responses', 'aligned_responses'] as const;

interface RateOptions extends JudgeRunOptions {
  family: TemplateId;
  judgeModel: string;
  json?: true;
}

export function addRateCommand(evaluate: Command): void {
  const command = evaluate
    .command('rate')
    .description('what a judge gives originals and edits from 0 to 10, for each objective')
    .requiredOption(
      '--outputs <folder>',
      `CSV files as batch writes them, one a policy model: ${COLUMNS.join(', ')}; repeated, as NAME=FOLDER: one for each aligner`,
      (value: string, previous: string[] = []) => [...previous, value],
    )
    .addOption(familyOption('whose texts of the objectives are meant').default('ultrafeedback'))
    .requiredOption('--judge-model <name>', 'its name at the address, or a converted model’s folder or id')
    .requiredOption('--report <folder>', 'for ratings.json, ratings.csv, replies.csv and the judge’s replies')
    .option('--json', 'print ratings.json');
  addJudgeOptions(command).action(run);
}

interface RatedList {
  aligner: string;
  policy: string;
  objective: Objective;
  /** Without the rows of which a text is blank. */
  rows: { index: number; original: JudgeCall; aligned: JudgeCall }[];
  leftOut: number;
}

async function run(options: RateOptions): Promise<void> {
  // The published prompt is UltraFeedback's, and so are the objectives' texts unless another family is named.
  const objectives = readObjectives({ ...options, promptStyle: 'bare' }, options.family);
  const judges = await findJudges([options.judgeModel], options);
  const lists: RatedList[] = [];
  for (const { aligner, files } of await listAligners(options.outputs)) {
    for (const { dataset: policy, path } of files) {
      const rows = await readCells(path, COLUMNS);
      const kept = rows.flatMap((row, index) =>
        row.origin_responses.trim() === '' || row.aligned_responses.trim() === '' ? [] : [{ row, index }],
      );
      for (const objective of objectives) {
        const callFor = (query: string, answer: string) => {
          const messages = ratingMessages(objective, query, answer);
          return callOf(judges.addressOf(options.judgeModel), { model: options.judgeModel, messages, temperature: 0 });
        };
        lists.push({
          aligner,
          policy,
          objective,
          rows: kept.map(({ row, index }) => ({
            index,
            original: callFor(row.query, row.origin_responses),
            aligned: callFor(row.query, row.aligned_responses),
          })),
          leftOut: rows.length - kept.length,
        });
      }
    }
  }
  const calls = lists.flatMap(({ rows }) => rows.flatMap(({ original, aligned }) => [original, aligned]));
  await runJudge(calls, judges, options, async (cache) => {
    const ratings = lists.map((list) => ratingsOf(list, cache, options.seed));
    const { judgeModel: model, family, seed } = options;
    const settings = { judge: judges.description, model, family, seed, versions: judges.versions };
    const report: RatingReport = { settings, ratings };
    const json = `${JSON.stringify(report, undefined, 2)}\n`;
    await writeFile(join(options.report, 'ratings.json'), json);
    await writeFile(join(options.report, 'ratings.csv'), csvOf(ratings));
    await writeFile(join(options.report, 'replies.csv'), csvOf(lists.flatMap((list) => repliesOf(list, cache))));
    await print(options.json ? json : tableOf(ratings));
    if (isAboutMentalHealth({ ...EMPTY_REPORT, ratings: [report] })) note(RESPONSIBLE_USE);
  });
}

function repliesOf({ aligner, policy, objective, rows }: RatedList, cache: VerdictCache) {
  return rows.flatMap(({ index, original, aligned }) =>
    Object.entries({ original, aligned }).map(([answer, { key }]) => {
      const reply = cache.get(key)?.text ?? null;
      const rating = reply === null ? null : (readRating(reply) ?? null);
      return { aligner, policy, objective: objective.key, row: index + 1, answer, rating, reply };
    }),
  );
}

function ratingsOf(
  { aligner, policy, objective, rows, leftOut }: RatedList,
  cache: VerdictCache,
  seed: number,
): Ratings {
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
    aligner,
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
    ['aligner, policy, objective', 'rows', 'invalid', 'left out', 'original', 'aligned', 'difference'],
    ratings.map((one) => [
      `${one.aligner} on ${one.policy}, ${one.objective}`,
      ...[one.rows, one.invalid, one.leftOut].map(String),
      ...[one.original, one.aligned, one.difference].map(shown),
    ]),
  );
}
