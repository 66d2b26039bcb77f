import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ggufHeader,
  ggufLlamaMetadata,
  ggufPadding,
  ggufSizeBytes,
  type GgufTensor,
  ggufTensorName,
} from '../convert/checkpoint/gguf-writer.fixture.ts';
import { storedRowOfPermuted } from '../convert/checkpoint/stored-tensor.ts';
import type { LlamaConfig } from '../convert/llama-config.ts';
import { randomCheckpoint, SMALL_LLAMA } from '../convert/small-llama.fixture.ts';

/**
 * The random weights of `randomCheckpoint` as float32 in a GGUF of a temporary folder.
 *
 * @param options.isBlind  attention adds nothing: each token follows from the one before it alone
 */
export async function writeSmallGguf(
  config: LlamaConfig = SMALL_LLAMA,
  { seed = 1, isBlind = false } = {},
): Promise<{ path: string; remove: () => Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'small-gguf-'));
  const path = join(directory, 'small-llama.gguf');
  const tensors = [...randomCheckpoint(config, seed).tensors.values()];
  const listed = tensors.map(({ name, shape }): GgufTensor => ({ name: ggufTensorName(name), shape, type: 'F32' }));
  const file = await open(path, 'w');
  try {
    await file.write(ggufHeader(ggufLlamaMetadata(config), listed));
    for (const [i, tensor] of tensors.entries()) {
      const { name, shape } = tensor;
      const rowCount = shape.length === 1 ? 1 : (shape[0] as number);
      const values = await tensor.readRows(0, rowCount);
      const isPermuted = /self_attn\.[qk]_proj/.test(name);
      if (isBlind && name.endsWith('self_attn.o_proj.weight')) values.fill(0);
      const stored = isPermuted ? permuted(values, rowCount, config.headDim) : values;
      await file.write(new Uint8Array(stored.buffer));
      await file.write(ggufPadding(ggufSizeBytes(listed[i] as GgufTensor)));
    }
  } finally {
    await file.close();
  }
  return { path, remove: () => rm(directory, { recursive: true }) };
}

/** The rows in llama.cpp's order. */
function permuted(values: Float32Array, rowCount: number, headDim: number): Float32Array {
  const columns = values.length / rowCount;
  const stored = new Float32Array(values.length);
  for (let row = 0; row < rowCount; row++) {
    const from = values.subarray(row * columns, (row + 1) * columns);
    stored.set(from, storedRowOfPermuted(row, headDim) * columns);
  }
  return stored;
}
