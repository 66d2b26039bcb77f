import { execFileSync } from 'node:child_process';
import { mkdir, open, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LlamaConfig } from '../../src/convert/llama-config.ts';
import { layerTensorNames } from '../../src/convert/onnx/llama-plan.ts';
import { BYTE_TOKENIZER, normalValues } from '../../src/convert/small-llama.fixture.ts';
import { writeGgufFile } from './gguf-file.ts';
import { writeTorchFile } from './torch-file.ts';

/** TinyLlama's shape, 1.1B parameters: that of the smallest published MetaAligner. */
export const TINY_LLAMA: LlamaConfig = {
  vocabularySize: 32000,
  hiddenSize: 2048,
  intermediateSize: 5632,
  layerCount: 22,
  headCount: 32,
  kvHeadCount: 4,
  headDim: 64,
  rmsNormEpsilon: 1e-5,
  ropeTheta: 10000,
  contextLength: 2048,
  isEmbeddingTied: false,
  bosTokenId: 1,
  eosTokenIds: [2],
};

/** `safetensors` and `gguf` hold bfloat16, `torch` a float32 pickle as the published checkpoints are. */
export const CHECKPOINT_FORMATS = ['safetensors', 'torch', 'gguf'] as const;
export type CheckpointFormat = (typeof CHECKPOINT_FORMATS)[number];

export interface StoredTensor {
  name: string;
  shape: readonly number[];
}

/** Of the formats that come in shards. */
const FORMATS = {
  safetensors: { base: 'model', suffix: 'safetensors', elementBytes: 2, write: writeSafetensors },
  torch: { base: 'pytorch_model', suffix: 'bin', elementBytes: 4, write: writeTorchFile },
} as const;
const SHARD_COUNT = 2;

/** Pseudo-random weights, in two shards or one GGUF. Does nothing if they are there already: what is written last tells. */
export async function makeCheckpoint(directory: string, config: LlamaConfig, format: CheckpointFormat): Promise<void> {
  if (format === 'gguf') return makeGguf(directory, config);
  const { base, suffix, elementBytes, write } = FORMATS[format];
  const indexPath = join(directory, `${base}.${suffix}.index.json`);
  if (await stat(indexPath).catch(() => undefined)) return;
  console.log(`making ${directory} …`);
  await mkdir(directory, { recursive: true });
  const tensors = tensorsOf(config);
  const byteCount = ({ shape }: StoredTensor) => elementBytes * shape.reduce((product, size) => product * size, 1);
  const totalBytes = tensors.reduce((sum, tensor) => sum + byteCount(tensor), 0);
  const weightMap: Record<string, string> = {};
  const pool = normalPool();
  let next = 0;
  for (let shard = 0, doneBytes = 0; shard < SHARD_COUNT; shard++) {
    const name = `${base}-${String(shard + 1).padStart(5, '0')}-of-${String(SHARD_COUNT).padStart(5, '0')}.${suffix}`;
    const first = next;
    const until = (totalBytes * (shard + 1)) / SHARD_COUNT;
    for (; next < tensors.length && doneBytes < until; next++) doneBytes += byteCount(tensors[next]!);
    const inShard = tensors.slice(first, next);
    await write(join(directory, name), inShard, (shape, seed) => pieces(shape, first + seed, pool, elementBytes));
    for (const tensor of inShard) weightMap[tensor.name] = name;
  }
  const files = {
    'config.json': {
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      vocab_size: config.vocabularySize,
      hidden_size: config.hiddenSize,
      intermediate_size: config.intermediateSize,
      num_hidden_layers: config.layerCount,
      num_attention_heads: config.headCount,
      num_key_value_heads: config.kvHeadCount,
      hidden_act: 'silu',
      rms_norm_eps: config.rmsNormEpsilon,
      max_position_embeddings: config.contextLength,
      tie_word_embeddings: false,
      bos_token_id: 1,
      eos_token_id: 2,
    },
    [`${base}.${suffix}.index.json`]: { metadata: { total_size: totalBytes }, weight_map: weightMap },
  };
  await writeFile(join(directory, 'tokenizer.json'), BYTE_TOKENIZER.tokenizerJson);
  await writeFile(join(directory, 'tokenizer_config.json'), BYTE_TOKENIZER.tokenizerConfigJson);
  for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), JSON.stringify(content));
  // The first run should not wait for this one's writes.
  execFileSync('sync');
}

