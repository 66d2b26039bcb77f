import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { KERNELS as binaries } from 'virtual:wasm-kernels';
import { afterEach, describe, expect, it } from 'vitest';
import { memorySource } from '../convert/byte-source.ts';
import type { LlamaConfig } from '../convert/llama-config.ts';
import { convertedSmallLlama } from '../convert/small-llama.fixture.ts';
import type { Decoder } from './decoder.ts';
import { createNodeDecoder } from './node-engine.ts';
import { readRowsModel } from './rows-model.ts';
import type { RowScores } from './scores.ts';
import { CONTRACT_CONFIG, convertToDisk } from './small-model.fixture.ts';
import { type KernelThread, WasmDecoder, type WasmDecoderOptions } from './wasm-decoder.ts';
import { WasmMemory } from './wasm-memory.ts';

const GRAPH = 'model_quantized.onnx';
const DATA = 'model_quantized.onnx_data';
const CHUNK_TOKENS = 16;

const left: (() => unknown)[] = [];
afterEach(async () => {
  for (const leave of left.splice(0)) await leave();
});

const dataFile = (bytes: Uint8Array) => ({ name: DATA, source: memorySource(DATA, bytes) });

async function optionsOf(config: LlamaConfig): Promise<WasmDecoderOptions> {
  const { files } = await convertedSmallLlama(['q8'], config);
  return {
    model: readRowsModel(files.get(`onnx/${GRAPH}`)!)!,
    externalData: [dataFile(files.get(`onnx/${DATA}`)!)],
    binaries,
    prefillChunkTokens: CHUNK_TOKENS,
    threads: 1,
  };
}

async function open(config: LlamaConfig, change: Partial<WasmDecoderOptions> = {}): Promise<WasmDecoder> {
  const decoder = await WasmDecoder.create({ ...(await optionsOf(config)), ...change });
  left.push(() => decoder.dispose());
  return decoder;
}

/** A worker of Node that does what workers/kernel-thread.worker.ts does. */
function createThread(): KernelThread {
  const source = `const { parentPort } = require('node:worker_threads');
parentPort.once('message', async ({ module, memory, thread }) => {
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
  parentPort.postMessage({ isReady: true });
  exports.serve(thread);
});`;
  const worker = new Worker(source, { eval: true });
  const thread: KernelThread = {
    onmessage: null,
    onerror: null,
    postMessage: (message: unknown) => worker.postMessage(message),
    terminate: () => void worker.terminate(),
  };
  worker.once(
    'message',
    (data: unknown) => void thread.onmessage?.call(thread as never, new MessageEvent('message', { data })),
  );
  return thread;
}

const textOf = (tokens: number, config: LlamaConfig) =>
  Int32Array.from({ length: tokens }, (_, i) => (i * 37 + 5) % config.vocabularySize);

const logitsOf = (rows: readonly RowScores[]) =>
  rows.map((row) => (row.type === 'all' ? Float32Array.from(row.logits) : new Float32Array()));

/** Reads a text in steps of so many tokens at most. @returns float32 [tokens, vocabulary] */
async function scoresOf(decoder: Decoder, tokenIds: Int32Array, stepTokens: number): Promise<Float32Array[]> {
  const scores: Float32Array[] = [];
  decoder.reserve(tokenIds.length, 0);
  for (let at = 0; at < tokenIds.length; at += stepTokens) {
    const step = tokenIds.slice(at, at + stepTokens);
    scores.push(...logitsOf(await decoder.step(step, at, step.length, { type: 'all' })));
  }
  return scores;
}

const SHAPES: Record<string, LlamaConfig> = {
  'shared keys': CONTRACT_CONFIG,
  'keys of their own': { ...CONTRACT_CONFIG, kvHeadCount: CONTRACT_CONFIG.headCount },
  'eight queries to a key, and tied ends': { ...CONTRACT_CONFIG, headCount: 8, kvHeadCount: 1, isEmbeddingTied: true },
  'sizes that fill no vector': { ...CONTRACT_CONFIG, hiddenSize: 56, intermediateSize: 77, vocabularySize: 262 },
};

describe.each(Object.entries(SHAPES))('kernels for 8-bit rows, %s', (_name, config) => {
  const text = textOf(45, config);

  it('score as onnxruntime does on the same graph', async () => {
    const { directory, remove } = await convertToDisk(['q8'], config);
    left.push(remove);
    const theirs = await createNodeDecoder({ graphPath: join(directory, 'onnx', GRAPH), prefillChunkTokens: 64 });
    left.push(() => theirs.dispose());
    const expected = await scoresOf(theirs, text, 45);
    const actual = await scoresOf(await open(config), text, CHUNK_TOKENS);
    // The last bit of a sum may round an activation to the next of 255 steps, which moves scores.
    const differences = expected.flatMap((row, i) => Array.from(row, (value, id) => Math.abs(value - actual[i]![id]!)));
    const spread = Math.sqrt(
      expected.flatMap((row) => [...row]).reduce((sum, x) => sum + x * x, 0) / differences.length,
    );
    const mean = differences.reduce((sum, difference) => sum + difference, 0) / differences.length;
    expect(mean / spread).toBeLessThan(0.002);
    expect(Math.max(...differences) / spread).toBeLessThan(0.2);
  });

  it('score a token to the same bits in steps of any size', async () => {
    const decoder = await open(config);
    const alone = await scoresOf(decoder, text, 1);
    for (const stepTokens of [2, 3, 4, 5, 7, 16]) expect(await scoresOf(decoder, text, stepTokens)).toEqual(alone);
  });

  it('score to the same bits with relaxed SIMD', async () => {
    const plain = await scoresOf(await open(config), text, 7);
    // Node 20 has it behind a switch.
    setFlagsFromString('--experimental-wasm-relaxed-simd');
    const relaxed = await open(config, { binaries: { plain: binaries.relaxed, relaxed: binaries.relaxed } });
    expect(await scoresOf(relaxed, text, 7)).toEqual(plain);
  });

  it('score to the same bits on three threads', async () => {
    const alone = await scoresOf(await open(config), text, 5);
    const together = await open(config, { threads: 3, createThread });
    for (let time = 0; time < 20; time++) expect(await scoresOf(together, text, 5)).toEqual(alone);
  });
});

