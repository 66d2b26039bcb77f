import { type Command, Option } from 'commander';
import type { Objective } from '../../../src/align/objectives.ts';
import type { TemplateId } from '../../../src/align/prompt.ts';
import type { ChatContent } from '../../../src/batch/chat-endpoint.ts';
import { type JudgedPair, judgeMessages, type Place } from '../../../src/evaluation/judge-prompt.ts';
import { callOf } from '../../judge/ask-judge.ts';
import {
  type Comparison,
  COMPARISON_NAMES,
  COMPARISONS,
  PAPER_MODES,
  type PaperMode,
} from '../../../src/evaluation/report/contest.ts';
import type { Contest } from '../../judge/contest.ts';
import { addJudgeOptions, findJudges, type Judges, type JudgeRunOptions, runJudge } from '../../judge/judge-run.ts';
import { digestOf } from '../../judge/verdict-cache.ts';
import { writeReport } from '../../judge/win-rate-report.ts';
import { familyOption, readObjectives } from '../../request-options.ts';
import { parseCount } from '../../generate-options.ts';
import { listAligners, readCells } from './outputs.ts';

const COLUMNS = ['query', 'goldens', 'origin_responses', 'aligned_responses'] as const;
type Row = Record<(typeof COLUMNS)[number], string>;

interface WinRateOptions extends JudgeRunOptions {
  family: TemplateId;
  judgeModel: string[];
  paper?: PaperMode;
  repeats: number;
  json?: true;
}

export function addWinRateCommand(evaluate: Command): void {
  const collect = (value: string, previous: string[] = []) => [...previous, value];
  const command = evaluate
    .command('win-rate')
    .description('how often a judge prefers the edits; the same command goes on where it was stopped')
    .requiredOption(
      '--outputs <folder>',
      `CSV files as batch writes them, one a policy model: ${COLUMNS.join(', ')}; repeated, as NAME=FOLDER: one for each aligner`,
      collect,
    )
    .addOption(familyOption('whose prompt the judge is given').makeOptionMandatory())
    .requiredOption(
      '--judge-model <name>',
      'its name at the address, or a converted model’s folder or id; repeated: several judges, and their agreement',
      collect,
    )
    .requiredOption('--report <folder>', 'for report.html, report.json, CSV files and the judge’s replies')
    .addOption(
      new Option(
        '--paper <mode>',
        'as the paper: one call for each pair, in random order; ties count as wins (script) or losses (text)',
      ).choices(PAPER_MODES),
    )
    .option(
      '--repeats <number>',
      'calls for each question: most of them decide, and their agreement is told',
      parseCount,
      1,
    )
    .option('--json', 'print report.json');
  addJudgeOptions(command).action(run);
}

async function run(options: WinRateOptions): Promise<void> {
  const objectives = readObjectives({ ...options, promptStyle: 'bare' }, options.family);
  const models = [...new Set(options.judgeModel)];
  const judges = await findJudges(models, options);
  const contests = await planContests(options, objectives, judges);
  const calls = contests.flatMap(({ rows }) => rows.flatMap((row) => row.calls.map(({ call }) => call)));
  const { family, paper = null, repeats, seed } = options;
  const settings = { judge: judges.description, models, family, paper, repeats, seed, versions: judges.versions };
  await runJudge(calls, judges, options, (cache) =>
    writeReport(contests, cache, { folder: options.report, settings, isPrintedAsJson: options.json === true }),
  );
}

async function planContests(
  options: WinRateOptions,
  objectives: readonly Objective[],
  judges: Judges,
): Promise<Contest[]> {
  const contests: Contest[] = [];
  for (const { aligner, files } of await listAligners(options.outputs)) {
    for (const { dataset: policy, path } of files) {
      const rows: Row[] = await readCells(path, COLUMNS);
      for (const judge of new Set(options.judgeModel)) {
        for (const objective of objectives) {
          for (const comparison of comparisonsOf(options)) {
            const contest = { judge, aligner, policy, objective, comparison };
            const plan = (row: Row, index: number) => planRow(contest, row, index, options, judges);
            contests.push({ ...contest, rows: rows.map(plan) });
          }
        }
      }
    }
  }
  return contests;
}

function comparisonsOf({ paper }: WinRateOptions): Comparison[] {
  if (paper === undefined) return COMPARISON_NAMES;
  return COMPARISON_NAMES.filter((comparison) => comparison !== 'aligned-original');
}

function planRow(
  { judge, policy, objective, comparison }: Omit<Contest, 'rows'>,
  row: Row,
  index: number,
  options: WinRateOptions,
  judges: Judges,
): Contest['rows'][number] {
  const [judgedColumn, otherColumn] = COMPARISONS[comparison];
  const [judged, other] = [row[judgedColumn], row[otherColumn]];
  const texts = { query: row.query, judged, other };
  if (judged.trim() === '' || other.trim() === '') return { calls: [], ...texts };
  const callsAt = (place: Place) => {
    const pair: JudgedPair =
      place === 1
        ? { query: row.query, first: judged, second: other }
        : { query: row.query, first: other, second: judged };
    const messages = judgeMessages(options.family, objective, pair);
    // The published scripts send no settings: the server's own decide.
    const content: ChatContent = { model: judge, messages, ...(options.paper === undefined && { temperature: 0 }) };
    return Array.from({ length: options.repeats }, (_, repeat) => ({
      call: callOf(judges.addressOf(judge), content, repeat),
      place,
      repeat,
    }));
  };
  if (options.paper === undefined) return { calls: [...callsAt(1), ...callsAt(2)], ...texts };
  // From what the row is, not from a sequence: it stays the same when objectives or files are added.
  const digest = digestOf([options.seed, policy, objective.description, comparison, index]);
  return { calls: callsAt(parseInt(digest.slice(0, 8), 16) % 2 === 0 ? 1 : 2), ...texts };
}
