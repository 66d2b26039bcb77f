/**
 * Prints in one table how fast an edit is made beside what else could be picked: the same weights, device and threads, in
 * turns in one run. A ratio is the median over the repetitions of what the two took one after the other, so that a busy
 * machine slows both; its spread is the least and the most of them. Tokens per second of decoding are those after the first.
 *
 * - decode: transformers.js's generate(), the same folder and variant, Node CPU and Chromium's wasm; texts that repeat
 *   nothing, and copies
 * - drafts: our own loop that never drafts, where drafts are of no use
 * - wllama: @wllama/wllama in Chromium on the GGUF that the folder was converted from, on the same device
 * - llama-cpp: node-llama-cpp's CPU build on the same GGUF
 * - prefix: the first token of a prompt of which only the answer is another, over that of a prompt read from its start
 *
 * A replay writes given tokens whatever the model would, on both sides if the other takes them; all scores are computed, and
 * drafts verified, as ever. `per step` are our tokens per step that decided one at least. `agree` are the tokens up to the first
 * that differs: in q4 and q8 on Node ours rounds tokens beside which something is guessed in steps of two rows and more, theirs
 * all in steps of one.
 *
 * Usage: npm run bench -- [--only decode,drafts,wllama,llama-cpp,prefix] [--on cpu,wasm,webgpu] [--repetitions 3]
 *   [--new-tokens 64] [--threads 2] [--model FOLDER] [--gguf FILE]
 * Needs scripts/fetch-smollm2.sh to have run, and the network once for wllama and node-llama-cpp. WebGPU says something on a real
 * GPU alone; scripts/make-random-gguf.ts makes models of other sizes.
 */
import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type ChatTokenizer, loadTokenizer } from '../src/align/tokenizer.ts';
import type { Variant } from '../src/align/variant.ts';
import { type BenchBrowser, openBrowser } from './bench/browser.ts';
import { decodeSpeed, type Measurement, prefillSpeed, type Runner } from './bench/measurement.ts';
import { openNodeLlamaCpp, openOurs, openTransformersJs } from './bench/node.ts';
import { installWllama, versions } from './bench/peers.ts';
import { markdownTable, type Row } from './bench/table.ts';
import { corrected, published, rudeReply, story, type Text, twoAnswers, unlike } from './bench/texts.ts';

const ROOT = join(import.meta.dirname, '..');
const DEMO = join(ROOT, 'public/models/demo-aligner');
const MODELS_URL = '/bench-files/models/';
const GGUF_URL = '/bench-files/gguf/';
const USAGE =
  'Usage: npm run bench -- [--only decode,drafts,wllama,llama-cpp,prefix] [--on cpu,wasm,webgpu] [--repetitions N] ' +
  '[--new-tokens N] [--threads N] [--model FOLDER] [--gguf FILE]';

const DEVICES = ['cpu', 'wasm', 'webgpu'] as const;
type DeviceName = (typeof DEVICES)[number];
/** The fastest variant of each. The demo aligner has `q4` for a GPU. */
const VARIANT_ON: Record<DeviceName, Variant> = { cpu: 'q4', wasm: 'q8', webgpu: 'q4f16' };
const PLACE: Record<DeviceName, string> = { cpu: 'Node CPU', wasm: 'Chromium wasm', webgpu: 'Chromium WebGPU' };
const DECODE_AIM: Record<DeviceName, number> = { cpu: 1.3, wasm: 1, webgpu: 1 };
const COPY_AIM: Record<DeviceName, number> = { cpu: 2.5, wasm: 1.7, webgpu: 1.7 };
/** The drafts' cost is small beside what a busy machine changes from one generation to the next. */
const DRAFT_TURNS = 2;
const LONG_CONTEXT_TOKENS = 1000;

const PARTS = { decode, drafts, wllama, 'llama-cpp': llamaCpp, prefix } as const;
type PartName = keyof typeof PARTS;

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(PARTS).join(',') },
    on: { type: 'string', default: 'cpu,wasm' },
    repetitions: { type: 'string', default: '3' },
    'new-tokens': { type: 'string', default: '64' },
    threads: { type: 'string', default: String(availableParallelism()) },
    model: { type: 'string', default: join(ROOT, '.cache/models/smollm2-135m-instruct') },
    gguf: { type: 'string', default: join(ROOT, '.cache/smollm2/smollm2-135m-instruct.gguf') },
  },
});
const [MODEL, GGUF] = [resolve(values.model), resolve(values.gguf)];
const [repetitions, newTokens, threads] = [values.repetitions, values['new-tokens'], values.threads].map(Number) as [
  number,
  number,
  number,
];
if (![repetitions, newTokens, threads].every((count) => Number.isInteger(count) && count > 0)) usage();
const partNames = values.only.split(',').map((name) => (name in PARTS ? (name as PartName) : usage()));
const devices = values.on.split(',').map((name) => DEVICES.find((device) => device === name) ?? usage());

