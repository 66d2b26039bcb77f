import { readFileSync } from 'node:fs';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import type { Variant } from '../align/variant.ts';
import { convertCheckpoint } from './convert.ts';
import { VARIANT_FILE_NAMES } from './write-graphs.ts';
import type { LlamaConfig } from './llama-config.ts';
import { type Matrix, referenceLogits } from './llama-reference.fixture.ts';
import { fromFloat16 } from './float16.ts';
import { MANIFEST_PATH } from './manifest.ts';
import { GraphBuilder } from './onnx/graph-builder.ts';
import { planWeights } from './onnx/llama-plan.ts';
import { applyLinear, VARIANT_FORMATS } from './onnx/weight-format.ts';
import { parseManifest } from './parse-manifest.ts';
import { type Blocks, type Blocks4, quantizeBlocks4, quantizeBlocks8, quantizeRows8 } from './quantize.ts';
import { convertedSmallLlama, MemoryFolder, randomCheckpoint, SMALL_LLAMA } from './small-llama.fixture.ts';

interface Golden {
  name: string;
  seed: number;
  config: LlamaConfig;
  inputIds: number[];
  /** Of the last positions. */
  logits: number[][];
}

const goldens = (
  JSON.parse(readFileSync(new URL('fixtures/small-llamas.json', import.meta.url), 'utf8')) as { cases: Golden[] }
).cases;

async function openSession(folder: MemoryFolder, variant: Variant): Promise<InferenceSession> {
  const path = `${VARIANT_FILE_NAMES[variant]}.onnx`;
  const bytes = (name: string) => folder.files.get(`onnx/${name}`) ?? new Uint8Array();
  return InferenceSession.create(bytes(path), {
    externalData: [{ path: `${path}_data`, data: bytes(`${path}_data`) }],
  });
}

type Cache = Record<string, Tensor>;

function emptyCache(config: LlamaConfig, isHalf: boolean): Cache {
  const cache: Cache = {};
  for (let layer = 0; layer < config.layerCount; layer++) {
    for (const part of ['key', 'value']) {
      const shape = [1, config.kvHeadCount, 0, config.headDim];
      cache[`past_key_values.${layer}.${part}`] = isHalf
        ? new Tensor('float16', new Uint16Array(0), shape)
        : new Tensor('float32', new Float32Array(0), shape);
    }
  }
  return cache;
}

