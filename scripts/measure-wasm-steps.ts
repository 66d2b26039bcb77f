/**
 * Milliseconds of a step of so many tokens on wasm in q8, in our kernels and in onnxruntime on the same graph, and how far a token's
 * scores are from those that it gets alone; least of the repetitions: other programs only slow down. Where the folder has fp32
 * too, how far the scores are from its: how often the best token is the same, and the mean divergence in nats.
 *
 * One thread each, in Node. `npm run bench -- --only decode --on wasm` measures threads, in Chromium.
 *
 * Usage: npm run measure:wasm-steps -- [--model .cache/models/smollm2-135m-instruct] [--past 160] [--repetitions 4]
 */
import { readFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import * as ort from 'onnxruntime-web';
import { readDecoderShape } from '../src/engines/decoder-shape.ts';
import type { Decoder } from '../src/engines/decoder.ts';
import { ReturnedKvCache } from '../src/engines/kv-cache.ts';
import { createNodeDecoder } from '../src/engines/node-engine.ts';
import { OrtDecoder } from '../src/engines/ort-decoder.ts';
import { readRowsModel } from '../src/engines/rows-model.ts';
import { WasmDecoder } from '../src/engines/wasm-decoder.ts';
import { openNodeFile } from '../src/weights/node-folder.ts';
import { compileKernels } from './kernels-plugin.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: '.cache/models/smollm2-135m-instruct' },
    past: { type: 'string', default: '160' },
    repetitions: { type: 'string', default: '4' },
  },
});
const [past, repetitions] = [values.past, values.repetitions].map(Number) as [number, number];
if (![past, repetitions].every((count) => Number.isInteger(count) && count > 0)) {
  console.error('Usage: npm run measure:wasm-steps -- [--model FOLDER] [--past N] [--repetitions N]');
  process.exit(2);
}
const SIZES = [1, 2, 3, 5, 9, 17];
const CHUNK_TOKENS = 64;
/** Of any vocabulary. */
const tokenOf = (i: number) => 3 + ((i * 7919) % 900);

const folder = join(resolve(values.model), 'onnx');
const graph = new Uint8Array(await readFile(join(folder, 'model_quantized.onnx')));
const DATA_FILE = 'model_quantized.onnx_data';
const data = new Uint8Array(await readFile(join(folder, DATA_FILE)));
const model = readRowsModel(graph);
if (model === undefined) throw new Error(`${folder} holds a q8 that is not of 8-bit rows.`);

async function openOrt(): Promise<OrtDecoder> {
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(graph, {
    executionProviders: ['wasm'],
    logSeverityLevel: 3,
    externalData: [{ path: DATA_FILE, data }],
  });
  const shape = readDecoderShape(session);
  return new OrtDecoder({
    device: 'wasm',
    Tensor: ort.Tensor,
    session,
    shape,
    cache: new ReturnedKvCache(shape, ort.Tensor),
    prefillChunkTokens: CHUNK_TOKENS,
    afterStep: () => Promise.resolve(),
  });
}

const step = (decoder: Decoder, from: number, count: number, rows = count) =>
  decoder.step(
    Int32Array.from({ length: count }, (_, i) => tokenOf(from + i)),
    from,
    rows,
    { type: 'all' },
  );

/** float32 [count, vocabulary], the decoder's own no more. */
async function logitsOf(decoder: Decoder, from: number, count: number): Promise<Float32Array[]> {
  const rows = await step(decoder, from, count);
  return rows.map((row) => (row.type === 'all' ? Float32Array.from(row.logits) : new Float32Array()));
}

async function read(decoder: Decoder): Promise<void> {
  decoder.reserve(past + Math.max(...SIZES) + 1, 0);
  for (let at = 0; at < past; at += CHUNK_TOKENS) await step(decoder, at, Math.min(CHUNK_TOKENS, past - at), 0);
}

async function leastMs(run: () => Promise<unknown>): Promise<number> {
  let least = Infinity;
  for (let i = 0; i < repetitions; i++) {
    const startMs = performance.now();
    await run();
    least = Math.min(least, performance.now() - startMs);
  }
  return least;
}

/** The largest difference between the scores of five tokens together and one after the other. */
async function farthest(decoder: Decoder): Promise<number> {
  let most = 0;
  for (const [i, together] of (await logitsOf(decoder, past, 5)).entries()) {
    const [alone] = await logitsOf(decoder, past + i, 1);
    alone?.forEach((value, id) => (most = Math.max(most, Math.abs(value - together[id]!))));
  }
  return most;
}

/** Scores of every position of the text, read in chunks. */
async function allScores(decoder: Decoder): Promise<Float32Array[]> {
  const scores: Float32Array[] = [];
  decoder.reserve(past + CHUNK_TOKENS, 0);
  for (let at = 0; at < past; at += CHUNK_TOKENS) scores.push(...(await logitsOf(decoder, at, CHUNK_TOKENS)));
  return scores;
}

function logSoftmax(logits: Float32Array): Float64Array {
  const largest = logits.reduce((most, value) => Math.max(most, value));
  const sum = logits.reduce((total, value) => total + Math.exp(value - largest), 0);
  return Float64Array.from(logits, (value) => value - largest - Math.log(sum));
}

function distance(exact: readonly Float32Array[], scores: readonly Float32Array[]): string {
  let [same, divergence] = [0, 0];
  exact.forEach((row, i) => {
    const [p, q] = [logSoftmax(row), logSoftmax(scores[i]!)];
    if (p.indexOf(Math.max(...p)) === q.indexOf(Math.max(...q))) same += 1;
    divergence += p.reduce((sum, value, id) => sum + Math.exp(value) * (value - q[id]!), 0);
  });
  return `${(same / exact.length).toFixed(3)}, ${(divergence / exact.length).toFixed(4)}`;
}

const exact = await createNodeDecoder({ graphPath: join(folder, 'model.onnx'), prefillChunkTokens: CHUNK_TOKENS })
  .then((decoder) => allScores(decoder))
  .catch(() => undefined);
const binaries = await compileKernels();
const decoders: Record<string, () => Promise<Decoder>> = {
  onnxruntime: openOrt,
  ours: async () =>
    WasmDecoder.create({
      model,
      externalData: [{ name: DATA_FILE, source: await openNodeFile(join(folder, DATA_FILE)) }],
      binaries,
      prefillChunkTokens: CHUNK_TOKENS,
      threads: 1,
    }),
};
console.log(`| in | load | ${past}, a prompt | ${SIZES.join(' | ')} | alone and together | as fp32 |`);
console.log(`| --- | ---: | ${SIZES.map(() => '---: |').join(' ')} ---: | ---: | ---: |`);
for (const [name, open] of Object.entries(decoders)) {
  const startMs = performance.now();
  const decoder = await open();
  const cells = [performance.now() - startMs, await leastMs(() => read(decoder))];
  for (const size of SIZES) cells.push(await leastMs(() => step(decoder, past, size)));
  const far = (await farthest(decoder)).toFixed(2);
  const asExact = exact === undefined ? '-' : distance(exact, await allScores(decoder));
  console.log(`| ${name} | ${cells.map((ms) => ms.toFixed(0)).join(' | ')} | ${far} | ${asExact} |`);
}
console.log(`\n${values.model}, q8, load ${loadavg()[0]!.toFixed(1)}, onnxruntime-web ${ort.env.versions.web}`);
process.exit(0);
