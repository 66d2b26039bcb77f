import type { Tensor, TensorConstructor } from 'onnxruntime-web';
import type { DecoderShape } from './decoder-shape.ts';

/** Tensors by name of graph input or output; null asks the backend to allocate. */
export type Feeds = Record<string, Tensor>;
export type Fetches = Record<string, Tensor | null>;

/** Keys and values of all layers, where the backend keeps them. */
export interface KvCache {
  /** See `Decoder.reserve`. */
  reserve(tokens: number): void;
  /** What the next step reads. */
  readonly past: Readonly<Feeds>;
  /** Where it writes. */
  readonly present: Readonly<Fetches>;
  /** Takes what it wrote. */
  accept(outputs: Readonly<Feeds>): void;
  dispose(): void;
}

/** Buffers grow in steps of this many tokens, so that requests of about the same length share them. */
const GROWTH_TOKENS = 256;

/**
 * One buffer per layer and part, given as past and as present: GroupQueryAttention then writes the new tokens in place
 * and copies nothing. For backends that write into the tensors given as outputs.
 */
export class SharedKvCache implements KvCache {
  readonly past: Feeds = {};
  readonly present: Fetches = {};
  readonly #shape: DecoderShape;
  readonly #contextLength: number;
  readonly #allocate: (dims: readonly number[]) => Tensor;
  #capacityTokens = 0;

  /** @param allocate  makes a tensor of the cache's type; what it holds does not matter */
  constructor(shape: DecoderShape, contextLength: number, allocate: (dims: readonly number[]) => Tensor) {
    this.#shape = shape;
    this.#contextLength = contextLength;
    this.#allocate = allocate;
  }

  reserve(tokens: number): void {
    if (tokens <= this.#capacityTokens) return;
    const rounded = Math.ceil(tokens / GROWTH_TOKENS) * GROWTH_TOKENS;
    const capacityTokens = Math.max(tokens, Math.min(rounded, this.#contextLength));
    this.dispose();
    for (const { pastName, presentName } of this.#shape.cacheParts) {
      const tensor = this.#allocate([1, this.#shape.kvHeadCount, capacityTokens, this.#shape.headDim]);
      this.past[pastName] = tensor;
      this.present[presentName] = tensor;
    }
    this.#capacityTokens = capacityTokens;
  }

  accept(): void {
    // The step wrote in place.
  }

  dispose(): void {
    for (const tensor of Object.values(this.past)) tensor.dispose();
    this.#capacityTokens = 0;
  }
}

/** Each step's presents are the next one's past. For wasm, which never writes into a tensor given as output. */
export class ReturnedKvCache implements KvCache {
  readonly past: Feeds = {};
  readonly present: Fetches = {};
  readonly #shape: DecoderShape;
  readonly #Tensor: TensorConstructor;

  constructor(shape: DecoderShape, Tensor: TensorConstructor) {
    this.#shape = shape;
    this.#Tensor = Tensor;
    for (const { presentName } of shape.cacheParts) this.present[presentName] = null;
    this.reserve();
  }

  reserve(): void {
    this.dispose();
    const { kvHeadCount, headDim, cacheType } = this.#shape;
    const data = cacheType === 'float32' ? new Float32Array() : new Uint16Array();
    for (const { pastName } of this.#shape.cacheParts) {
      this.past[pastName] = new this.#Tensor(cacheType, data, [1, kvHeadCount, 0, headDim]);
    }
  }

  accept(outputs: Readonly<Feeds>): void {
    this.dispose();
    for (const { pastName, presentName } of this.#shape.cacheParts) {
      const present = outputs[presentName];
      if (present === undefined) throw new Error(`The graph gave no ${presentName}.`);
      this.past[pastName] = present;
    }
  }

  dispose(): void {
    for (const tensor of Object.values(this.past)) tensor.dispose();
  }
}
