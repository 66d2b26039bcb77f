/**
 * Tokens per second of the server's engines on a GPU, beside what its memory allows: a token alone has to read all weights once.
 *
 * Usage: npm run measure:gpu -- --model FILE.gguf|FOLDER [--device cuda] [--bandwidth GB/S] [--concurrency 1,4,16]
 *   [--prompt-tokens 256] [--new-tokens 128] [--repetitions 3]
 *
 * A GGUF runs on llama.cpp, a converted folder (of q4f16, for CUDA) on onnxruntime-node. Prompts are token ids
 * of no sense, each other than the last one. One that writes alone drafts, as in the server: what repeats itself may pass the
 * limit. scripts/make-random-gguf.ts makes models.
 */
import { stat } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { basename, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Engine } from '../src/align/engine.ts';
import { GREEDY } from '../src/align/request.ts';
import { NODE_SUPPORT } from '../src/engines/choose-variant.ts';
import { openGgufFile } from '../src/convert/checkpoint/open-checkpoint.ts';
import { BLOCK_FORMATS } from '../src/convert/checkpoint/dequantize.ts';
import { createLlamaCppEngine, type LlamaCppDevice } from '../src/engines/llama-cpp-engine.ts';
import { loadModel } from '../src/engines/load-model.ts';
import type { OnnxDevice } from '../src/engines/node-device.ts';
import { startNodeEngine } from '../src/engines/node-engine.ts';
import { openNodeFile, openNodeFolder } from '../src/weights/node-folder.ts';
import { median } from './bench/measurement.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    device: { type: 'string', default: 'cuda' },
    bandwidth: { type: 'string' },
    concurrency: { type: 'string', default: '1,4,16' },
    'prompt-tokens': { type: 'string', default: '256' },
    'new-tokens': { type: 'string', default: '128' },
    repetitions: { type: 'string', default: '3' },
  },
});
const counts = values.concurrency.split(',').map(Number);
const [promptTokens, newTokens, repetitions] = [values['prompt-tokens'], values['new-tokens'], values.repetitions].map(
  Number,
) as [number, number, number];
const bandwidth = values.bandwidth === undefined ? undefined : Number(values.bandwidth) * 1e9;
const isGiven = [...counts, promptTokens, newTokens, repetitions].every((each) => Number.isInteger(each) && each > 0);
if (values.model === undefined || !isGiven || !(bandwidth === undefined || bandwidth > 0)) {
  console.error('Usage: npm run measure:gpu -- --model FILE.gguf|FOLDER [--device cuda] [--bandwidth GB/S]');
  process.exit(2);
}
const path = resolve(values.model);
const contextLength = promptTokens + newTokens + 8;

interface Opened {
  engine: Engine;
  name: string;
  /** What a token reads: all but the embedding, of which it takes a row. */
  bytesPerToken: number;
}

const isFile = (await stat(path)).isFile();
console.log(`${basename(path)}, ${promptTokens} tokens of prompt, ${newTokens} new, median of ${repetitions}`);
console.log(
  '\n| engine | at a time | prompt tok/s | decode tok/s | of the limit |\n| --- | ---: | ---: | ---: | ---: |',
);
let seed = 0;
for (const count of counts) {
  const { engine, name, bytesPerToken } = await (isFile ? openLlamaCpp(count) : openOnnx(count));
  const decode: number[] = [];
  const prefill: number[] = [];
  // The first warms up.
  for (let turn = 0; turn <= repetitions; turn++) {
    const runs = await Promise.all(Array.from({ length: count }, () => generate(engine)));
    if (turn === 0) continue;
    const [first, last] = [Math.max(...runs.map((run) => run.firstMs)), Math.max(...runs.map((run) => run.endMs))];
    const start = Math.min(...runs.map((run) => run.startMs));
    prefill.push((count * promptTokens * 1000) / (first - start));
    // From when all write: a step then has a token of each.
    const written = runs.reduce((sum, { timesMs }) => sum + timesMs.filter((ms) => ms > first).length, 0);
    decode.push((written * 1000) / (last - first));
  }
  // Those that run at a time share the reading.
  const limit = bandwidth === undefined ? undefined : (count * bandwidth) / bytesPerToken;
  const share = limit === undefined ? '' : `${((100 * median(decode)) / limit).toFixed(0)} % of ${limit.toFixed(0)}`;
  console.log(`| ${name} | ${count} | ${median(prefill).toFixed(0)} | ${median(decode).toFixed(1)} | ${share} |`);
  await engine.dispose();
}
console.log(`\nload ${loadavg()[0]?.toFixed(1)}`);
process.exit(0);

async function generate(engine: Engine) {
  seed += 1;
  const promptIds = Int32Array.from(
    { length: promptTokens },
    (_, i) => 300 + ((seed * 7919 + i * 104_729) % (engine.vocabularySize - 300)),
  );
  const startMs = performance.now();
  const timesMs: number[] = [];
  const options = { ...GREEDY, maxNewTokens: newTokens };
  for await (const step of engine.generate(promptIds, options, new AbortController().signal)) {
    for (const _token of step) timesMs.push(performance.now());
  }
  return { startMs, firstMs: timesMs[0] ?? NaN, endMs: timesMs.at(-1) ?? NaN, timesMs };
}

async function openLlamaCpp(concurrency: number): Promise<Opened> {
  const { config, tensors } = await openGgufFile(await openNodeFile(path));
  let bytesPerToken = 0;
  for (const [name, { shape, storedType }] of tensors) {
    if (name === 'model.embed_tokens.weight' && !config.isEmbeddingTied) continue;
    const { elements, bytes } = BLOCK_FORMATS[storedType];
    bytesPerToken += (shape.reduce((product, size) => product * size, 1) / elements) * bytes;
  }
  const engine = await createLlamaCppEngine({
    path,
    config: { ...config, contextLength, eosTokenIds: [] },
    device: values.device as LlamaCppDevice,
    concurrency,
  });
  return { engine, name: `llama.cpp, ${engine.device}`, bytesPerToken };
}

async function openOnnx(concurrency: number): Promise<Opened> {
  const device = values.device as OnnxDevice;
  const { model, choice, sizeBytes, manifest } = await loadModel(await openNodeFolder(path), {
    support: NODE_SUPPORT,
    wish: { device: 'cpu', variant: 'auto' },
    startEngine: (start) =>
      startNodeEngine({ directory: path, device, concurrency })({
        ...start,
        config: { ...start.config, contextLength, eosTokenIds: [] },
      }),
  });
  const { vocabularySize, hiddenSize, isEmbeddingTied } = manifest.config;
  // 8 bits and a scale of 16 for 32 of them. A tied one is the head as well, of which each token takes all.
  const embeddingBytes = isEmbeddingTied ? 0 : (vocabularySize * hiddenSize * 34) / 32;
  return {
    engine: model.engine,
    name: `onnxruntime, ${device} ${choice.variant}`,
    bytesPerToken: sizeBytes - embeddingBytes,
  };
}
