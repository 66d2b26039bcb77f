import type { SamplingOptions } from '../align/engine.ts';
import { AlignError } from '../align/errors.ts';
import { SeededRandom } from '../align/random.ts';
import type { RowScores, ScoresNeeded } from './scores.ts';

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
   * What {@link sample} must know of the next rows to choose the very tokens that it would choose knowing all.
   *
   * A penalty above 1 only takes from seen tokens. So of the largest `k + seen` scores, `k` at least stay what they are, and
   * what is below those is not among the `k` largest after the penalty either. Each row may add a seen token.
   *
   * Top-p without top-k weighs each token against the sum of all, and no limit at all draws from all: these need all.
   */
  needed(rows: number): ScoresNeeded {
    const { temperature, topK, repetitionPenalty } = this.#options;
    const isGreedy = temperature === 0;
    if (isGreedy && repetitionPenalty === 1) return { type: 'largest' };
    if ((!isGreedy && topK === 0) || repetitionPenalty < 1) return { type: 'all' };
    const penalized = repetitionPenalty === 1 ? 0 : this.#seenIds.size + rows - 1;
    return { type: 'top', count: (isGreedy ? 1 : topK) + penalized };
  }

  /**
   * Chooses a token, which counts as seen from then on. Several positions of one step are sampled by calling this with
   * their rows in order.
   *
   * @param scores  as {@link needed} at least; the penalty is applied in place
   * @throws AlignError `engine-failed` if a logit is NaN or infinity, as float16 gives where it overflows
   */
  sample(scores: RowScores): number {
    const { repetitionPenalty } = this.#options;
    const tokenId = scores.type === 'largest' ? scores.tokenId : this.#choose(scores);
    if (repetitionPenalty !== 1) this.#seenIds.add(tokenId);
    return tokenId;
  }

  #choose(scores: Exclude<RowScores, { type: 'largest' }>): number {
    const { temperature, repetitionPenalty } = this.#options;
    const { logits } = scores;
    const tokenIds = scores.type === 'top' ? scores.tokenIds : undefined;
    if (repetitionPenalty !== 1) {
      const places = tokenIds === undefined ? this.#seenIds : placesOf(tokenIds, this.#seenIds);
      penalize(logits, places, repetitionPenalty);
    }
    // As ids rise with their places, the lower place among equals is the lower id.
    let place: number;
    if (temperature === 0) place = argmax(logits);
    else {
      // Where tokens are missing, top-k leaves them out, however few are there.
      const kept = keepTokens(logits, this.#options, tokenIds === undefined ? logits.length : Infinity);
      place = draw(kept, this.#random.nextFraction());
    }
    return tokenIds === undefined ? place : (tokenIds[place] as number);
  }
}

function placesOf(tokenIds: Int32Array, seenIds: ReadonlySet<number>): number[] {
  const places: number[] = [];
  tokenIds.forEach((id, place) => {
    if (seenIds.has(id)) places.push(place);
  });
  return places;
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
    throw notFinite(best, !isNumber);
  }
  return bestId;
}

export function notFinite(largest: number, hasNaN: boolean): AlignError {
  return new AlignError('engine-failed', 'The model’s scores for the next token are not finite numbers.', {
    details: { largest: String(largest), hasNaN },
  });
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
 * @param vocabularySize  larger than `logits` where they are only the part that top-k keeps, and ids are places in them
 * @throws AlignError `engine-failed` if a logit is NaN or infinity
 */
export function keepTokens(
  logits: Float32Array,
  { temperature, topK, topP }: Pick<SamplingOptions, 'temperature' | 'topK' | 'topP'>,
  vocabularySize = logits.length,
): KeptTokens {
  const largest = logits[argmax(logits)] as number;
  const weightOf = (id: number) => Math.exp(((logits[id] as number) - largest) / temperature);
  const isTopKOff = topK === 0 || topK >= vocabularySize;
  // By index in what follows: over 32,000 floats every step, iterators take several times as long.
  if (isTopKOff && topP === 1) {
    const allWeights = new Float64Array(logits.length);
    for (let id = 0; id < logits.length; id++) allWeights[id] = weightOf(id);
    return { tokenIds: placesOfAll(logits), weights: allWeights };
  }

  const largestIds = isTopKOff ? undefined : largestWithTies(logits, topK);
  const descending = largestIds ?? new LikeliestFirst(logits);
  const summedIds = largestIds ?? placesOfAll(logits);
  let totalWeight = 0;
  for (let i = 0; i < summedIds.length; i++) totalWeight += weightOf(summedIds[i]!);
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

function placesOfAll(logits: Float32Array): Int32Array {
  const ids = new Int32Array(logits.length);
  for (let id = 0; id < ids.length; id++) ids[id] = id;
  return ids;
}

/** Ids by falling logit, lower ids first among equals: the first `count`, and after them those as likely as the last. */
function largestWithTies(logits: Float32Array, count: number): number[] {
  const order = (id: number, other: number) => logits[other]! - logits[id]! || id - other;
  let ids: number[] = [];
  /** Of the `count`-th so far: what is below it is not among them. */
  let least = -Infinity;
  let limit = 4 * count;
  const cut = () => {
    ids.sort(order);
    if (ids.length < count) return;
    least = logits[ids[count - 1]!]!;
    let end = count;
    while (end < ids.length && logits[ids[end]!] === least) end += 1;
    ids = ids.slice(0, end);
  };
  for (let id = 0; id < logits.length; id++) {
    if (logits[id]! < least) continue;
    ids.push(id);
    if (ids.length < limit) continue;
    cut();
    limit = Math.max(limit, 2 * ids.length);
  }
  cut();
  return ids;
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
    this.#heap = placesOfAll(logits);
    this.#size = logits.length;
    for (let i = (this.#size >>> 1) - 1; i >= 0; i--) this.#siftDown(i);
  }

  *[Symbol.iterator](): Generator<number, void, void> {
    while (this.#size > 0) yield this.#pop();
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
