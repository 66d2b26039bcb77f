import type { SamplingOptions } from '../align/engine.ts';
import { AlignError } from '../align/errors.ts';
import { SeededRandom } from '../align/random.ts';

/**
 * Chooses one token after another, for one generation. The steps are those of Hugging Face transformers in its order:
 * repetition penalty, temperature, top-k, top-p.
 *
 * @see transformers/generation/logits_process.py 5.24: RepetitionPenaltyLogitsProcessor, TemperatureLogitsWarper,
 *   TopKLogitsWarper, TopPLogitsWarper
 */
export class Sampler {
  readonly #options: SamplingOptions;
  readonly #random: SeededRandom;
  readonly #seenIds: Set<number>;

  /** @param promptIds  int32 [promptTokens]; the penalty counts them as seen */
  constructor(options: SamplingOptions, promptIds: Int32Array) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
    this.#seenIds = new Set(options.repetitionPenalty === 1 ? [] : promptIds);
  }

  /**
   * Chooses a token, which counts as seen from then on. Several positions of one step are sampled by calling this with
   * their rows in order.
   *
   * @param logits  float32 [vocabulary]; the penalty is applied in place
   * @throws AlignError `engine-failed` if a logit is NaN or infinity, as float16 gives where it overflows
   */
  sample(logits: Float32Array): number {
    const { temperature, repetitionPenalty } = this.#options;
    if (repetitionPenalty !== 1) penalize(logits, this.#seenIds, repetitionPenalty);
    const tokenId =
      temperature === 0 ? argmax(logits) : draw(keepTokens(logits, this.#options), this.#random.nextFraction());
    if (repetitionPenalty !== 1) this.#seenIds.add(tokenId);
    return tokenId;
  }
}

/**
 * The lowest id of the largest logit.
 *
 * @param logits  float32 [vocabulary]
 * @throws AlignError `engine-failed` if a logit is NaN or infinity
 */
export function argmax(logits: Float32Array): number {
  let best = -Infinity;
  let bestId = -1;
  let isNumber = true;
  // By index: over 32,000 floats every step, an iterator takes several times as long.
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] as number;
    if (logit > best) {
      best = logit;
      bestId = id;
    } else if (Number.isNaN(logit)) isNumber = false;
  }
  if (!isNumber || !Number.isFinite(best)) {
    throw new AlignError('engine-failed', 'The model’s scores for the next token are not finite numbers.', {
      details: { largest: String(best), hasNaN: !isNumber },
    });
  }
  return bestId;
}

/** A score below 0 is multiplied, so that the penalty makes it less likely too. */
export function penalize(logits: Float32Array, seenIds: Iterable<number>, penalty: number): void {
  for (const id of seenIds) {
    const logit = logits[id];
    if (logit !== undefined) logits[id] = logit < 0 ? logit * penalty : logit / penalty;
  }
}

/** Tokens that may be drawn: `weights[i]` of `tokenIds[i]`, not normalized. */
export interface KeptTokens {
  tokenIds: ArrayLike<number>;
  /** Each is the probability times the same factor; some are 0. */
  weights: ArrayLike<number>;
}

/**
 * Temperature, then top-k, then top-p among what top-k left. Tokens as likely as the k-th are all kept.
 *
 * @param logits  float32 [vocabulary]
 * @param options.temperature  above 0
 * @throws AlignError `engine-failed` if a logit is NaN or infinity
 */
export function keepTokens(
  logits: Float32Array,
  { temperature, topK, topP }: Pick<SamplingOptions, 'temperature' | 'topK' | 'topP'>,
): KeptTokens {
  const largest = logits[argmax(logits)] as number;
  const weightOf = (id: number) => Math.exp(((logits[id] as number) - largest) / temperature);
  const isTopKOff = topK === 0 || topK >= logits.length;
  const allIds = Int32Array.from(logits.keys());
  if (isTopKOff && topP === 1) return { tokenIds: allIds, weights: Float64Array.from(allIds, weightOf) };

  const likeliestFirst = new LikeliestFirst(logits);
  const descending = isTopKOff ? likeliestFirst : likeliestFirst.takeWithTies(topK);
  let totalWeight = 0;
  for (const id of isTopKOff ? allIds : descending) totalWeight += weightOf(id);
  const enoughWeight = topP === 1 ? Infinity : topP * totalWeight;
  const tokenIds: number[] = [];
  const weights: number[] = [];
  let keptWeight = 0;
  for (const id of descending) {
    // Asked before: the token that crosses the limit is kept, so there is always one.
    if (keptWeight >= enoughWeight) break;
    const weight = weightOf(id);
    tokenIds.push(id);
    weights.push(weight);
    keptWeight += weight;
  }
  return { tokenIds, weights };
}

/** @param fraction  at least 0 and below 1 */
function draw({ tokenIds, weights }: KeptTokens, fraction: number): number {
  let total = 0;
  for (let i = 0; i < weights.length; i++) total += weights[i] as number;
  let rest = fraction * total;
  let drawn = -1;
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i] as number;
    if (weight === 0) continue;
    drawn = tokenIds[i] as number;
    rest -= weight;
    if (rest < 0) break;
  }
  return drawn;
}

/**
 * Ids by falling logit, lower ids first among equals; each is given once. A heap, since most draws need a few of
 * 32,000, and sorting all of them is dear.
 */
class LikeliestFirst implements Iterable<number> {
  readonly #logits: Float32Array;
  readonly #heap: Int32Array;
  #size: number;

  constructor(logits: Float32Array) {
    this.#logits = logits;
    this.#heap = Int32Array.from(logits.keys());
    this.#size = logits.length;
    for (let i = (this.#size >>> 1) - 1; i >= 0; i--) this.#siftDown(i);
  }

  *[Symbol.iterator](): Generator<number, void, void> {
    while (this.#size > 0) yield this.#pop();
  }

  /** The next `count`, and after them those as likely as the last. */
  takeWithTies(count: number): number[] {
    const ids: number[] = [];
    for (const id of this) {
      if (ids.length >= count && this.#logits[id] !== this.#logits[ids.at(-1) as number]) break;
      ids.push(id);
    }
    return ids;
  }

  #pop(): number {
    const top = this.#heap[0] as number;
    this.#size -= 1;
    this.#heap[0] = this.#heap[this.#size] as number;
    this.#siftDown(0);
    return top;
  }

  #siftDown(from: number): void {
    const heap = this.#heap;
    const id = heap[from] as number;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#size) break;
      if (child + 1 < this.#size && this.#isBefore(heap[child + 1] as number, heap[child] as number)) child += 1;
      if (!this.#isBefore(heap[child] as number, id)) break;
      heap[at] = heap[child] as number;
      at = child;
    }
    heap[at] = id;
  }

  #isBefore(id: number, other: number): boolean {
    const logit = this.#logits[id] as number;
    const otherLogit = this.#logits[other] as number;
    return logit > otherLogit || (logit === otherLogit && id < other);
  }
}
