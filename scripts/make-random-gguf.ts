/**
 * Writes a GGUF in Q4_0 of a Llama's shape with random weights, to measure how fast models of that size run where the
 * checkpoints themselves are not at hand. What it writes is without sense.
 *
 * Usage: tsx scripts/make-random-gguf.ts 1.1b|7b|13b FILE [TOKENIZER.MODEL]
 * Without Llama 2's tokenizer its vocabulary is bytes and made-up words, and texts have three times as many tokens.
 */
import { randomFillSync } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import {
  ggufHeader,
  ggufLlamaMetadata,
  ggufPadding,
  type GgufPiece,
  ggufSizeBytes,
  type GgufTensor,
  ggufTensorName,
  Q4_0_BLOCK_BYTES,
} from '../src/convert/checkpoint/gguf-writer.fixture.ts';
import type { LlamaConfig } from '../src/convert/llama-config.ts';
import { planWeights } from '../src/convert/onnx/llama-plan.ts';
import { tokenizerFromSentencePiece } from '../src/convert/tokenizer/sentencepiece.ts';
import { TINY_LLAMA } from './bench-convert/make-checkpoint.ts';

const LLAMA_7B: LlamaConfig = {
  ...TINY_LLAMA,
  hiddenSize: 4096,
  intermediateSize: 11008,
  layerCount: 32,
  kvHeadCount: 32,
  headDim: 128,
  contextLength: 4096,
};
const SHAPES: Record<string, LlamaConfig> = {
  '1.1b': TINY_LLAMA,
  '7b': LLAMA_7B,
  '13b': { ...LLAMA_7B, hiddenSize: 5120, intermediateSize: 13824, layerCount: 40, headCount: 40, kvHeadCount: 40 },
};
/** About 0.0011 as float16: with nibbles from -8 to 7 a deviation of 0.005. Four times as much overflows float16 in 32 layers of 7B. */
const SCALE_BITS = 0x1472;
const POOL_BLOCKS = 1 << 20;

const [name = '', path, tokenizerPath] = process.argv.slice(2);
const config = SHAPES[name];
if (config === undefined || path === undefined) {
  console.error(`Usage: tsx scripts/make-random-gguf.ts ${Object.keys(SHAPES).join('|')} FILE [TOKENIZER.MODEL]`);
  process.exit(2);
}
const pieces = tokenizerPath === undefined ? undefined : readPieces(await readFile(tokenizerPath));
const pool = randomBlocks();
const tensors = planWeights(config).flatMap(({ kind, rows, columns, sources }) =>
  sources.map((source): GgufTensor => {
    if (kind === 'norm') return { name: ggufTensorName(source), shape: [columns], type: 'F32' };
    const heads = source.includes('q_proj') ? config.headCount : config.kvHeadCount;
    const shape = [sources.length === 1 ? rows : heads * config.headDim, columns];
    return { name: ggufTensorName(source), shape, type: 'Q4_0' };
  }),
);
const file = await open(path, 'w');
try {
  await file.write(ggufHeader(ggufLlamaMetadata(config, pieces), tensors));
  for (const tensor of tensors) {
    const sizeBytes = ggufSizeBytes(tensor);
    if (tensor.type === 'F32') await file.write(new Uint8Array(new Float32Array(sizeBytes / 4).fill(1).buffer));
    else await writeBlocks(sizeBytes);
    await file.write(ggufPadding(sizeBytes));
  }
} finally {
  await file.close();
}

/** Of the pool, from wherever: as random as new ones for whoever only counts time. */
async function writeBlocks(sizeBytes: number): Promise<void> {
  let from = Math.floor(Math.random() * POOL_BLOCKS) * Q4_0_BLOCK_BYTES;
  for (let written = 0; written < sizeBytes; from = 0) {
    const part = pool.subarray(from, from + sizeBytes - written);
    await file.write(part);
    written += part.length;
  }
}

function randomBlocks(): Uint8Array {
  const blocks = randomFillSync(new Uint8Array(POOL_BLOCKS * Q4_0_BLOCK_BYTES));
  for (let at = 0; at < blocks.length; at += Q4_0_BLOCK_BYTES) {
    blocks[at] = SCALE_BITS & 0xff;
    blocks[at + 1] = SCALE_BITS >> 8;
  }
  return blocks;
}

/** Llama 2's: the unknown, start and end, the bytes, then words and parts of them. */
function readPieces(model: Uint8Array): GgufPiece[] {
  const { tokenizerJson } = tokenizerFromSentencePiece(model);
  const { vocab } = (JSON.parse(tokenizerJson) as { model: { vocab: Record<string, number> } }).model;
  const pieces: GgufPiece[] = [];
  for (const [text, id] of Object.entries(vocab)) {
    pieces[id] = { text, kind: id === 0 ? 'unknown' : id < 3 ? 'control' : id < 259 ? 'byte' : 'normal' };
  }
  return pieces;
}