it('gives NaN where a weight is NaN, as onnxruntime does, and not another text', async () => {
  for (const name of ['embedding.scales', 'layer.0.qkv.scales', 'layer.1.down.scales', 'layer.0.gate.scales']) {
    const options = await optionsOf(CONTRACT_CONFIG);
    const { data } = options.model.initializers.get(name)!;
    if (data instanceof Uint8Array) throw new Error(`${name} is in the graph.`);
    const [file] = options.externalData;
    const bytes = await file!.source.read(0, file!.source.sizeBytes);
    new DataView(bytes.buffer, bytes.byteOffset + data.offset).setFloat32(4 * 5, NaN, true);
    const decoder = await open(CONTRACT_CONFIG, { externalData: [dataFile(bytes)] });
    const [scores] = await scoresOf(decoder, Int32Array.of(5), 1);
    expect(scores!.every(Number.isNaN), name).toBe(true);
  }
});

it('refuses positions beyond the context', async () => {
  const decoder = await open(CONTRACT_CONFIG);
  decoder.reserve(CONTRACT_CONFIG.contextLength, 0);
  await expect(decoder.step(Int32Array.of(1, 2), CONTRACT_CONFIG.contextLength - 1, 1)).rejects.toThrow(
    'A step of 2 tokens where there is room for 1',
  );
});

it('opens a model whose whole context would not fit, and says so when it is used', async () => {
  const { model } = await optionsOf(CONTRACT_CONFIG);
  // 8 KB a token.
  const large = { ...model, contextLength: 600_000, headCount: 32, kvHeadCount: 32 };
  const memory = new WasmMemory(large, 1, 4);
  expect(() => memory.reserve(600_000)).toThrow(/^out of memory: \d+ bytes are needed, and wasm addresses 4294967296$/);
});

it('keeps what was read when the cache grows', async () => {
  const config = { ...CONTRACT_CONFIG, contextLength: 600 };
  const text = textOf(300, config);
  const decoder = await open(config);
  const whole = await scoresOf(decoder, text, CHUNK_TOKENS);
  const grown = await open(config);
  expect(await scoresOf(grown, text.slice(0, 250), CHUNK_TOKENS)).toEqual(whole.slice(0, 250));
  expect(grown.reserve(300, 250)).toBe(250);
  for (let at = 250; at < 300; at++) {
    expect(logitsOf(await grown.step(text.slice(at, at + 1), at, 1))).toEqual([whole[at]]);
  }
});

it.each([
  ['is missing', [], /^The weight \S+ is in model_quantized\.onnx_data, which is not there\.$/],
  [
    'was cut off',
    [dataFile(new Uint8Array(20_000))],
    /^The weight .* ends at byte \d+ of model_quantized\.onnx_data, which has 20000\.$/,
  ],
])('refuses a data file that %s', async (_, externalData, message) => {
  const options = await optionsOf(CONTRACT_CONFIG);
  const made = WasmDecoder.create({ ...options, externalData });
  await expect(made).rejects.toMatchObject({
    code: 'weights-corrupt',
    message: expect.stringMatching(message) as string,
  });
});

it('says so when a thread does not start, and ends the others', async () => {
  const ended: number[] = [];
  let created = 0;
  const threadOf = (): KernelThread => {
    const number = created++;
    const thread: KernelThread = {
      onmessage: null,
      onerror: null,
      postMessage: () => {
        if (number === 0)
          thread.onmessage?.call(thread as never, new MessageEvent('message', { data: { isReady: true } }));
        else thread.onerror?.call(thread as never, new Event('error') as ErrorEvent);
      },
      terminate: () => void ended.push(number),
    };
    return thread;
  };
  await expect(open(CONTRACT_CONFIG, { threads: 3, createThread: threadOf })).rejects.toThrow(
    'thread 2 did not start: its script could not be loaded',
  );
  expect(ended).toEqual([0, 1]);
});

it('reads graphs of 8-bit rows alone', async () => {
  const { files } = await convertedSmallLlama(['fp32', 'q4'], CONTRACT_CONFIG);
  for (const name of ['model.onnx', 'model_q4.onnx']) expect(readRowsModel(files.get(`onnx/${name}`)!)).toBeUndefined();
});
