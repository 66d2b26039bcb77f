/**
 * Prints what each way of storing the weights costs: how often the next token is fp32's, on the real weights of
 * SmolLM2-135M-Instruct (tied embedding; scripts/fetch-smollm2.sh) and the prompts of real HH-RLHF rows.
 *
 * fp32 continues every prompt greedily; each format then scores the same tokens. `same` is the share of positions
 * where its best token is fp32's, `run` the number of tokens before its own greedy text would part from fp32's, `KL` the
 * divergence of its distribution from fp32's in nats: each the mean over the rows ± its standard error. Times are the
 * best of twelve steps on this machine's CPU and mean little while other work runs.
 *
 * The file stores Q8_0 and Q4_1 blocks, which our blocks would meet on their own grid. So the channels are first put
 * in another order, which leaves the model as it is and mixes the blocks: see {@link reorderChannels}.
 *
 * Usage: npm run measure:quantization -- [--gguf FILE] [--rows 32] [--tokens 32]   (METAALIGNER_DATA: the data sets)
 */
import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from 'csv-parse/sync';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { findObjective } from '../src/align/objectives.ts';
import { buildPrompt } from '../src/align/prompt.ts';
import { loadTokenizer } from '../src/align/tokenizer.ts';
import type { Checkpoint, CheckpointTensor } from '../src/convert/checkpoint/checkpoint.ts';
import { openGgufFile } from '../src/convert/checkpoint/open-checkpoint.ts';
import { convertCheckpoint } from '../src/convert/convert.ts';
import { VARIANT_FILE_NAMES } from '../src/convert/write-graphs.ts';
import type { LlamaConfig } from '../src/convert/llama-config.ts';
import { VARIANT_FORMATS, type VariantFormat } from '../src/convert/onnx/weight-format.ts';
import { createNodeTarget, openNodeFile } from '../src/weights/node-folder.ts';

const ROOT = join(import.meta.dirname, '..');
const OUTPUT = join(ROOT, '.cache/measure-quantization');
const DATA = process.env.METAALIGNER_DATA ?? join(ROOT, '../shared/data');
/** Longer rows are passed over, so that a run takes minutes. */
const MAX_PROMPT_TOKENS = 320;

const { values: options } = parseArgs({
  options: {
    gguf: {
      type: 'string',
      default: process.env.SMOLLM2_GGUF ?? join(ROOT, '.cache/smollm2/smollm2-135m-instruct.gguf'),
    },
    rows: { type: 'string', default: '32' },
    tokens: { type: 'string', default: '32' },
  },
});

const { q4, q4f16, q8, fp32, fp16 } = VARIANT_FORMATS;
/** The variants as they are; q4's linear layers with float activations; then float layers with one part quantized. */
const CANDIDATES: readonly (readonly [name: string, format: VariantFormat])[] = [
  ['fp16', fp16],
  ['q8', q8],
  ['q4', q4],
  ['q4f16', q4f16],
  ['q4, float activations in the layers', { ...q4, accuracy: { linear: 0, head: 4 } }],
  ['fp32, 4-bit table', { ...fp32, embedding: 'blocks4' }],
  ['fp32, 8-bit table', { ...fp32, embedding: 'blocks8' }],
  ['fp32, 4-bit head', { ...fp32, head: 'blocks4' }],
  ['fp32, 8-bit head', { ...fp32, head: 'blocks8' }],
  ['fp32, 4-bit layers', { ...fp32, linear: 'blocks4' }],
];

if (!existsSync(options.gguf) || !existsSync(DATA)) {
  console.error(`${existsSync(options.gguf) ? DATA : options.gguf} is not there; see the head of this script.`);
  process.exit(2);
}
const checkpoint = reorderChannels(await openGgufFile(await openNodeFile(options.gguf)));
const { config } = checkpoint;
const prompts = readPrompts(checkpoint, Number(options.rows));
const newTokens = Number(options.tokens);

const reference = await prepare('fp32', fp32);
const texts: Continuation[] = [];
for (const prompt of prompts) texts.push(await continueGreedily(reference.session, prompt, newTokens));
console.log(
  `SmolLM2-135M-Instruct, ${prompts.length} rows, ${texts.reduce((n, t) => n + t.logits.length, 0)} positions\n`,
);
const meanTokens = texts.reduce((sum, text) => sum + text.logits.length, 0) / texts.length;
console.log('| format | same | run | KL | ms per token | MB |\n|---|---|---|---|---|---|');
const referenceMs = await millisecondsPerToken(reference.session, 'float32');
console.log(`| fp32 | 1 | ${meanTokens.toFixed(1)} | 0 | ${referenceMs.toFixed(0)} | ${reference.megabytes} |`);
await reference.session.release();

