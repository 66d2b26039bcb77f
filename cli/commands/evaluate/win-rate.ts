import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Objective } from '../../../src/align/objectives.ts';
import type { TemplateId } from '../../../src/align/prompt.ts';
import type { ChatContent } from '../../../src/batch/chat-endpoint.ts';
import { type JudgedPair, judgeMessages, type Place } from '../../../src/evaluation/judge-prompt.ts';
import { askJudge, callOf, costOf, estimateTokens, type JudgeCall, type Prices } from '../../judge/ask-judge.ts';
import { type Comparison, COMPARISONS, type Contest, PAPER_MODES, type PaperMode } from '../../judge/contest.ts';
import { digestOf, VerdictCache } from '../../judge/verdict-cache.ts';
import { writeReport } from '../../judge/win-rate-report.ts';
import { parseCount } from '../../generate-options.ts';
import { familyOption, readObjectives, type RequestOptions } from '../../request-options.ts';
import { interruptSignal, note, ProgressLine } from '../../terminal.ts';
import { EXIT, UsageError } from '../../usage-error.ts';
import { listOutputs, readCells } from './outputs.ts';

/** The variables that hold the judge's key, so that it stands in no shell history. */
const KEY_VARIABLES = ['METAALIGNER_API_KEY', 'OPENAI_API_KEY'];

const COLUMNS = ['query', 'goldens', 'origin_responses', 'aligned_responses'] as const;
type Row = Record<(typeof COLUMNS)[number], string>;

/** The cache's name in the report's folder. */
const CACHE_NAME = 'verdicts.jsonl';

interface WinRateOptions extends Pick<RequestOptions, 'objectives' | 'objective'> {
  outputs: string;
  family: TemplateId;
  judge: string;
  judgeModel: string[];
  paper?: PaperMode;
  report: string;
  cache?: string;
  seed: number;
  concurrency: number;
  maxCalls?: number;
  price?: Prices;
  maxCost?: number;
  estimate?: true;
  json?: true;
}

export function addWinRateCommand(evaluate: Command): void {
  const collect = (value: string, previous: string[] = []) => [...previous, value];
  evaluate
    .command('win-rate')
    .description('how often a judge prefers the edits; the same command goes on where it was stopped')
    .requiredOption('--outputs <folder>', `CSV files as batch writes them, one a policy model: ${COLUMNS.join(', ')}`)
    .addOption(familyOption('whose prompt the judge is given').makeOptionMandatory())
    .option('--objectives <keys>', 'comma-separated; the judge considers one at a time')
    .option('--objective <text>', 'one in your own words, "Name: description"; may be repeated', collect)
    .requiredOption(
      '--judge <url>',
      `OpenAI-compatible, as http://127.0.0.1:8000/v1; key in ${KEY_VARIABLES.join(' or ')}`,
    )
    .requiredOption('--judge-model <name>', 'its name there; repeated: several judges, and their agreement', collect)
    .addOption(
      new Option(
        '--paper <mode>',
        'as the paper: one call for each pair, in random order; ties count as wins (script) or losses (text)',
      ).choices(PAPER_MODES),
    )
    .requiredOption(
      '--report <folder>',
      `for report.html, report.json, rates.csv and the judge’s replies, ${CACHE_NAME}`,
    )
    .option('--cache <file>', 'for the replies instead, so that several reports share them')
    .option('--seed <number>', 'of the random order and the bootstrap', parseSeed, 0)
    .option('--concurrency <number>', 'calls at a time', parseCount, 8)
    .option('--estimate', 'say how many calls, tokens and dollars it takes, and send nothing')
    .option('--price <prompt,reply>', 'US dollars for a million tokens, as 10,30', parsePrices)
    .option('--max-calls <number>', 'start nothing that takes more calls', parseCount)
    .option('--max-cost <dollars>', 'start nothing that is estimated to cost more, and stop when it has', parseDollars)
    .option('--json', 'print report.json')
    .action(run);
}

async function run(options: WinRateOptions): Promise<void> {
  if (!URL.canParse(options.judge)) throw new UsageError(`--judge ${options.judge} is no address.`);
  if (options.maxCost !== undefined && options.price === undefined) {
    throw new UsageError('--max-cost needs --price PROMPT,REPLY: what a million tokens cost is not known here.');
  }
  const objectives = readObjectives({ ...options, promptStyle: 'bare' }, options.family);
  const contests = await planContests(options, objectives);
  await mkdir(options.report, { recursive: true });
  const cache = await VerdictCache.open(options.cache ?? join(options.report, CACHE_NAME));
  const signal = interruptSignal();
  try {
    const calls = missingCalls(contests, cache);
    checkCaps(calls, options);
    if (options.estimate) return;
    await askAll(calls, cache, options, signal);
    await writeReport(contests, cache, {
      folder: options.report,
      settings: {
        judge: options.judge,
        models: [...new Set(options.judgeModel)],
        family: options.family,
        paper: options.paper ?? null,
        seed: options.seed,
      },
      isPrintedAsJson: options.json === true,
    });
  } catch (error) {
    if (!signal.aborted) throw error;
    note('Interrupted. Run the same command to go on.');
    process.exitCode = EXIT.interrupted;
  } finally {
    await cache.close();
  }
}

