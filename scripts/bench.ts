/**
 * Prints how fast our decode loop is beside transformers.js's generate(): the same converted folder, variant, device,
 * threads and prompt, in turns in one run. A ratio above 1 is ours being faster; it is the median over the repetitions
 * of what the two took one after the other, so that a busy machine slows both. `free` is a prompt of random tokens, of which
 * the text repeats next to nothing; `copy` is one that repeats itself, which the text goes on with, so that drafts are
 * right. `agree` are the tokens up to the first that differs: in q4 and q8 ours rounds in steps of two rows, as a prompt
 * is read, and theirs in steps of one. The last column is ours alone: the time to the first token when only the last
 * quarter of the prompt changed, over that of the whole prompt.
 *
 * Usage: npm run bench:decode -- [--model .cache/models/smollm2-135m-instruct] [--on cpu:q4,wasm:q8]
 *   [--prompt-tokens 256] [--new-tokens 64] [--repetitions 5] [--threads 2]
 */
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { env } from '@huggingface/transformers';
import { chromium } from '@playwright/test';
import { createServer, type Plugin } from 'vite';
import { loadTokenizer } from '../src/align/tokenizer.ts';
import { type Variant, VARIANTS } from '../src/align/variant.ts';
import { NODE_SUPPORT } from '../src/engines/choose-variant.ts';
import { loadModel } from '../src/engines/load-model.ts';
import { startNodeEngine } from '../src/engines/node-engine.ts';
import { isInsidePath } from '../src/convert/parse-manifest.ts';
import { openNodeFolder } from '../src/weights/node-folder.ts';
import { type Measurement, median, type Runner, speedOf } from './bench-decode/measurement.ts';
import { ourRunner, transformersJsRunner } from './bench-decode/runners.ts';
import playwrightConfig from '../playwright.config.ts';

const USAGE =
  'Usage: npm run bench:decode -- [--model FOLDER] [--on cpu:q4,wasm:q8] [--prompt-tokens N] [--new-tokens N] ' +
  '[--repetitions N] [--threads N]';

/** A long enough text of no one in particular; the prompt is its first tokens, over and over. */
const TEXT =
  'Human: Can you help me plan a small garden? I have a balcony that faces south, four pots and about an hour a week. ' +
  'Assistant: With that much sun, herbs and cherry tomatoes do well. Water them in the morning, and turn the pots once ' +
  'a week so that they grow evenly. Human: What should I plant first, and what can wait until the summer? Assistant: ';

interface Subject {
  device: 'cpu' | 'wasm';
  variant: Variant;
}

interface Pair {
  ours: Runner;
  theirs: Runner;
}

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: '.cache/models/smollm2-135m-instruct' },
    on: { type: 'string', default: 'cpu:q4,wasm:q8' },
    'prompt-tokens': { type: 'string', default: '256' },
    'new-tokens': { type: 'string', default: '64' },
    repetitions: { type: 'string', default: '5' },
    threads: { type: 'string', default: String(availableParallelism()) },
  },
});
const subjects = values.on.split(',').map(parseSubject);
const [promptTokens, newTokens, repetitions, threads] = [
  values['prompt-tokens'],
  values['new-tokens'],
  values.repetitions,
  values.threads,
].map(Number) as [number, number, number, number];
if (![promptTokens, newTokens, repetitions, threads].every((count) => Number.isInteger(count) && count > 0)) usage();

const directory = resolve(values.model);
const prompts = { free: await randomPrompt(), copy: await readPrompt() };
const promptIds = prompts.copy;
console.log(
  `${basename(directory)}, prompt of ${promptIds.length} tokens, ${newTokens} new tokens, ${threads} threads; ` +
    `medians of ${repetitions} turns\n${cpus().length} cores of ${cpus()[0]?.model.trim()}, load ` +
    `${loadavg()[0]?.toFixed(1)}; ${await versions()}\n`,
);
console.log(row('', 'prefill tok/s', '', '', 'decode tok/s', '', '', 'whole', 'agree', 'answer'));
console.log(row('', 'ours', 'theirs', 'ratio', 'ours', 'theirs', 'ratio', 'ratio', '', 'changed'));
for (const subject of subjects) {
  const { pair, close } = await (subject.device === 'cpu' ? openNode(subject) : openBrowser(subject));
  try {
    for (const [text, ids] of Object.entries(prompts))
      await compare(`${subject.device} ${subject.variant} ${text}`, ids, pair);
  } finally {
    await close();
  }
}

async function compare(name: string, ids: readonly number[], { ours, theirs }: Pair): Promise<void> {
  const turns: { ours: Measurement; theirs: Measurement }[] = [];
  // The first turn warms both up.
  for (let turn = 0; turn <= repetitions; turn++) {
    const isOursFirst = turn % 2 === 0;
    const first = await (isOursFirst ? ours : theirs).generate(ids, newTokens);
    const second = await (isOursFirst ? theirs : ours).generate(ids, newTokens);
    if (turn > 0) turns.push(isOursFirst ? { ours: first, theirs: second } : { ours: second, theirs: first });
  }
  const speeds = turns.map((turn) => ({
    ours: speedOf(turn.ours, ids.length),
    theirs: speedOf(turn.theirs, ids.length),
  }));
  const figures = (name: 'prefillTokensPerSecond' | 'decodeTokensPerSecond') => [
    median(speeds.map((speed) => speed.ours[name])).toFixed(1),
    median(speeds.map((speed) => speed.theirs[name])).toFixed(1),
    median(speeds.map((speed) => speed.ours[name] / speed.theirs[name])).toFixed(2),
  ];
  const wholeRatio = median(turns.map((turn) => turn.theirs.totalMs / turn.ours.totalMs)).toFixed(2);
  const agreeing = turns.map(({ ours: { tokenIds }, theirs: { tokenIds: others } }) => {
    const differs = tokenIds.findIndex((id, i) => id !== others[i]);
    return differs < 0 ? tokenIds.length : differs;
  });
  console.log(
    row(
      name,
      ...figures('prefillTokensPerSecond'),
      ...figures('decodeTokensPerSecond'),
      wholeRatio,
      String(Math.min(...agreeing)),
      (await againRatio(ours)).toFixed(2),
    ),
  );
}