/** Runs one chunk after `past` tokens. @returns logits of the last `keep` positions, and the new cache */
async function run(
  session: InferenceSession,
  config: LlamaConfig,
  ids: number[],
  past: number,
  cache: Cache,
  keep = 1,
) {
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

function largestDifference(a: ArrayLike<number>[], b: ArrayLike<number>[]): number {
  expect(a.map((row) => row.length)).toEqual(b.map((row) => row.length));
  return Math.max(...a.flatMap((row, i) => Array.from(row, (value, j) => Math.abs(value - (b[i]?.[j] ?? NaN)))));
}

describe.each(goldens)('a Llama with $name', ({ config, seed, inputIds, logits }) => {
  it('has Hugging Face’s logits within 1e-4 in fp32', async () => {
    const session = await openSession(await convertedSmallLlama(['fp32'], config, seed), 'fp32');
    const ours = await run(session, config, inputIds, 0, emptyCache(config, false), logits.length);
    expect(largestDifference(ours.logits, logits)).toBeLessThan(1e-4);
  });

  // The bounds are those of the kernels on this device: int8 activations in q4, q4f16 and q8, float16 sums.
  it.each<[Variant, number]>([
    ['q4', 0.2],
    ['q8', 0.15],
    ['fp16', 2e-2],
    ['q4f16', 0.15],
  ])('has the logits of its own dequantized weights in %s, within %d', async (variant, bound) => {
    const session = await openSession(await convertedSmallLlama([variant], config, seed), variant);
    const isHalf = variant === 'fp16' || variant === 'q4f16';
    const ours = await run(session, config, inputIds, 0, emptyCache(config, isHalf), logits.length);
    const weights = await dequantizedWeights(config, seed, variant);
    const expected = referenceLogits(config, weights, inputIds).slice(-logits.length);
    expect(largestDifference(ours.logits, expected)).toBeLessThan(bound);
  });

  it('has the logits of its own dequantized weights in q4 within 1e-4 where activations stay float', async () => {
    const folder = new MemoryFolder();
    await convertCheckpoint(randomCheckpoint(config, seed), folder, {
      variants: ['q4'],
      formats: { q4: { ...VARIANT_FORMATS.q4, accuracy: { linear: 0, head: 0 } } },
      name: 'x',
      source: 'x',
      family: undefined,
    });
    const session = await openSession(folder, 'q4');
    const ours = await run(session, config, inputIds, 0, emptyCache(config, false), logits.length);
    const expected = referenceLogits(config, await dequantizedWeights(config, seed, 'q4'), inputIds);
    expect(largestDifference(ours.logits, expected.slice(-logits.length))).toBeLessThan(1e-4);
  });

  it.each<Variant>(['fp32', 'q4', 'q8'])(
    'gives %s the same logits in chunks, and after a roll-back',
    async (variant) => {
      const session = await openSession(await convertedSmallLlama([variant], config, seed), variant);
      const whole = await run(session, config, inputIds, 0, emptyCache(config, false));
      const first = await run(session, config, inputIds.slice(0, 5), 0, emptyCache(config, false));
      // Three wrong tokens are written after the first five and taken back by a shorter mask.
      const wrong = await run(session, config, [1, 2, 3], 5, first.cache);
      const chunked = await run(session, config, inputIds.slice(5), 5, wrong.cache);
      expect(largestDifference(chunked.logits, whole.logits)).toBeLessThan(1e-4);
    },
  );
});

/** The weights that a variant stands for: quantized by the functions under test's neighbours, and back. */
async function dequantizedWeights(config: LlamaConfig, seed: number, variant: Variant) {
  const checkpoint = randomCheckpoint(config, seed);
  const matrices = new Map<string, Matrix>();
  for (const [name, tensor] of checkpoint.tensors) {
    const [rows, columns] = tensor.shape.length === 1 ? [1, tensor.shape[0] ?? 0] : (tensor.shape as [number, number]);
    const values = await tensor.readRows(0, rows);
    matrices.set(name, { values: Float64Array.from(dequantized(name, values, columns, variant)), rows, columns });
  }
  return (name: string) => {
    const matrix = matrices.get(name);
    if (matrix === undefined) throw new Error(`no ${name}`);
    return matrix;
  };
}

function dequantized(name: string, values: Float32Array, columns: number, variant: Variant): ArrayLike<number> {
  if (name.includes('norm') || variant === 'fp32' || variant === 'fp16') return values;
  const isTable = name.includes('embed') || name.includes('lm_head');
  if (variant === 'q8') {
    const { data, scales } = quantizeRows8(values, columns);
    return Float32Array.from(data, (value, i) => value * (scales[Math.floor(i / columns)] ?? 0));
  }
  const scaleType = variant === 'q4' ? 'float32' : 'float16';
  const blocks: Blocks & Partial<Blocks4> = isTable
    ? quantizeBlocks8(values, columns, scaleType)
    : quantizeBlocks4(values, columns, scaleType);
  const { data, scales, zeroPoints } = blocks;
  const blocksPerRow = Math.ceil(columns / 32);
  return values.map((_, i) => {
    const row = Math.floor(i / columns);
    const column = i % columns;
    const element = (row * blocksPerRow + Math.floor(column / 32)) * 32 + (column % 32);
    const block = Math.floor(column / 32);
    const scale = scales[row * blocksPerRow + block] ?? 0;
    if (zeroPoints === undefined) return ((data[element] ?? 0) - 128) * scale;
    const zeroPoint = nibble(zeroPoints, 2 * row * Math.ceil(blocksPerRow / 2) + block);
    return (nibble(data, element) - zeroPoint) * scale;
  });
}

it('never multiplies 8-bit blocks at accuracy level 0, which unpacks them at every step on the CPU', () => {
  const levels: unknown[] = [];
  class Recorder extends GraphBuilder {
    override node(...node: Parameters<GraphBuilder['node']>): string {
      const [type, , , attributes] = node;
      if (type === 'MatMulNBits' && attributes?.bits === 8) levels.push(attributes.accuracy_level);
      return super.node(...node);
    }
  }
  const head = planWeights(SMALL_LLAMA).find(({ kind }) => kind === 'head');
  for (const variant of Object.values(VARIANT_FORMATS)) applyLinear(new Recorder(), 'x', head!, variant, new Map());
  expect(levels).toEqual([4, 4]);
});

/** Of nibbles that are packed low one first. */
function nibble(bytes: Uint8Array, index: number): number {
  return ((bytes[index >> 1] ?? 0) >> (4 * (index & 1))) & 15;
}

describe('convertCheckpoint', () => {
  it('writes the same bytes for several variants at once as for each alone', async () => {
    const together = await convertedSmallLlama(['q8', 'q4f16']);
    for (const variant of ['q8', 'q4f16'] as const) {
      const alone = await convertedSmallLlama([variant]);
      const path = `onnx/${VARIANT_FILE_NAMES[variant]}.onnx_data`;
      const [first, second] = [together, alone].map(({ files }) => Buffer.from(files.get(path) ?? []));
      expect(first?.length).toBeGreaterThan(0);
      expect(first?.equals(second ?? Buffer.alloc(0))).toBe(true);
    }
  });

  it.each(['fp32', 'q8', 'q4'] as const)('stores a tied embedding once, in %s', async (variant) => {
    const config = { ...SMALL_LLAMA, isEmbeddingTied: true };
    const tied = await convertedSmallLlama([variant], config);
    const bytes = [...tied.files].reduce((sum, [path, data]) => sum + (path.includes('_data') ? data.length : 0), 0);
    const stored = [...randomCheckpoint(config).tensors.values()].map(({ shape }) => shape.reduce((a, b) => a * b));
    const elementBytes = { fp32: 4, q8: 1.2, q4: 1.2 }[variant];
    expect(bytes).toBeLessThan(stored.reduce((sum, count) => sum + count) * elementBytes + 64 * 100);
  });

  it('writes the manifest last, with every file and its size', async () => {
    const folder = await convertedSmallLlama(['q4']);
    const paths = [...folder.files.keys()];
    expect(paths.at(-1)).toBe(MANIFEST_PATH);
    const manifest = parseManifest(new TextDecoder().decode(folder.files.get(MANIFEST_PATH)), 'memory');
    const listed = [...(manifest.variants.q4 ?? []), ...manifest.sidecars];
    expect(listed.map((file) => file.path).sort()).toEqual(paths.slice(0, -1).sort());
    for (const file of listed) expect(folder.files.get(file.path)?.length).toBe(file.sizeBytes);
    expect(manifest).toMatchObject({ config: SMALL_LLAMA, family: 'hh-rlhf' });
  });

  it('stops at an abort, and leaves no manifest', async () => {
    const folder = new MemoryFolder();
    const controller = new AbortController();
    const conversion = convertCheckpoint(randomCheckpoint(), folder, {
      variants: ['q4'],
      name: 'x',
      source: 'x',
      family: undefined,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(conversion).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
    expect(folder.files.has(MANIFEST_PATH)).toBe(false);
  });

  it('reports progress that grows to the whole', async () => {
    const fractions: number[] = [];
    await convertCheckpoint(randomCheckpoint({ ...SMALL_LLAMA, isEmbeddingTied: true }), new MemoryFolder(), {
      variants: ['q8', 'q4'],
      name: 'x',
      source: 'x',
      family: undefined,
      onProgress: ({ doneBytes, totalBytes }) => fractions.push(doneBytes / totalBytes),
    });
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(fractions.at(-1)).toBe(1);
  });
});

it('knows what a float16 means', () => {
  expect([0x3c00, 0xc000, 0x0001, 0x7bff].map(fromFloat16)).toEqual([1, -2, 2 ** -24, 65504]);
});
