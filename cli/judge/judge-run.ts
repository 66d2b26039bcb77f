import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { parseCount } from '../generate-options.ts';
import type { RequestOptions } from '../request-options.ts';
import { interruptSignal, note, ProgressLine } from '../terminal.ts';
import { EXIT, UsageError } from '../usage-error.ts';
import { askJudge, costOf, estimateTokens, type JudgeCall, type Prices } from './ask-judge.ts';
import { VerdictCache } from './verdict-cache.ts';

/** The variables that hold the judge's key, so that it stands in no shell history. */
const KEY_VARIABLES = ['METAALIGNER_API_KEY', 'OPENAI_API_KEY'];
/** The cache's name in the report's folder. */
const CACHE_NAME = 'verdicts.jsonl';

/** What the commands with a judge share. */
export interface JudgeRunOptions extends Pick<RequestOptions, 'objectives' | 'objective'> {
  outputs: string;
  judge: string;
  report: string;
  cache?: string;
  seed: number;
  concurrency: number;
  maxCalls?: number;
  price?: Prices;
  maxCost?: number;
  estimate?: true;
}

export function addJudgeOptions(command: Command): Command {
  const collect = (value: string, previous: string[] = []) => [...previous, value];
  return command
    .option('--objectives <keys>', 'comma-separated; the judge considers one at a time')
    .option('--objective <text>', 'one in your own words, "Name: description"; may be repeated', collect)
    .requiredOption(
      '--judge <url>',
      `OpenAI-compatible, as http://127.0.0.1:8000/v1; key in ${KEY_VARIABLES.join(' or ')}`,
    )
    .option(
      '--cache <file>',
      `for the judge’s replies, by default ${CACHE_NAME} beside the report; reports may share it`,
    )
    .option('--seed <number>', 'of random orders and the bootstrap', parseSeed, 0)
    .option('--concurrency <number>', 'calls at a time', parseCount, 8)
    .option('--estimate', 'say how many calls, tokens and dollars it takes, and send nothing')
    .option('--price <prompt,reply>', 'US dollars for a million tokens, as 10,30', parsePrices)
    .option('--max-calls <number>', 'start nothing that takes more calls', parseCount)
    .option('--max-cost <dollars>', 'start nothing that is estimated to cost more, and stop when it has', parseDollars);
}

/**
 * Makes the calls that the cache lacks, within the caps, then the report.
 *
 * @throws UsageError when the run would take more than the caps allow; AlignError as {@link askJudge}
 */
export async function runJudge(
  calls: readonly JudgeCall[],
  options: JudgeRunOptions,
  report: (cache: VerdictCache) => Promise<void>,
): Promise<void> {
  if (!URL.canParse(options.judge)) throw new UsageError(`--judge ${options.judge} is no address.`);
  if (options.maxCost !== undefined && options.price === undefined) {
    throw new UsageError('--max-cost needs --price PROMPT,REPLY: what a million tokens cost is not known here.');
  }
  if (resolve(options.report) === resolve(options.outputs)) {
    throw new UsageError('--report is the folder of --outputs: its CSV files would be read as outputs next time.');
  }
  await mkdir(options.report, { recursive: true });
  const cache = await VerdictCache.open(options.cache ?? join(options.report, CACHE_NAME));
  const signal = interruptSignal();
  try {
    // Each once, however many rows ask it.
    const missing = new Map(calls.filter(({ key }) => cache.get(key) === undefined).map((call) => [call.key, call]));
    checkCaps([...missing.values()], options);
    if (options.estimate) return;
    await askAll([...missing.values()], cache, options, signal);
    await report(cache);
  } catch (error) {
    if (!signal.aborted) throw error;
    note('Interrupted. Run the same command to go on.');
    process.exitCode = EXIT.interrupted;
  } finally {
    await cache.close();
  }
}

/** Says what the run takes. @throws UsageError when that is more than the caps allow */
function checkCaps(calls: readonly JudgeCall[], { maxCalls, maxCost, price }: JudgeRunOptions): void {
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
  { judge, concurrency, price, maxCost }: JudgeRunOptions,
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
