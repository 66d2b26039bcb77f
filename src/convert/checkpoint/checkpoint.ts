import type { LlamaConfig } from '../llama-config.ts';

/** How a checkpoint stores a tensor's elements. GGUF's names for its block formats. */
export type StoredType = 'F32' | 'F16' | 'BF16' | 'Q4_0' | 'Q4_1' | 'Q5_0' | 'Q5_1' | 'Q8_0' | 'Q4_K' | 'Q5_K' | 'Q6_K';

export interface TensorLocation {
  /** The source's name. */
  file: string;
  offsetBytes: number;
}

/** One tensor, read by rows. Shapes are in row-major (PyTorch) order: a projection is [outFeatures, inFeatures]. */
export interface CheckpointTensor {
  /** Hugging Face's name, such as `model.layers.0.self_attn.q_proj.weight`, whatever the file calls it. */
  readonly name: string;
  readonly storedType: StoredType;
  /** [rows, columns], or [columns] for a norm. */
  readonly shape: readonly number[];
  /** Where its rows begin, for a reader that goes through the files once. Absent for a tensor that is in no file. */
  readonly location?: TensorLocation;
  /**
   * Dequantized rows in order; a vector counts as one row. GGUF's permuted q and k rows come back in Hugging
   * Face's order.
   *
   * @returns float32 [count, columns]
   */
  readRows(first: number, count: number): Promise<Float32Array>;
  /**
   * The rows as stored (same order as `readRows`), for formats that go over without a second rounding.
   *
   * @returns uint8 [count, bytesPerRow]
   */
  readRawRows(first: number, count: number): Promise<Uint8Array>;
}

/** A Llama checkpoint whatever its file format. Opening one reads headers only. */
export interface Checkpoint {
  readonly format: 'safetensors' | 'gguf' | 'torch';
  readonly config: LlamaConfig;
  /** Hugging Face names. */
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  /** Bytes of all tensors as stored. */
  readonly sizeBytes: number;
  /**
   * Files that go into the converted folder as they are or as made from the checkpoint's metadata:
   * tokenizer.json, tokenizer_config.json, generation_config.json. UTF-8 text by path.
   */
  readonly sidecars: ReadonlyMap<string, string>;
}
