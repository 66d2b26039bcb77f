import { Tensor } from 'onnxruntime-node';
import type { Decoder } from './decoder.ts';
import type { DecoderShape } from './decoder-shape.ts';
import type { Feeds, Fetches } from './kv-cache.ts';
import type { OnnxDevice } from './node-device.ts';
import { NEW_POSITIONS, newRowsName } from './new-cache-rows.ts';
import type { OrtSession } from './ort-decoder.ts';
import { allScores, type RowScores } from './scores.ts';
import { SlotCache } from './slot-cache.ts';

/** A sequence's next token, and how many of its tokens the cache holds. */
export interface SlotStep {
  tokenId: number;
  pastTokens: number;
}

interface StepInputs {
  /** int64 [slots, tokens] */
  inputIds: BigInt64Array;
  /** int64 [slots, total] */
  mask: BigInt64Array;
  logitRows: number;
  /** Of each slot's tokens, the first ones that the cache takes. */
  keptTokens: number;
}

export interface NodeDecoderOptions {
  /** Where the session computes; the cache is in main memory, and what a step needs of it is sent. */
  device?: OnnxDevice;
  /** Of a graph with {@link addNewCacheRows}. */
  session: OrtSession;
  shape: DecoderShape;
  prefillChunkTokens: number;
  /**
   * A shorter {@link NodeDecoder.step} is computed over so many tokens. ORT's kernels for one row add up in another order
   * than those for two or more, whose results do not depend on how many they are: with 2, a step of one token gives the
   * very scores of a longer one, for the 8-bit and 4-bit variants too, and takes a little longer than over its row alone.
   */
  minStepTokens: number;
  /** Sequences that the cache holds. */
  slotCount: number;
}

/**
 * A decoder in onnxruntime-node. It holds several sequences, each in a slot: one reads its prompt by itself, and all of
 * them write together, a token each per step.
 */
export class NodeDecoder implements Decoder {
  readonly device: OnnxDevice;
  readonly prefillChunkTokens: number;
  readonly slotCount: number;
  readonly minStepTokens: number;
  readonly #session: OrtSession;
  readonly #shape: DecoderShape;
  readonly #cache: SlotCache;
  /** By number of rows; one tensor serves every step. */
  readonly #logits = new Map<string, Tensor>();

  constructor({ device = 'cpu', session, shape, prefillChunkTokens, minStepTokens, slotCount }: NodeDecoderOptions) {
    this.device = device;
    this.prefillChunkTokens = prefillChunkTokens;
    this.minStepTokens = minStepTokens;
    this.slotCount = slotCount;
    this.#session = session;
    this.#shape = shape;
    this.#cache = new SlotCache(shape, Tensor, slotCount);
  }

  reserve(_tokens: number, keepTokens: number): number {
    // The cache grows with what it holds.
    return keepTokens;
  }

  async step(tokenIds: Int32Array, pastTokens: number, logitRows: number): Promise<RowScores[]> {
    return allScores(await this.read(0, tokenIds, pastTokens, logitRows), logitRows);
  }

  async stepAlone(tokenId: number, pastTokens: number): Promise<RowScores[]> {
    return allScores(await this.stepTogether([{ tokenId, pastTokens }]), 1);
  }

  /**
   * {@link Decoder.step} of the sequence in a slot.
   *
   * @returns float32 [logitRows, vocabulary]; the next step overwrites it
   */
  async read(slot: number, tokenIds: Int32Array, pastTokens: number, logitRows: number): Promise<Float32Array> {
    const padding = Math.max(0, this.minStepTokens - tokenIds.length);
    const logits = await this.#read(slot, tokenIds, { pastTokens, logitRows, padding });
    return logits.subarray(0, logitRows * this.#shape.vocabularySize);
  }

  /**
   * @param padding  tokens more that are computed and forgotten
   * @returns float32 [logitRows + padding, vocabulary]
   */
  #read(
    slot: number,
    tokenIds: Int32Array,
    { pastTokens, logitRows, padding }: { pastTokens: number; logitRows: number; padding: number },
  ): Promise<Float32Array> {
    const inputIds = new BigInt64Array(tokenIds.length + padding).fill(BigInt(tokenIds.at(-1) ?? 0));
    tokenIds.forEach((id, i) => (inputIds[i] = BigInt(id)));
    return this.#run(slot, [pastTokens], {
      inputIds,
      mask: new BigInt64Array(pastTokens + inputIds.length).fill(1n),
      logitRows: logitRows > 0 ? logitRows + padding : 0,
      keptTokens: tokenIds.length,
    });
  }

  /**
   * One token of each of the sequences in the first slots, in order.
   *
   * @returns float32 [steps, vocabulary], the scores after each token; the next step overwrites it
   */
  async stepTogether(steps: readonly SlotStep[]): Promise<Float32Array> {
    const totalTokens = Math.max(...steps.map(({ pastTokens }) => pastTokens)) + 1;
    const mask = new BigInt64Array(steps.length * totalTokens);
    steps.forEach(({ pastTokens }, i) => mask.fill(1n, i * totalTokens, i * totalTokens + pastTokens + 1));
    return this.#run(
      0,
      steps.map(({ pastTokens }) => pastTokens),
      { inputIds: BigInt64Array.from(steps, ({ tokenId }) => BigInt(tokenId)), mask, logitRows: 1, keptTokens: 1 },
    );
  }

  /** Copies the first tokens of one slot into another. */
  copySlot(from: number, to: number, tokens: number): void {
    this.#cache.copy(from, to, tokens);
  }

  async dispose(): Promise<void> {
    this.#cache.dispose();
    this.#logits.clear();
    await this.#session.release();
  }

  async #run(
    firstSlot: number,
    pastTokens: readonly number[],
    { inputIds, mask, logitRows, keptTokens }: StepInputs,
  ): Promise<Float32Array> {
    const slots = pastTokens.length;
    const tokens = inputIds.length / slots;
    const totalTokens = mask.length / slots;
    this.#cache.reserve(totalTokens);
    const feeds: Feeds = {
      ...this.#cache.past(firstSlot, slots),
      input_ids: new Tensor('int64', inputIds, [slots, tokens]),
      attention_mask: new Tensor('int64', mask, [slots, totalTokens]),
      // The graph cannot keep none: it scores one position then, and nobody fetches it.
      num_logits_to_keep: new Tensor('int64', BigInt64Array.of(BigInt(Math.max(1, logitRows))), []),
      [NEW_POSITIONS]: this.#cache.newPositions(pastTokens, keptTokens),
    };
    const fetches: Fetches = {};
    for (const { presentName } of this.#shape.cacheParts) fetches[newRowsName(presentName)] = null;
    if (logitRows > 0) fetches.logits = this.#logitsFor(slots, logitRows);
    const outputs = await this.#session.run(feeds, fetches);
    this.#cache.write(outputs, firstSlot, pastTokens, keptTokens);
    return logitRows > 0 ? (outputs.logits?.data as Float32Array) : new Float32Array();
  }

  #logitsFor(slots: number, rows: number): Tensor {
    const { vocabularySize } = this.#shape;
    const key = `${slots} ${rows}`;
    const tensor =
      this.#logits.get(key) ??
      new Tensor('float32', new Float32Array(slots * rows * vocabularySize), [slots, rows, vocabularySize]);
    this.#logits.set(key, tensor);
    return tensor;
  }
}
