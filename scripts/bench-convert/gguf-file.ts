import { open } from 'node:fs/promises';
import type { LlamaConfig } from '../../src/convert/llama-config.ts';
import type { StoredTensor, TensorBytes } from './make-checkpoint.ts';

const ALIGNMENT = 32;
const BF16 = 30;
/** SentencePiece's kinds of pieces. */
const PIECES = { normal: 1, unknown: 2, control: 3, byte: 6 };

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

/**
 * A bfloat16 GGUF of version 3 with a SentencePiece vocabulary of bytes and made-up words.
 *
 * @see ggml, docs/gguf.md
 */
export async function writeGgufFile(
  path: string,
  tensors: readonly StoredTensor[],
  bytesOf: TensorBytes,
  config: LlamaConfig,
): Promise<void> {
  const header = new GgufHeaderWriter();
  const metadata = metadataOf(config);
  header.text('GGUF');
  header.u32(3);
  header.u64(tensors.length);
  header.u64(metadata.length);
  for (const [key, write] of metadata) {
    header.string(key);
    write(header);
  }
  let end = 0;
  for (const { name, shape } of tensors) {
    header.string(ggufName(name));
    header.u32(shape.length);
    // Fastest first.
    for (const size of [...shape].reverse()) header.u64(size);
    header.u32(BF16);
    header.u64(end);
    end = aligned(end + 2 * shape.reduce((product, size) => product * size, 1));
  }
  const file = await open(path, 'w');
  try {
    let position = (await file.write(header.bytes())).bytesWritten;
    const pad = async () => {
      const bytes = new Uint8Array(aligned(position) - position);
      position += bytes.length;
      await file.write(bytes);
    };
    await pad();
    for (const [i, { shape }] of tensors.entries()) {
      for (const piece of bytesOf(shape, i)) {
        await file.write(piece);
        position += piece.length;
      }
      await pad();
    }
  } finally {
    await file.close();
  }
}

type Write = (header: GgufHeaderWriter) => void;

function metadataOf(config: LlamaConfig): [key: string, write: Write][] {
  const u32 =
    (value: number): Write =>
    (header) =>
      header.typed(4, () => header.u32(value));
  const f32 =
    (value: number): Write =>
    (header) =>
      header.typed(6, () => header.f32(value));
  const text =
    (value: string): Write =>
    (header) =>
      header.typed(8, () => header.string(value));
  const array = (type: number, length: number, element: (index: number, header: GgufHeaderWriter) => void): Write => {
    return (header) =>
      header.typed(9, () => {
        header.u32(type);
        header.u64(length);
        for (let i = 0; i < length; i++) element(i, header);
      });
  };
  const pieces = Array.from({ length: config.vocabularySize }, (_, id) => pieceOf(id));
  return [
    ['general.architecture', text('llama')],
    ['llama.context_length', u32(config.contextLength)],
    ['llama.embedding_length', u32(config.hiddenSize)],
    ['llama.block_count', u32(config.layerCount)],
    ['llama.feed_forward_length', u32(config.intermediateSize)],
    ['llama.attention.head_count', u32(config.headCount)],
    ['llama.attention.head_count_kv', u32(config.kvHeadCount)],
    ['llama.attention.layer_norm_rms_epsilon', f32(config.rmsNormEpsilon)],
    ['llama.rope.freq_base', f32(config.ropeTheta)],
    ['tokenizer.ggml.model', text('llama')],
    ['tokenizer.ggml.tokens', array(8, pieces.length, (i, header) => header.string(pieces[i]!.text))],
    ['tokenizer.ggml.scores', array(6, pieces.length, (i, header) => header.f32(-i))],
    ['tokenizer.ggml.token_type', array(5, pieces.length, (i, header) => header.u32(pieces[i]!.type))],
    ['tokenizer.ggml.bos_token_id', u32(1)],
    ['tokenizer.ggml.eos_token_id', u32(2)],
  ];
}

/** The special pieces, all bytes, then words of two letters and a number. */
function pieceOf(id: number): { text: string; type: number } {
  if (id === 0) return { text: '<unk>', type: PIECES.unknown };
  if (id <= 2) return { text: id === 1 ? '<s>' : '</s>', type: PIECES.control };
  if (id < 259) return { text: `<0x${(id - 3).toString(16).toUpperCase().padStart(2, '0')}>`, type: PIECES.byte };
  return { text: `▁w${id}`, type: PIECES.normal };
}

function ggufName(name: string): string {
  if (name === 'model.embed_tokens.weight') return 'token_embd.weight';
  if (name === 'model.norm.weight') return 'output_norm.weight';
  if (name === 'lm_head.weight') return 'output.weight';
  const [, layer, part = ''] = /^model\.layers\.(\d+)\.(.+)\.weight$/.exec(name) ?? [];
  return `blk.${layer}.${PARTS[part]}.weight`;
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/** Little-endian numbers and length-prefixed strings. */
class GgufHeaderWriter {
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

  /** A value's type before it. */
  typed(type: number, write: () => void): void {
    this.u32(type);
    write();
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}
