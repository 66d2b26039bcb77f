import type { LlamaConfig } from '../llama-config.ts';

const ALIGNMENT_BYTES = 32;
/** ggml's numbers of the types that are written here. */
const TENSOR_TYPES = { F32: 0, Q4_0: 2, BF16: 30 } as const;
/** Of 32 values: a float16 scale and their nibbles. */
export const Q4_0_BLOCK_BYTES = 18;
/** SentencePiece's kinds of pieces. */
const PIECE_KINDS = { normal: 1, unknown: 2, control: 3, byte: 6 } as const;

const PARTS: Readonly<Record<string, string>> = {
  input_layernorm: 'attn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  post_attention_layernorm: 'ffn_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
};

export interface GgufTensor {
  name: string;
  /** Row-major, as PyTorch has it. */
  shape: readonly number[];
  type: keyof typeof TENSOR_TYPES;
}

export interface GgufPiece {
  text: string;
  kind: keyof typeof PIECE_KINDS;
}

type Value =
  | { type: 'u32' | 'f32'; value: number }
  | { type: 'string'; value: string }
  | { type: 'strings'; value: readonly string[] }
  | { type: 'u32s' | 'f32s'; value: readonly number[] };
type GgufMetadata = Readonly<Record<string, Value>>;

export function ggufSizeBytes({ shape, type }: GgufTensor): number {
  const values = shape.reduce((product, size) => product * size, 1);
  return type === 'Q4_0' ? (values / 32) * Q4_0_BLOCK_BYTES : (type === 'F32' ? 4 : 2) * values;
}

/** Bytes that come after `sizeBytes` of a part, up to where the next begins. */
export function ggufPadding(sizeBytes: number): Uint8Array {
  return new Uint8Array(Math.ceil(sizeBytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES - sizeBytes);
}

/**
 * What a GGUF of version 3 begins with, its padding included. The tensors follow in order, each with its padding.
 *
 * @see ggml, docs/gguf.md
 */
export function ggufHeader(metadata: GgufMetadata, tensors: readonly GgufTensor[]): Uint8Array {
  const header = new HeaderWriter();
  header.text('GGUF');
  header.u32(3);
  header.u64(tensors.length);
  header.u64(Object.keys(metadata).length);
  for (const [key, value] of Object.entries(metadata)) {
    header.string(key);
    header.value(value);
  }
  let offset = 0;
  for (const tensor of tensors) {
    header.string(tensor.name);
    header.u32(tensor.shape.length);
    // Fastest first.
    for (const size of [...tensor.shape].reverse()) header.u64(size);
    header.u32(TENSOR_TYPES[tensor.type]);
    header.u64(offset);
    const sizeBytes = ggufSizeBytes(tensor);
    offset += sizeBytes + ggufPadding(sizeBytes).length;
  }
  const bytes = header.bytes();
  return Buffer.concat([bytes, ggufPadding(bytes.length)]);
}

/** Of a Llama. @param pieces  by token id; of bytes and, where the vocabulary is larger, made-up words by default */
export function ggufLlamaMetadata(
  config: LlamaConfig,
  pieces: readonly GgufPiece[] = Array.from({ length: config.vocabularySize }, (_, id) => pieceOf(id)),
): GgufMetadata {
  return {
    'general.architecture': { type: 'string', value: 'llama' },
    'llama.context_length': { type: 'u32', value: config.contextLength },
    'llama.embedding_length': { type: 'u32', value: config.hiddenSize },
    'llama.block_count': { type: 'u32', value: config.layerCount },
    'llama.feed_forward_length': { type: 'u32', value: config.intermediateSize },
    'llama.attention.head_count': { type: 'u32', value: config.headCount },
    'llama.attention.head_count_kv': { type: 'u32', value: config.kvHeadCount },
    'llama.attention.layer_norm_rms_epsilon': { type: 'f32', value: config.rmsNormEpsilon },
    'llama.rope.freq_base': { type: 'f32', value: config.ropeTheta },
    'tokenizer.ggml.model': { type: 'string', value: 'llama' },
    'tokenizer.ggml.tokens': { type: 'strings', value: pieces.map(({ text }) => text) },
    'tokenizer.ggml.scores': { type: 'f32s', value: pieces.map((_, i) => -i) },
    'tokenizer.ggml.token_type': { type: 'u32s', value: pieces.map(({ kind }) => PIECE_KINDS[kind]) },
    'tokenizer.ggml.bos_token_id': { type: 'u32', value: 1 },
    'tokenizer.ggml.eos_token_id': { type: 'u32', value: 2 },
  };
}

/** @param name  Hugging Face's */
export function ggufTensorName(name: string): string {
  if (name === 'model.embed_tokens.weight') return 'token_embd.weight';
  if (name === 'model.norm.weight') return 'output_norm.weight';
  if (name === 'lm_head.weight') return 'output.weight';
  const [, layer, part = ''] = /^model\.layers\.(\d+)\.(.+)\.weight$/.exec(name) ?? [];
  return `blk.${layer}.${PARTS[part]}.weight`;
}

/** The special pieces, all bytes, then words of two letters and a number. */
function pieceOf(id: number): GgufPiece {
  if (id === 0) return { text: '<unk>', kind: 'unknown' };
  if (id <= 2) return { text: id === 1 ? '<s>' : '</s>', kind: 'control' };
  if (id < 259) return { text: `<0x${(id - 3).toString(16).toUpperCase().padStart(2, '0')}>`, kind: 'byte' };
  return { text: `▁w${id}`, kind: 'normal' };
}

/** Little-endian numbers, length-prefixed strings, and values with their types before them. */
class HeaderWriter {
  readonly #parts: Buffer[] = [];

  text(value: string): void {
    this.#parts.push(Buffer.from(value));
  }

  string(value: string): void {
    const bytes = Buffer.from(value);
    this.u64(bytes.length);
    this.#parts.push(bytes);
  }

  u32(value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    this.#parts.push(bytes);
  }

  u64(value: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    this.#parts.push(bytes);
  }

  f32(value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatLE(value);
    this.#parts.push(bytes);
  }

  value(entry: Value): void {
    switch (entry.type) {
      case 'u32':
        this.u32(4);
        return this.u32(entry.value);
      case 'f32':
        this.u32(6);
        return this.f32(entry.value);
      case 'string':
        this.u32(8);
        return this.string(entry.value);
      case 'strings':
        this.#list(8, entry.value.length);
        return entry.value.forEach((text) => this.string(text));
      case 'u32s':
        this.#list(5, entry.value.length);
        return entry.value.forEach((number) => this.u32(number));
      case 'f32s':
        this.#list(6, entry.value.length);
        return entry.value.forEach((number) => this.f32(number));
      default:
        entry satisfies never;
    }
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #list(type: number, length: number): void {
    this.u32(9);
    this.u32(type);
    this.u64(length);
  }
}
