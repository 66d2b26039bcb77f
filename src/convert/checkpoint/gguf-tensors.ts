import type { ByteSource } from '../byte-source.ts';
import type { LlamaConfig } from '../llama-config.ts';
import { corrupt, quote, unsupported } from './checkpoint-errors.ts';
import type { StoredType } from './checkpoint.ts';
import { BLOCK_FORMATS } from './dequantize.ts';
import type { GgufTensorInfo } from './gguf.ts';
import { elementCount, rowBytes, type StoredRows, type StoredTensor } from './stored-tensor.ts';

const MODEL_NAMES: Readonly<Record<string, string>> = {
  'token_embd.weight': 'model.embed_tokens.weight',
  'output_norm.weight': 'model.norm.weight',
  'output.weight': 'lm_head.weight',
};
const LAYER_NAMES: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
};

/**
 * Hugging Face's name of a GGUF tensor.
 *
 * @returns undefined if a plain Llama decoder has no such tensor
 * @see llama.cpp gguf-py/gguf/tensor_mapping.py
 */
export function huggingFaceName(name: string): string | undefined {
  if (Object.hasOwn(MODEL_NAMES, name)) return MODEL_NAMES[name];
  const [, layer, part = ''] = /^blk\.(0|[1-9]\d{0,5})\.(\w+)\.weight$/.exec(name) ?? [];
  return Object.hasOwn(LAYER_NAMES, part) ? `model.layers.${layer}.${LAYER_NAMES[part]}.weight` : undefined;
}

/** Whether llama.cpp permuted the rows of a projection: see `storedRowOfPermuted`. */
const isPermuted = (name: string) => /\.attn_[qk]\.weight$/.test(name);

/**
 * The tensors of a GGUF file under Hugging Face's names.
 *
 * @throws AlignError `checkpoint-corrupt` if two overlap or one ends past the file; `unsupported-model` for a tensor
 *   that a plain Llama decoder does not have, or a type that we do not read
 */
export function ggufTensors(
  listed: readonly GgufTensorInfo[],
  source: ByteSource,
  config: LlamaConfig,
): Map<string, StoredTensor> {
  const file = source.name;
  const stored = new Map<string, StoredTensor>();
  const ranges: { name: string; begin: number; end: number }[] = [];
  for (const { name, shape, type, offsetBytes } of listed) {
    const hfName = huggingFaceName(name);
    if (hfName === undefined) {
      throw unsupported(file, `the tensor ${quote(name)} has no place in a plain Llama decoder`, { tensor: name });
    }
    if (!Object.hasOwn(BLOCK_FORMATS, type)) {
      throw unsupported(
        file,
        `the tensor ${name} is stored as ${type}; we read ${Object.keys(BLOCK_FORMATS).join(', ')}`,
        { tensor: name, type },
      );
    }
    const storedType = type as StoredType;
    const columns = shape.at(-1) ?? 1;
    const bytesPerRow = rowBytes(storedType, columns);
    if (bytesPerRow === undefined || columns === 0) {
      throw corrupt(file, `the tensor ${name} has rows of ${columns} elements, no whole ${type} blocks`, {
        tensor: name,
        shape,
      });
    }
    const end = offsetBytes + (elementCount(shape, file, name) / columns) * bytesPerRow;
    if (!(end <= source.sizeBytes)) {
      throw corrupt(file, `the tensor ${name} ends at byte ${end}; the file has ${source.sizeBytes}`, {
        tensor: name,
        end,
        sizeBytes: source.sizeBytes,
      });
    }
    ranges.push({ name, begin: offsetBytes, end });
    const rows: StoredRows = {
      storedType,
      offsetBytes,
      ...(isPermuted(name) ? { permutedHeadDim: config.headDim } : {}),
    };
    stored.set(hfName, { name: hfName, source, shape, rows });
  }
  checkOverlap(ranges, file);
  return stored;
}

function checkOverlap(ranges: { name: string; begin: number; end: number }[], file: string): void {
  ranges.sort((a, b) => a.begin - b.begin || a.end - b.end);
  for (const [i, { name, begin }] of ranges.entries()) {
    const before = ranges[i - 1];
    if (before !== undefined && begin < before.end) {
      throw corrupt(file, `the tensor ${name} at byte ${begin} overlaps ${before.name}, which ends at ${before.end}`, {
        tensor: name,
        begin,
        end: before.end,
      });
    }
  }
}
