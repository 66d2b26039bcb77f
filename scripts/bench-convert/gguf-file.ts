import { open } from 'node:fs/promises';
import {
  ggufHeader,
  ggufLlamaMetadata,
  ggufPadding,
  ggufSizeBytes,
  type GgufTensor,
  ggufTensorName,
} from '../../src/convert/checkpoint/gguf-writer.fixture.ts';
import type { LlamaConfig } from '../../src/convert/llama-config.ts';
import type { StoredTensor, TensorBytes } from './make-checkpoint.ts';

/** A bfloat16 GGUF with a SentencePiece vocabulary of bytes and made-up words. */
export async function writeGgufFile(
  path: string,
  tensors: readonly StoredTensor[],
  bytesOf: TensorBytes,
  config: LlamaConfig,
): Promise<void> {
  const listed = tensors.map(({ name, shape }): GgufTensor => ({ name: ggufTensorName(name), shape, type: 'BF16' }));
  const file = await open(path, 'w');
  try {
    await file.write(ggufHeader(ggufLlamaMetadata(config), listed));
    for (const [i, tensor] of listed.entries()) {
      for (const piece of bytesOf(tensor.shape, i)) await file.write(piece);
      await file.write(ggufPadding(ggufSizeBytes(tensor)));
    }
  } finally {
    await file.close();
  }
}
