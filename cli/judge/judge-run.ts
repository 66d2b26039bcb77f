import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { ENDPOINT_HELP, readApiKey } from '../api-key.ts';
import { parseCount } from '../generate-options.ts';
import { type Variant, VARIANTS } from '../../src/align/variant.ts';
import type { ModelFolder } from '../../src/weights/node-model-folders.ts';
import { findModel } from '../model-lookup.ts';
import { dependencyVersion, packageVersion } from '../package-version.ts';
import type { RequestOptions } from '../request-options.ts';
import { interruptSignal, note, ProgressLine } from '../terminal.ts';
import { EXIT, UsageError } from '../usage-error.ts';
import { askJudge, costOf, estimateTokens, type JudgeCall, type Prices } from './ask-judge.ts';
import { endpointJudge, type Judge, localAddress, type LocalJudgeOptions, startLocalJudge } from './judge.ts';
import { VerdictCache } from './verdict-cache.ts';

/** The cache's name in the report's folder. */
const CACHE_NAME = 'verdicts.jsonl';

/** What the commands with a judge share. */
export interface JudgeRunOptions extends Pick<RequestOptions, 'objectives' | 'objective'> {
  outputs: string[];
  judge?: string;
  variant?: Variant;
  threads?: number;
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
    .option('--judge <url>', `${ENDPOINT_HELP}; without it a converted model on this machine judges`)
    .addOption(new Option('--variant <variant>', 'of a judge on this machine').choices(VARIANTS))
    .option('--threads <number>', 'of a judge on this machine; by default one for each core', parseCount)
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

/** The judges of a run, found but not loaded. */
export interface Judges {
  /** For the report: the address, or that it is this machine. */
  description: string;
  /** What a model's replies depend on beside the question. */
  addressOf: (model: string) => string;
  versions: Record<string, string>;
  /** By name; empty where they are behind an address. */
  folders: ReadonlyMap<string, ModelFolder>;
}

/** @throws UsageError for an address that is none; AlignError `unknown-name` for a model that is not here */
export async function findJudges(models: readonly string[], options: JudgeRunOptions): Promise<Judges> {
  const { judge } = options;
  const versions = { metaaligner: packageVersion(), 'Node.js': process.versions.node };
  if (judge !== undefined) {
    if (!URL.canParse(judge)) throw new UsageError(`--judge ${judge} is no address.`);
    return { description: judge, addressOf: () => judge, versions, folders: new Map() };
  }
  const folders = new Map<string, ModelFolder>();
  for (const model of models) folders.set(model, await findModel(model));
  return {
    description: 'this machine',
    addressOf: (model) => localAddress(folders.get(model)!, localOptionsOf(options)),
    versions: { ...versions, 'onnxruntime-node': dependencyVersion('onnxruntime-node') },
    folders,
  };
}

function localOptionsOf({ variant, threads, concurrency }: JudgeRunOptions): LocalJudgeOptions {
  return { concurrency, ...(variant !== undefined && { variant }), ...(threads !== undefined && { threads }) };
}

/**
 * Makes the calls that the cache lacks, within the caps, then the report.
 *
 * @throws UsageError when the run would take more than the caps allow; AlignError as {@link askJudge}
 */
export async function runJudge(
  calls: readonly JudgeCall[],
  judges: Judges,
  options: JudgeRunOptions,
  report: (cache: VerdictCache) => Promise<void>,
): Promise<void> {
  if (options.maxCost !== undefined && options.price === undefined) {
    throw new UsageError('--max-cost needs --price PROMPT,REPLY: what a million tokens cost is not known here.');
  }
  if (options.outputs.some((folder) => resolve(options.report) === resolve(folder))) {
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
    await askAll([...missing.values()], judges, cache, options, signal);
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
  { folders }: Judges,
  cache: VerdictCache,
  options: JudgeRunOptions,
  signal: AbortSignal,
): Promise<void> {
  const { judge: url, concurrency, price, maxCost } = options;
  const progress = new ProgressLine();
  let [before, failed] = [0, 0];
  const ask = async (judge: Judge, some: readonly JudgeCall[]) => {
    const share = (done: number) => (before + done) / calls.length;
    const onProgress = (done: number) => progress.show('judging', share(done), `${before + done} of ${calls.length}`);
    try {
      failed += await askJudge(some, { judge, cache, concurrency, prices: price, maxCost, signal, onProgress });
    } finally {
      await judge.dispose();
    }
    before += some.length;
  };
  try {
    if (url !== undefined) {
      await ask(endpointJudge(url, readApiKey()), calls);
    }
    // One model in memory at a time.
    for (const [model, folder] of folders) {
      const own = calls.filter(({ content }) => content.model === model);
      if (own.length > 0) await ask(await startLocalJudge(folder, localOptionsOf(options), signal), own);
    }
  } finally {
    progress.end();
  }
  if (failed > 0) note(`${failed} calls failed; their rows are invalid. The same command asks again.`);
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
