import type { Tensor, TensorConstructor } from 'onnxruntime-web';
import type { DecoderShape } from './decoder-shape.ts';

/** Tensors by name of graph input or output; null asks the backend to allocate. */
export type Feeds = Record<string, Tensor>;
export type Fetches = Record<string, Tensor | null>;

/** Keys and values of all layers, where the backend keeps them. */
export interface KvCache {
  /** As `Decoder.reserve`. */
  reserve(tokens: number, keepTokens: number): number;
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

/** A buffer has room for the next multiple of so many tokens: a prompt that is a little longer than the last keeps it. */
const ROUNDING = 256;

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

  reserve(tokens: number, keepTokens: number): number {
    if (tokens <= this.#capacityTokens) return keepTokens;
    this.dispose();
    const capacity = Math.ceil(tokens / ROUNDING) * ROUNDING;
    for (const { pastName, presentName } of this.#shape.cacheParts) {
      const tensor = this.#allocate([1, this.#shape.kvHeadCount, capacity, this.#shape.headDim]);
      this.past[pastName] = tensor;
      this.present[presentName] = tensor;
    }
    this.#capacityTokens = capacity;
    return 0;
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

  reserve(_tokens: number, keepTokens: number): number {
    this.#cut(keepTokens);
    return keepTokens;
  }

  /** A step is given what it follows and no more: it copies all. */
  prepare(pastTokens: number): void {
    this.#cut(pastTokens);
  }

  #cut(tokens: number): void {
    const { kvHeadCount, headDim, cacheType, cacheParts } = this.#shape;
    for (const { pastName } of cacheParts) {
      const old = this.past[pastName];
      if (old?.dims[2] === tokens) continue;
      const data = emptyCacheData(cacheType, kvHeadCount * tokens * headDim);
      if (old !== undefined && tokens > 0) {
        const [oldRun, run] = [old.dims[2]! * headDim, tokens * headDim];
        const values = old.data as CacheData;
        for (let head = 0; head < kvHeadCount; head++) {
          data.set(values.subarray(head * oldRun, head * oldRun + run), head * run);
        }
      }
      this.past[pastName] = new this.#Tensor(cacheType, data, [1, kvHeadCount, tokens, headDim]);
    }
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
export type CacheData = Float32Array | Uint16Array;

export function emptyCacheData(type: DecoderShape['cacheType'], size: number): CacheData {
  return type === 'float32' ? new Float32Array(size) : new Uint16Array(size);
}
