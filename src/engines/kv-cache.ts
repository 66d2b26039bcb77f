import type { Tensor, TensorConstructor } from 'onnxruntime-web';
import type { DecoderShape } from './decoder-shape.ts';

/** Tensors by name of graph input or output; null asks the backend to allocate. */
export type Feeds = Record<string, Tensor>;
export type Fetches = Record<string, Tensor | null>;

/** Keys and values of all layers, where the backend keeps them. */
export interface KvCache {
  /** A generation of this many tokens begins; what was cached is no longer needed. */
  reserve(tokens: number): void;
  /** A step begins that makes `pastTokens` tokens `totalTokens`. */
  prepare(pastTokens: number, totalTokens: number): void;
  /** What the step reads. */
  readonly past: Readonly<Feeds>;
  /** Where it writes. */
  readonly present: Readonly<Fetches>;
  /** Takes what it wrote. */
  accept(outputs: Readonly<Feeds>): void;
  dispose(): void;
}

/**
 * One buffer per layer and part, given as past and as present: GroupQueryAttention then writes the new tokens in place.
 * As large as the generation from its start. For WebGPU.
 */
export class SharedKvCache implements KvCache {
  readonly past: Feeds = {};
  readonly present: Fetches = {};
  readonly #shape: DecoderShape;
  readonly #allocate: (dims: readonly number[]) => Tensor;
  #capacityTokens = 0;

  /** @param allocate  makes a tensor of the cache's type; what it holds does not matter */
  constructor(shape: DecoderShape, allocate: (dims: readonly number[]) => Tensor) {
    this.#shape = shape;
    this.#allocate = allocate;
  }

  reserve(tokens: number): void {
    if (tokens <= this.#capacityTokens) return;
    this.dispose();
    for (const { pastName, presentName } of this.#shape.cacheParts) {
      const tensor = this.#allocate([1, this.#shape.kvHeadCount, tokens, this.#shape.headDim]);
      this.past[pastName] = tensor;
      this.present[presentName] = tensor;
    }
    this.#capacityTokens = tokens;
  }

  prepare(): void {
    // There is room.
  }

  accept(): void {
    // The step wrote in place.
  }

  dispose(): void {
    for (const tensor of Object.values(this.past)) tensor.dispose();
    this.#capacityTokens = 0;
  }
}

/** Buffers of {@link GrowingKvCache} are this many tokens longer than needed at most. */
const GROWTH_TOKENS = 32;

/**
 * Buffers as in {@link SharedKvCache}, but hardly longer than what they hold. For onnxruntime-node, which writes in place
 * and then still copies each output, whole, into a new array that nobody reads: with room for all of a generation from
 * its start, that copy was the larger part of a step.
 *
 * @see https://github.com/microsoft/onnxruntime/blob/v1.24.0/js/node/src/tensor_helper.cc, OrtValueToNapiValue
 */
export class GrowingKvCache implements KvCache {
  readonly past: Feeds = {};
  readonly present: Fetches = {};
  readonly #shape: DecoderShape;
  readonly #Tensor: TensorConstructor;
  #capacityTokens = 0;

  constructor(shape: DecoderShape, Tensor: TensorConstructor) {
    this.#shape = shape;
    this.#Tensor = Tensor;
  }

  reserve(): void {
    this.#capacityTokens = 0;
  }

  prepare(pastTokens: number, totalTokens: number): void {
    if (totalTokens <= this.#capacityTokens) return;
    const { kvHeadCount, headDim, cacheType, cacheParts } = this.#shape;
    const capacityTokens = Math.ceil(totalTokens / GROWTH_TOKENS) * GROWTH_TOKENS;
    const headElements = capacityTokens * headDim;
    for (const { pastName, presentName } of cacheParts) {
      const data = emptyData(cacheType, kvHeadCount * headElements);
      const old = this.past[pastName]?.data as typeof data | undefined;
      const oldHeadElements = this.#capacityTokens * headDim;
      for (let head = 0; old !== undefined && head < kvHeadCount; head++) {
        const start = head * oldHeadElements;
        data.set(old.subarray(start, start + pastTokens * headDim), head * headElements);
      }
      const tensor = new this.#Tensor(cacheType, data, [1, kvHeadCount, capacityTokens, headDim]);
      this.past[pastName] = tensor;
      this.present[presentName] = tensor;
    }
    this.#capacityTokens = capacityTokens;
  }

  accept(): void {
    // The step wrote in place; its copies are garbage.
  }

  dispose(): void {
    for (const { pastName, presentName } of this.#shape.cacheParts) {
      delete this.past[pastName];
      delete this.present[presentName];
    }
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
  }

  reserve(): void {
    const { kvHeadCount, headDim, cacheType, cacheParts } = this.#shape;
    for (const { pastName } of cacheParts) {
      this.past[pastName] = new this.#Tensor(cacheType, emptyData(cacheType, 0), [1, kvHeadCount, 0, headDim]);
    }
  }

  prepare(): void {
    // The backend allocates what it returns.
  }

  accept(outputs: Readonly<Feeds>): void {
    for (const { pastName, presentName } of this.#shape.cacheParts) {
      const present = outputs[presentName];
      if (present === undefined) throw new Error(`The graph gave no ${presentName}.`);
      this.past[pastName] = present;
    }
  }

  dispose(): void {
    for (const { pastName } of this.#shape.cacheParts) delete this.past[pastName];
  }
}

/** ORT holds float16 as Uint16Array where there is no Float16Array. */
function emptyData(type: DecoderShape['cacheType'], size: number): Float32Array | Uint16Array {
  return type === 'float32' ? new Float32Array(size) : new Uint16Array(size);
}