const rows: Row[] = [];
const startMs = performance.now();
const loadBefore = load();
let chromiumVersion: string | undefined;
for (const name of partNames) {
  console.error(`${name}, load ${load()}`);
  await PARTS[name]();
}
console.log(
  `${cpus().length} cores of ${cpus()[0]?.model.trim()}, load ${loadBefore} before and ${load()} after; ${threads} threads; ` +
    `medians of ${repetitions} turns of ${newTokens} new tokens; ${Math.round((performance.now() - startMs) / 1000)} s\n` +
    `${versions()}${chromiumVersion === undefined ? '' : `, Chromium ${chromiumVersion}`}; models ${basename(MODEL)}, ` +
    `${basename(GGUF)}, ${basename(DEMO)}\n`,
);
console.log(markdownTable(rows));

async function decode(): Promise<void> {
  for (const device of devices) {
    for (const directory of [MODEL, DEMO]) {
      const variant = variantOn(device, directory);
      await withSides(device, directory, async ({ ours, tokenizer, open }) => {
        const theirs = await open('transformers.js');
        const compare = (measure: string, text: Text, aim: number) =>
          addDecodeRow({
            measure,
            on: `${PLACE[device]} ${variant}`,
            text,
            aim,
            ours,
            theirs,
            against: 'transformers.js',
          });
        if (directory === DEMO) {
          await compare('decode, copying (demo aligner)', rudeReply(tokenizer, newTokens), COPY_AIM[device]);
          return;
        }
        await compare('decode, no overlap', unlike(tokenizer, newTokens), DECODE_AIM[device]);
        await compare('decode, no overlap', story(tokenizer, newTokens), DECODE_AIM[device]);
        await compare('decode, copying', published(tokenizer), COPY_AIM[device]);
        await compare('decode, copying', corrected(tokenizer, newTokens), COPY_AIM[device]);
      });
    }
  }
}

async function drafts(): Promise<void> {
  for (const device of devices) {
    await withSides(device, MODEL, async ({ ours, tokenizer }) => {
      const plain: Runner = { ...ours, generate: (generation) => ours.generate({ ...generation, isPlain: true }) };
      for (const text of [unlike(tokenizer, newTokens), story(tokenizer, newTokens)]) {
        await addDecodeRow({
          measure: 'worst case with drafting on',
          on: `${PLACE[device]} ${VARIANT_ON[device]}`,
          text,
          aim: 0.97,
          ours,
          theirs: plain,
          against: 'drafting off',
          turns: DRAFT_TURNS * repetitions,
        });
      }
    });
  }
}

async function wllama(): Promise<void> {
  for (const device of devices) {
    if (device === 'cpu') continue;
    installWllama();
    await withSides(device, MODEL, async ({ ours, tokenizer, open }) => {
      const theirs = await open('wllama');
      await compareGguf(`${PLACE[device]} ${VARIANT_ON[device]}, GGUF`, 'wllama', { ours, theirs }, [
        unlike(tokenizer, newTokens),
        story(tokenizer, newTokens),
      ]);
    });
  }
}

async function llamaCpp(): Promise<void> {
  if (!devices.includes('cpu')) return;
  await withSides('cpu', MODEL, async ({ ours, tokenizer }) => {
    const theirs = await openNodeLlamaCpp(GGUF, threads);
    try {
      await compareGguf('Node CPU q4, GGUF', 'node-llama-cpp', { ours, theirs }, [
        unlike(tokenizer, newTokens),
        story(tokenizer, newTokens),
      ]);
    } finally {
      await theirs.dispose();
    }
  });
}

/** wllama takes no tokens to replay; a step of its takes as long whatever it writes. */
async function compareGguf(
  on: string,
  against: string,
  { ours, theirs }: Record<'ours' | 'theirs', Runner>,
  texts: readonly Text[],
): Promise<void> {
  for (const text of texts) {
    const turns = await addDecodeRow({ measure: 'decode', on, text, aim: 1, ours, theirs, against });
    if (text.forcedIds === undefined) continue;
    addRow({
      measure: 'prefill',
      on,
      text: `${text.promptIds.length} tokens`,
      against,
      ours: turns.map((turn) => prefillSpeed(turn.ours, text.promptIds.length)),
      theirs: turns.map((turn) => prefillSpeed(turn.theirs, text.promptIds.length)),
      unit: 'tok/s',
      aim: against === 'wllama' ? { atLeast: 1 } : undefined,
    });
  }
}

