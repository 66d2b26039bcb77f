/**
 * Milliseconds of a step of so many tokens on wasm, with attention as onnxruntime has it and written out, and how far a token's
 * scores are from those that it gets alone. Least of the repetitions: other programs only slow down.
 *
 * Usage: npm run measure:wasm-steps -- [--model .cache/models/smollm2-135m-instruct] [--threads 1] [--past 160]
 *   [--repetitions 4]
 */
import { readFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
// Node's build of it: threads work there too.
import * as ort from 'onnxruntime-web';
import { readDecoderShape } from '../src/engines/decoder-shape.ts';
import { exactAttention } from '../src/engines/exact-attention.ts';
import { fuseScales } from '../src/engines/fused-scales.ts';
import { ReturnedKvCache } from '../src/engines/kv-cache.ts';
import { OrtDecoder } from '../src/engines/ort-decoder.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: '.cache/models/smollm2-135m-instruct' },
    threads: { type: 'string', default: '1' },
    past: { type: 'string', default: '160' },
    repetitions: { type: 'string', default: '4' },
  },
});
const [threads, past, repetitions] = [values.threads, values.past, values.repetitions].map(Number) as [
  number,
  number,
  number,
];
if (![threads, past, repetitions].every((count) => Number.isInteger(count) && count > 0)) {
  console.error('Usage: npm run measure:wasm-steps -- [--model FOLDER] [--threads N] [--past N] [--repetitions N]');
  process.exit(2);
}
const SIZES = [1, 2, 3, 5, 9, 17];
const CHUNK_TOKENS = 64;
/** Of any vocabulary. */
const tokenOf = (i: number) => 3 + ((i * 7919) % 900);

const folder = join(resolve(values.model), 'onnx');
const graph = new Uint8Array(await readFile(join(folder, 'model_quantized.onnx')));
const data = new Uint8Array(await readFile(join(folder, 'model_quantized.onnx_data')));
ort.env.wasm.numThreads = threads;

async function open(model: Uint8Array, minStepTokens: number): Promise<OrtDecoder> {
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ['wasm'],
    logSeverityLevel: 3,
    externalData: [{ path: 'model_quantized.onnx_data', data }],
  });
  const shape = readDecoderShape(session);
  return new OrtDecoder({
    device: 'wasm',
    Tensor: ort.Tensor,
    session,
    shape,
    cache: new ReturnedKvCache(shape, ort.Tensor),
    prefillChunkTokens: CHUNK_TOKENS,
    minStepTokens,
    afterStep: () => Promise.resolve(),
  });
}

const step = (decoder: OrtDecoder, from: number, count: number, rows = count) =>
  decoder.step(
    Int32Array.from({ length: count }, (_, i) => tokenOf(from + i)),
    from,
    rows,
  );

async function read(decoder: OrtDecoder): Promise<void> {
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
async function farthest(decoder: OrtDecoder): Promise<number> {
  const together = (await step(decoder, past, 5)).map((row) => (row.type === 'all' ? row.logits.slice() : undefined));
  let most = 0;
  for (const [i, expected] of together.entries()) {
    const [row] = await step(decoder, past + i, 1);
    if (row?.type !== 'all') continue;
    row.logits.forEach((value, id) => (most = Math.max(most, Math.abs(value - (expected?.[id] ?? NaN)))));
  }
  return most;
}

const written = exactAttention(fuseScales(graph), threads);
const decoders = {
  'as it is': await open(graph, 1),
  'as it is, at least two rows': await open(graph, 2),
  ...(written.isOneRowExact && { 'written out': await open(written.model, 1) }),
};
if (!written.isOneRowExact) console.log(`It is not written out on ${threads} threads: too few heads have keys.\n`);
console.log(`| attention | ${past}, a prompt | ${SIZES.join(' | ')} | alone and together differ by |`);
console.log(`| --- | ${SIZES.map(() => '---: |').join(' ')} ---: | ---: |`);
for (const [name, decoder] of Object.entries(decoders)) {
  const cells = [await leastMs(() => read(decoder))];
  for (const size of SIZES) cells.push(await leastMs(() => step(decoder, past, size)));
  console.log(`| ${name} | ${cells.map((ms) => ms.toFixed(0)).join(' | ')} | ${await farthest(decoder)} |`);
}
console.log(
  `\n${values.model}, q8, ${threads} threads, load ${loadavg()[0]!.toFixed(1)}, onnxruntime-web ${ort.env.versions.web}`,
);
process.exit(0);