async function planContests(options: WinRateOptions, objectives: readonly Objective[]): Promise<Contest[]> {
  const contests: Contest[] = [];
  for (const { dataset: policy, path } of await listOutputs(options.outputs)) {
    const rows: Row[] = await readCells(path, COLUMNS);
    for (const judge of new Set(options.judgeModel)) {
      for (const objective of objectives) {
        for (const comparison of comparisonsOf(options)) {
          const plan = (row: Row, index: number) =>
            planRow({ judge, policy, objective, comparison }, row, index, options);
          contests.push({ judge, policy, objective, comparison, rows: rows.map(plan) });
        }
      }
    }
  }
  return contests;
}

function comparisonsOf({ paper }: WinRateOptions): Comparison[] {
  const all = Object.keys(COMPARISONS) as Comparison[];
  return paper === undefined ? all : all.filter((comparison) => comparison !== 'aligned-original');
}

function planRow(
  { judge, policy, objective, comparison }: Omit<Contest, 'rows'>,
  row: Row,
  index: number,
  options: WinRateOptions,
): Contest['rows'][number] {
  const [judgedColumn, otherColumn] = COMPARISONS[comparison];
  const [judged, other] = [row[judgedColumn], row[otherColumn]];
  const texts = { query: row.query, judged, other };
  if (judged.trim() === '' || other.trim() === '') return { calls: [], ...texts };
  const callAt = (place: Place) => {
    const pair: JudgedPair =
      place === 1
        ? { query: row.query, first: judged, second: other }
        : { query: row.query, first: other, second: judged };
    const messages = judgeMessages(options.family, objective, pair);
    // The published scripts send no settings: the server's own decide.
    const content: ChatContent = { model: judge, messages, ...(options.paper === undefined && { temperature: 0 }) };
    return { call: callOf(options.judge, content), place };
  };
  if (options.paper === undefined) return { calls: [callAt(1), callAt(2)], ...texts };
  // From what the row is, not from a sequence: it stays the same when objectives or files are added.
  const digest = digestOf([options.seed, policy, objective.description, comparison, index]);
  return { calls: [callAt(parseInt(digest.slice(0, 8), 16) % 2 === 0 ? 1 : 2)], ...texts };
}

/** Each once, however many rows ask it. */
function missingCalls(contests: readonly Contest[], cache: VerdictCache): JudgeCall[] {
  const missing = new Map<string, JudgeCall>();
  for (const { rows } of contests) {
    for (const { call } of rows.flatMap(({ calls }) => calls)) {
      if (cache.get(call.key) === undefined) missing.set(call.key, call);
    }
  }
  return [...missing.values()];
}

/** Says what the run takes. @throws UsageError when that is more than the caps allow */
function checkCaps(calls: readonly JudgeCall[], { maxCalls, maxCost, price }: WinRateOptions): void {
  const tokens = estimateTokens(calls);
  const cost = price === undefined ? undefined : costOf(tokens, price);
  const shownCost = cost === undefined ? '' : `, about $${cost.toFixed(2)}`;
  note(`${calls.length} calls to make, about ${tokens.promptTokens + tokens.replyTokens} tokens${shownCost}.`);
  if (maxCalls !== undefined && calls.length > maxCalls) {
    throw new UsageError(`${calls.length} calls are more than --max-calls ${maxCalls}. Nothing was sent.`);
  }
  if (maxCost !== undefined && cost !== undefined && cost > maxCost) {
    throw new UsageError(`About $${cost.toFixed(2)} is more than --max-cost ${maxCost}. Nothing was sent.`);
  }
}

async function askAll(
  calls: readonly JudgeCall[],
  cache: VerdictCache,
  { judge, concurrency, price, maxCost }: WinRateOptions,
  signal: AbortSignal,
): Promise<void> {
  const apiKey = KEY_VARIABLES.map((name) => process.env[name]).find((key) => key !== undefined && key !== '');
  const progress = new ProgressLine();
  try {
    const failed = await askJudge(calls, {
      endpoint: { url: judge, apiKey },
      cache,
      concurrency,
      prices: price,
      maxCost,
      signal,
      onProgress: (done) => progress.show('judging', done / calls.length, `${done} of ${calls.length}`),
    });
    if (failed > 0) note(`${failed} calls failed; their rows are invalid. The same command asks again.`);
  } finally {
    progress.end();
  }
}

function parseSeed(text: string): number {
  const seed = Number(text);
  if (text.trim() === '' || !Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
    throw new InvalidArgumentError('It must be a whole number from 0 to 4294967295.');
  }
  return seed;
}

function parsePrices(text: string): Prices {
  const parts = text.split(',');
  if (parts.length !== 2) throw new InvalidArgumentError('It must be two prices, as 10,30.');
  return { prompt: parseDollars(parts[0]!), reply: parseDollars(parts[1]!) };
}

function parseDollars(text: string): number {
  const dollars = Number(text);
  if (text.trim() === '' || !(dollars >= 0 && dollars < Infinity))
    throw new InvalidArgumentError('It must be dollars.');
  return dollars;
}