async function makeGguf(directory: string, config: LlamaConfig): Promise<void> {
  const path = join(directory, 'model.gguf');
  if (await stat(path).catch(() => undefined)) return;
  console.log(`making ${directory} …`);
  await mkdir(directory, { recursive: true });
  const pool = normalPool();
  await writeGgufFile(`${path}.part`, tensorsOf(config), (shape, seed) => pieces(shape, seed, pool, 2), config);
  await rename(`${path}.part`, path);
  execFileSync('sync');
}

function tensorsOf(config: LlamaConfig): StoredTensor[] {
  const { vocabularySize, hiddenSize, intermediateSize, layerCount } = config;
  const keyRows = config.kvHeadCount * config.headDim;
  const tensors: StoredTensor[] = [{ name: 'model.embed_tokens.weight', shape: [vocabularySize, hiddenSize] }];
  for (let layer = 0; layer < layerCount; layer++) {
    const names = layerTensorNames(layer);
    tensors.push(
      { name: names.inputNorm, shape: [hiddenSize] },
      { name: names.query, shape: [config.headCount * config.headDim, hiddenSize] },
      { name: names.key, shape: [keyRows, hiddenSize] },
      { name: names.value, shape: [keyRows, hiddenSize] },
      { name: names.output, shape: [hiddenSize, config.headCount * config.headDim] },
      { name: names.postNorm, shape: [hiddenSize] },
      { name: names.gate, shape: [intermediateSize, hiddenSize] },
      { name: names.up, shape: [intermediateSize, hiddenSize] },
      { name: names.down, shape: [hiddenSize, intermediateSize] },
    );
  }
  tensors.push(
    { name: 'model.norm.weight', shape: [hiddenSize] },
    { name: 'lm_head.weight', shape: [vocabularySize, hiddenSize] },
  );
  return tensors;
}

/** A tensor's bytes. Each row comes from another place of the pool: as unlike as random ones to a quantizer. */
function* pieces(
  shape: readonly number[],
  seed: number,
  pool: Uint32Array,
  elementBytes: 2 | 4,
): Generator<Uint8Array> {
  let state = Math.imul(seed + 1, 2654435761) >>> 0;
  const columns = shape.at(-1)!;
  const rows = shape.length === 1 ? 1 : shape[0]!;
  for (let first = 0; first < rows; first += 1024) {
    const count = Math.min(1024, rows - first);
    const piece = elementBytes === 2 ? new Uint16Array(count * columns) : new Uint32Array(count * columns);
    for (let row = 0; row < count; row++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const start = state % (pool.length - columns);
      for (let i = 0; i < columns; i++) {
        const bits = pool[start + i]!;
        piece[row * columns + i] = elementBytes === 2 ? bits >>> 16 : bits;
      }
    }
    yield new Uint8Array(piece.buffer);
  }
}

/** float32 bits [2^22], normal with deviation 0.02, which is how Llama's weights start. */
function normalPool(): Uint32Array {
  return new Uint32Array(normalValues(1 << 22, 1).map((value) => value * 0.02).buffer);
}

/** Bytes of a tensor of that shape; another seed gives others. */
export type TensorBytes = (shape: readonly number[], seed: number) => Iterable<Uint8Array>;

async function writeSafetensors(path: string, tensors: readonly StoredTensor[], bytesOf: TensorBytes): Promise<void> {
  const header: Record<string, unknown> = {};
  let end = 0;
  for (const { name, shape } of tensors) {
    const sizeBytes = 2 * shape.reduce((product, size) => product * size, 1);
    header[name] = { dtype: 'BF16', shape, data_offsets: [end, (end += sizeBytes)] };
  }
  const headerBytes = new TextEncoder().encode(JSON.stringify(header));
  const prefix = new Uint8Array(8);
  new DataView(prefix.buffer).setBigUint64(0, BigInt(headerBytes.length), true);
  const file = await open(path, 'w');
  try {
    await file.write(prefix);
    await file.write(headerBytes);
    for (const [i, { shape }] of tensors.entries()) for (const piece of bytesOf(shape, i)) await file.write(piece);
  } finally {
    await file.close();
  }
}