for (const [name, format] of CANDIDATES) {
  const { session, megabytes } = await prepare(name, format);
  const same: number[] = [];
  const run: number[] = [];
  const divergence: number[] = [];
  for (const text of texts) {
    const logits = await scoreContinuation(session, text, format.activation);
    const agrees = logits.map((row, i) => argmax(row) === text.tokens[text.promptLength + i]);
    same.push(agrees.filter(Boolean).length / agrees.length);
    run.push(agrees.includes(false) ? agrees.indexOf(false) : agrees.length);
    divergence.push(mean(logits.map((row, i) => klDivergence(text.logits[i] as Float32Array, row))));
  }
  const ms = await millisecondsPerToken(session, format.activation);
  console.log(
    `| ${name} | ${withError(same, 3)} | ${withError(run, 1)} | ${withError(divergence, 4)} | ${ms.toFixed(0)} | ${megabytes} |`,
  );
  await session.release();
}
await rm(OUTPUT, { recursive: true, force: true });

interface Continuation {
  promptLength: number;
  /** Prompt and continuation. */
  tokens: number[];
  /** fp32's, at the positions that chose the continuation. */
  logits: Float32Array[];
}

function readPrompts({ sidecars }: Checkpoint, count: number): number[][] {
  const json = (path: string): unknown => JSON.parse(sidecars.get(path) ?? 'null');
  const tokenizer = loadTokenizer(json('tokenizer.json'), json('tokenizer_config.json'));
  const rows = parse<Record<string, string>>(readFileSync(join(DATA, 'hh-rlhf/gpt-3.5-turbo.csv')), { columns: true });
  const objectives = ['harmlessness', 'helpfulness'].map((key) => findObjective(key, 'hh-rlhf'));
  return rows
    .map(({ query = '', generated_text: answer = '' }) =>
      Array.from(
        tokenizer.encode(
          buildPrompt({
            objectives: objectives.filter((objective) => objective !== undefined),
            context: query,
            answer,
            template: 'hh-rlhf',
            promptStyle: 'bare',
          }),
        ),
      ),
    )
    .filter((ids) => ids.length <= MAX_PROMPT_TOKENS)
    .slice(0, count);
}

async function prepare(name: string, format: VariantFormat) {
  const directory = join(OUTPUT, name.replaceAll(/\W+/g, '-'));
  const manifest = await convertCheckpoint(checkpoint, createNodeTarget(directory), {
    variants: ['q4'],
    formats: { q4: format },
    name,
    source: options.gguf,
    family: undefined,
  });
  const session = await InferenceSession.create(join(directory, 'onnx', `${VARIANT_FILE_NAMES.q4}.onnx`), {
    logSeverityLevel: 3,
  });
  const bytes = (manifest.variants.q4 ?? []).reduce((sum, file) => sum + file.sizeBytes, 0);
  return { session, megabytes: Math.round(bytes / 1e6) };
}

type Cache = Record<string, Tensor>;

function emptyCache({ layerCount, kvHeadCount, headDim }: LlamaConfig, activation: VariantFormat['activation']): Cache {
  const shape = [1, kvHeadCount, 0, headDim];
  const names = Array.from({ length: layerCount }, (_, i) => [`${i}.key`, `${i}.value`]).flat();
  return Object.fromEntries(
    names.map((name) => [
      `past_key_values.${name}`,
      activation === 'float32'
        ? new Tensor('float32', new Float32Array(0), shape)
        : new Tensor('float16', new Uint16Array(0), shape),
    ]),
  );
}

async function step(session: InferenceSession, ids: number[], past: number, cache: Cache, keep: number) {
  const outputs = await session.run({
    input_ids: new Tensor('int64', BigInt64Array.from(ids, BigInt), [1, ids.length]),
    attention_mask: new Tensor('int64', new BigInt64Array(past + ids.length).fill(1n), [1, past + ids.length]),
    num_logits_to_keep: new Tensor('int64', BigInt64Array.of(BigInt(keep)), []),
    ...cache,
  });
  const flat = outputs.logits?.data as Float32Array;
  const size = config.vocabularySize;
  const next: Cache = {};
  for (const [name, tensor] of Object.entries(outputs)) {
    if (name !== 'logits') next[name.replace('present', 'past_key_values')] = tensor;
  }
  return { logits: Array.from({ length: keep }, (_, i) => flat.slice(i * size, (i + 1) * size)), cache: next };
}

async function continueGreedily(session: InferenceSession, prompt: number[], count: number): Promise<Continuation> {
  const tokens = [...prompt];
  const logits: Float32Array[] = [];
  let { logits: last, cache } = await step(session, prompt, 0, emptyCache(config, 'float32'), 1);
  for (let i = 0; i < count; i++) {
    const row = last[0] as Float32Array;
    logits.push(row);
    tokens.push(argmax(row));
    if (config.eosTokenIds.includes(tokens.at(-1) ?? -1)) break;
    if (i + 1 < count) ({ logits: last, cache } = await step(session, tokens.slice(-1), tokens.length - 1, cache, 1));
  }
  return { promptLength: prompt.length, tokens, logits };
}

