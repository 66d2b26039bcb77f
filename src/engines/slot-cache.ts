import type { Tensor, TensorConstructor } from 'onnxruntime-web';
import { type CacheData, emptyCacheData, type Feeds } from './kv-cache.ts';
import type { DecoderShape } from './decoder-shape.ts';
import { newRowsName } from './new-cache-rows.ts';

/** Room is made for this share more than is needed, so that it is made seldom; the kernels clear what they do not use. */
const GROWTH = 1.25;
/** Tokens. */
const ROUNDING = 64;

/**
 * Keys and values of several sequences, each in a slot of its own: per layer and part one array
 * [slots, kvHeads, capacity, headDim], so that neighbouring slots are one tensor and any one of them is too. It lives in
 * JavaScript's memory; steps read it in place, and their new rows are written into it.
 */
export class SlotCache {
  readonly slotCount: number;
  readonly #shape: DecoderShape;
  readonly #Tensor: TensorConstructor;
  #capacityTokens = 0;
  /** In the order of the shape's parts. */
  #parts: CacheData[] = [];

  constructor(shape: DecoderShape, Tensor: TensorConstructor, slotCount: number) {
    this.#shape = shape;
    this.#Tensor = Tensor;
    this.slotCount = slotCount;
  }

  /** Makes room for so many tokens in each slot; what the slots hold stays. */
  reserve(tokens: number): void {
    if (tokens <= this.#capacityTokens) return;
    const { kvHeadCount, headDim, cacheType, cacheParts } = this.#shape;
    const capacity = Math.ceil((tokens * GROWTH) / ROUNDING) * ROUNDING;
    const oldRun = this.#capacityTokens * headDim;
    const newRun = capacity * headDim;
    this.#parts = cacheParts.map((_, part) => {
      const data = emptyCacheData(cacheType, this.slotCount * kvHeadCount * newRun);
      const old = this.#parts[part];
      if (old !== undefined) {
        for (let run = 0; run < this.slotCount * kvHeadCount; run++) {
          data.set(old.subarray(run * oldRun, (run + 1) * oldRun), run * newRun);
        }
      }
      return data;
    });
    this.#capacityTokens = capacity;
  }

  /** What a step of these slots reads. */
  past(firstSlot: number, slots: number): Feeds {
    const { kvHeadCount, headDim, cacheType, cacheParts } = this.#shape;
    const slotElements = kvHeadCount * this.#capacityTokens * headDim;
    const dims = [slots, kvHeadCount, this.#capacityTokens, headDim];
    return Object.fromEntries(
      cacheParts.map(({ pastName }, part) => {
        const data = (this.#parts[part] as CacheData).subarray(
          firstSlot * slotElements,
          (firstSlot + slots) * slotElements,
        );
        return [pastName, new this.#Tensor(cacheType, data, dims)];
      }),
    );
  }

  /** Where a step's new rows will be: int64 [slots, kvHeads, tokens, 2]. */
  newPositions(pastTokens: readonly number[], tokens: number): Tensor {
    const { kvHeadCount } = this.#shape;
    const positions = new BigInt64Array(pastTokens.length * kvHeadCount * tokens * 2);
    let at = 0;
    for (const past of pastTokens) {
      for (let head = 0; head < kvHeadCount; head++) {
        for (let token = 0; token < tokens; token++) {
          positions[at++] = BigInt(head);
          positions[at++] = BigInt(past + token);
        }
      }
    }
    return new this.#Tensor('int64', positions, [pastTokens.length, kvHeadCount, tokens, 2]);
  }

  /** Takes a step's new rows. */
  write(outputs: Readonly<Feeds>, firstSlot: number, pastTokens: readonly number[], tokens: number): void {
    const { kvHeadCount, headDim, cacheParts } = this.#shape;
    const rows = tokens * headDim;
    cacheParts.forEach(({ presentName }, part) => {
      const name = newRowsName(presentName);
      const added = outputs[name]?.data as CacheData | undefined;
      if (added === undefined) throw new Error(`The graph gave no ${name}.`);
      const data = this.#parts[part] as CacheData;
      pastTokens.forEach((past, i) => {
        for (let head = 0; head < kvHeadCount; head++) {
          const from = (i * kvHeadCount + head) * rows;
          const run = (firstSlot + i) * kvHeadCount + head;
          data.set(added.subarray(from, from + rows), (run * this.#capacityTokens + past) * headDim);
        }
      });
    });
  }

  /** Copies the first tokens of one slot into another. */
  copy(from: number, to: number, tokens: number): void {
    const { kvHeadCount, headDim } = this.#shape;
    const start = (slot: number, head: number) => (slot * kvHeadCount + head) * this.#capacityTokens * headDim;
    for (const data of this.#parts) {
      for (let head = 0; head < kvHeadCount; head++) {
        data.copyWithin(start(to, head), start(from, head), start(from, head) + tokens * headDim);
      }
    }
  }

  dispose(): void {
    this.#parts = [];
    this.#capacityTokens = 0;
  }
}