async function prefix(): Promise<void> {
  for (const device of devices) {
    await withSides(device, MODEL, async ({ ours, tokenizer }) => {
      const [before, after] = twoAnswers(tokenizer, LONG_CONTEXT_TOKENS);
      const again: number[] = [];
      const whole: number[] = [];
      await ours.generate(before);
      for (let turn = 0; turn < repetitions; turn++) {
        // Each prompt is read from its start, then the other one after it.
        const [first, second] = turn % 2 === 0 ? [after, before] : [before, after];
        whole.push((await ours.generate(first)).firstTokenMs);
        again.push((await ours.generate({ ...second, isAgain: true })).firstTokenMs);
      }
      addRow({
        measure: 're-align, first token',
        on: `${PLACE[device]} ${VARIANT_ON[device]}`,
        text: `${before.name}, ${before.promptIds.length} tokens`,
        against: 'the whole prompt',
        ours: again,
        theirs: whole,
        unit: 'ms',
        aim: { atMost: 0.4 },
      });
    });
  }
}

interface Turn {
  ours: Measurement;
  theirs: Measurement;
}

interface DecodeComparison {
  measure: string;
  on: string;
  text: Text;
  aim: number;
  ours: Runner;
  theirs: Runner;
  against: string;
  turns?: number;
}

async function addDecodeRow(comparison: DecodeComparison): Promise<Turn[]> {
  const { measure, on, text, aim, ours, theirs, against } = comparison;
  const turns: Turn[] = [];
  // The first turn warms both up.
  for (let turn = 0; turn <= (comparison.turns ?? repetitions); turn++) {
    const isOursFirst = turn % 2 === 0;
    const first = await (isOursFirst ? ours : theirs).generate(text);
    const second = await (isOursFirst ? theirs : ours).generate(text);
    if (turn > 0) turns.push(isOursFirst ? { ours: first, theirs: second } : { ours: second, theirs: first });
  }
  const perStep = turns.map(({ ours: { tokenIds, steps } }) => (tokenIds.length - 1) / (steps ?? NaN));
  // wllama gives texts.
  const isReplay = text.forcedIds !== undefined;
  const canAgree = !isReplay && turns.every((turn) => turn.theirs.tokenIds[0] !== -1);
  addRow({
    measure,
    on,
    text: text.name,
    against,
    ours: turns.map((turn) => decodeSpeed(turn.ours)),
    theirs: turns.map((turn) => decodeSpeed(turn.theirs)),
    unit: 'tok/s',
    aim: { atLeast: aim },
    tokensPerStep: perStep.reduce((sum, value) => sum + value, 0) / perStep.length,
    agree: canAgree ? agreement(turns) : undefined,
  });
  return turns;
}

function agreement(turns: readonly Turn[]): [number, number] {
  const same = turns.map(({ ours: { tokenIds }, theirs: { tokenIds: others } }) => {
    const differs = tokenIds.findIndex((id, i) => id !== others[i]);
    return differs < 0 ? tokenIds.length : differs;
  });
  return [Math.min(...same), turns[0]?.ours.tokenIds.length ?? 0];
}

function addRow(row: Row): void {
  rows.push(row);
  console.error(markdownTable([row]).split('\n')[2]);
}

interface Sides {
  ours: Runner;
  tokenizer: ChatTokenizer;
  open: (peer: 'transformers.js' | 'wllama') => Promise<Runner>;
}

/** Opens ours on a device, and others beside it; closes all of them. */
async function withSides(device: DeviceName, directory: string, use: (sides: Sides) => Promise<void>): Promise<void> {
  const subject = { directory, variant: variantOn(device, directory), threads };
  const opened: Runner[] = [];
  let browser: BenchBrowser | undefined;
  try {
    if (device === 'cpu') {
      const ours = await openOurs(subject);
      opened.push(ours);
      const open = async () => {
        const theirs = await openTransformersJs(subject);
        opened.push(theirs);
        return theirs;
      };
      await use({ ours, tokenizer: ours.tokenizer, open });
      return;
    }
    browser = await openBrowser({ [MODELS_URL]: dirname(directory), [GGUF_URL]: dirname(GGUF) });
    chromiumVersion = browser.version;
    const folder = { ...subject, device, modelUrl: `${MODELS_URL}${basename(directory)}/` };
    const file = { ...subject, device, modelUrl: `${GGUF_URL}${basename(GGUF)}` };
    const { open } = browser;
    await use({
      ours: await open('ours', folder),
      tokenizer: await openTokenizer(directory),
      open: (peer) => open(peer, peer === 'wllama' ? file : folder),
    });
  } finally {
    for (const runner of opened) await runner.dispose();
    await browser?.close();
  }
}

function variantOn(device: DeviceName, directory: string): Variant {
  return device === 'webgpu' && directory === DEMO ? 'q4' : VARIANT_ON[device];
}

async function openTokenizer(directory: string): Promise<ChatTokenizer> {
  const read = async (name: string): Promise<unknown> => JSON.parse(await readFile(join(directory, name), 'utf8'));
  return loadTokenizer(await read('tokenizer.json'), await read('tokenizer_config.json'));
}

function load(): string {
  return loadavg()[0]?.toFixed(1) ?? '';
}

function usage(): never {
  console.error(USAGE);
  process.exit(2);
}