/** One pass over prompt and continuation. */
async function scoreContinuation(
  session: InferenceSession,
  text: Continuation,
  activation: VariantFormat['activation'],
) {
  const { logits } = await step(
    session,
    text.tokens.slice(0, -1),
    0,
    emptyCache(config, activation),
    text.tokens.length - text.promptLength,
  );
  return logits;
}

/** The best of twelve single-token steps. */
async function millisecondsPerToken(session: InferenceSession, activation: VariantFormat['activation']) {
  let { cache } = await step(session, [1, 2, 3, 4], 0, emptyCache(config, activation), 1);
  let best = Infinity;
  for (let i = 0; i < 12; i++) {
    const start = performance.now();
    ({ cache } = await step(session, [i], 4 + i, cache, 1));
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Mean over the rows and its standard error. Positions of one row are not independent, so rows are what is counted. */
function withError(values: readonly number[], digits: number): string {
  const average = mean(values);
  const variance = values.reduce((sum, value) => sum + (value - average) ** 2, 0) / (values.length - 1);
  return `${average.toFixed(digits)} ± ${Math.sqrt(variance / values.length).toFixed(digits)}`;
}

function argmax(row: Float32Array): number {
  let best = 0;
  for (let i = 1; i < row.length; i++) if ((row[i] as number) > (row[best] as number)) best = i;
  return best;
}

function klDivergence(expected: Float32Array, actual: Float32Array): number {
  const logSum = (row: Float32Array) => {
    const largest = row[argmax(row)] as number;
    let sum = 0;
    for (const value of row) sum += Math.exp(value - largest);
    return largest + Math.log(sum);
  };
  const expectedSum = logSum(expected);
  const actualSum = logSum(actual);
  let divergence = 0;
  for (let i = 0; i < expected.length; i++) {
    const logP = (expected[i] as number) - expectedSum;
    divergence += Math.exp(logP) * (logP - ((actual[i] as number) - actualSum));
  }
  return divergence;
}

/**
 * The same function with its channels in another order: of the residual stream (columns of what reads it, rows of what
 * writes it), of the feed-forward's middle, and within each value head. Blocks of 32 then mix elements of many source
 * blocks, and nothing lies on a source block's grid any more.
 */
function reorderChannels(source: Checkpoint): Checkpoint {
  const { hiddenSize, intermediateSize, headDim, headCount, kvHeadCount } = source.config;
  const hidden = shuffled(hiddenSize, 1);
  const middle = shuffled(intermediateSize, 2);
  const head = shuffled(headDim, 3);
  const heads = (count: number) =>
    Array.from({ length: count * headDim }, (_, i) => i - (i % headDim) + (head[i % headDim] ?? 0));
  const orders: [part: RegExp, rows: number[] | undefined, columns: number[]][] = [
    [/norm\.weight$|layernorm\.weight$|embed_tokens|lm_head|q_proj|k_proj/, undefined, hidden],
    [/v_proj/, heads(kvHeadCount), hidden],
    [/o_proj/, hidden, heads(headCount)],
    [/gate_proj|up_proj/, middle, hidden],
    [/down_proj/, hidden, middle],
  ];
  const tensors = new Map<string, CheckpointTensor>();
  for (const [name, tensor] of source.tensors) {
    const [, rows, columns] = orders.find(([part]) => part.test(name)) ?? [];
    if (columns === undefined) throw new Error(`${name} has no order; this is a bug.`);
    tensors.set(name, reordered(tensor, rows, columns));
  }
  return { ...source, tensors };
}

function reordered(tensor: CheckpointTensor, rows: number[] | undefined, columns: number[]): CheckpointTensor {
  const width = columns.length;
  let whole: Promise<Float32Array> | undefined;
  const readRows = async (first: number, count: number) => {
    const isShuffled = rows !== undefined;
    if (isShuffled) whole ??= tensor.readRows(0, rows.length);
    const from = isShuffled ? await whole! : await tensor.readRows(first, count);
    const result = new Float32Array(count * width);
    for (let i = 0; i < count; i++) {
      const start = (isShuffled ? (rows[first + i] ?? 0) : i) * width;
      columns.forEach((column, j) => (result[i * width + j] = from[start + column] ?? 0));
    }
    return result;
  };
  return {
    name: tensor.name,
    storedType: 'F32',
    shape: tensor.shape,
    readRows,
    readRawRows: async (first, count) => new Uint8Array((await readRows(first, count)).buffer),
  };
}

/** 0 to count - 1 in an order that the seed decides (Fisher and Yates, a linear congruential generator). */
function shuffled(count: number, seed: number): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  let state = seed;
  for (let i = count - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = Math.floor((state / 2 ** 32) * (i + 1));
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  }
  return order;
}