/** Time to the first token when the last quarter of the prompt changed, over that of the whole prompt. */
async function againRatio(ours: Runner): Promise<number> {
  const kept = Math.floor(promptIds.length * 0.75);
  const changed = [...promptIds.slice(0, kept), ...promptIds.slice(kept).reverse()];
  const ratios: number[] = [];
  for (let turn = 0; turn < repetitions; turn++) {
    const whole = await ours.generate(promptIds, 1);
    const again = await ours.generate(changed, 1, true);
    ratios.push(again.firstTokenMs / whole.firstTokenMs);
  }
  return median(ratios);
}

async function openNode({ variant }: Subject): Promise<{ pair: Pair; close: () => Promise<void> }> {
  const { model } = await loadModel(await openNodeFolder(directory), {
    support: NODE_SUPPORT,
    wish: { device: 'cpu', variant },
    startEngine: startNodeEngine({ directory, threads }),
  });
  env.allowRemoteModels = false;
  env.localModelPath = dirname(directory);
  const ours = ourRunner(model.engine);
  const theirs = await transformersJsRunner(basename(directory), variant, 'cpu', threads);
  return {
    pair: { ours, theirs },
    close: async () => {
      await ours.dispose();
      await theirs.dispose();
    },
  };
}

async function openBrowser({ variant }: Subject): Promise<{ pair: Pair; close: () => Promise<void> }> {
  const server = await createServer({
    logLevel: 'error',
    server: { port: 0, hmr: false, watch: null },
    plugins: [modelFiles()],
  });
  await server.listen();
  const browser = await chromium.launch(playwrightConfig.use?.launchOptions ?? {});
  const page = await browser.newPage();
  const address = server.resolvedUrls?.local[0] ?? '';
  await page.goto(`${address}scripts/bench-decode/page.html`);
  await page.waitForFunction(() => 'bench' in window);
  const options = { modelUrl: `${address}bench-model/${basename(directory)}/`, variant, threads };
  const runner = async (who: 'ours' | 'theirs'): Promise<Runner> => {
    await page.evaluate(([each, load]) => window.bench[each].load(load), [who, options] as const);
    return {
      generate: (ids, count, isAgain = false) =>
        page.evaluate(([each, ...args]) => window.bench[each].generate(...args), [who, ids, count, isAgain] as const),
      dispose: async () => {},
    };
  };
  return {
    pair: { ours: await runner('ours'), theirs: await runner('theirs') },
    close: async () => {
      await browser.close();
      await server.close();
    },
  };
}

/** The measured folder, under an address that both sides read. */
function modelFiles(): Plugin {
  return {
    name: 'bench-model',
    configureServer(server) {
      server.middlewares.use(`/bench-model/${basename(directory)}/`, (request, response) => {
        const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname.slice(1));
        const file = join(directory, path);
        stat(isInsidePath(path) ? file : '').then(
          ({ size }) => {
            response.setHeader('content-length', size);
            createReadStream(file).pipe(response);
          },
          () => {
            response.statusCode = 404;
            response.end();
          },
        );
      });
    },
  };
}

async function readPrompt(): Promise<number[]> {
  const read = async (name: string) => JSON.parse(await readFile(join(directory, name), 'utf8')) as unknown;
  const tokenizer = loadTokenizer(await read('tokenizer.json'), await read('tokenizer_config.json'));
  return [...tokenizer.encode(TEXT.repeat(Math.ceil(promptTokens / 50))).subarray(0, promptTokens)];
}

/** The same at every run; no special tokens. */
async function randomPrompt(): Promise<number[]> {
  const config = JSON.parse(await readFile(join(directory, 'config.json'), 'utf8')) as { vocab_size: number };
  let state = 1;
  return Array.from({ length: promptTokens }, () => {
    state = (state * 48271) % 0x7fffffff;
    return 1000 + (state % (config.vocab_size - 1000));
  });
}

async function versions(): Promise<string> {
  const names = ['onnxruntime-node', 'onnxruntime-web', '@huggingface/transformers'];
  const found = names.map(async (name) => {
    const path = join(import.meta.dirname, '../node_modules', name, 'package.json');
    return `${name} ${(JSON.parse(await readFile(path, 'utf8')) as { version: string }).version}`;
  });
  return [`Node ${process.version}`, ...(await Promise.all(found))].join(', ');
}

function parseSubject(text: string): Subject {
  const [device, name] = text.split(':');
  const variant = VARIANTS.find((each) => each === name);
  if ((device !== 'cpu' && device !== 'wasm') || variant === undefined) return usage();
  return { device, variant };
}

function usage(): never {
  console.error(USAGE);
  process.exit(2);
}

function row(...cells: string[]): string {
  return cells.map((cell, i) => (i === 0 ? cell.padEnd(16) : cell.padStart(9))).join(' ');
}
