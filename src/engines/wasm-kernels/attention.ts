// @ts-nocheck: AssemblyScript's decorators of functions
import { MODEL } from './model';
import { exp, floatSumsOf, splat } from './numbers';
import { meet } from './threads';

/** Queries of one head with keys that are computed together, as lanes. */
const LANES = 4;

/**
 * Grouped-query attention of a step's tokens over themselves and those before them, with rotary embedding; keys and values go into
 * the cache. A query's sums go from the first key to its last in this order, whatever else is in the step: keys that it must not
 * see weigh nothing, as long as their values are finite.
 */
export function attend(layer: i32, thread: i32): void {
  turn(layer, thread);
  meet();
  const queries = (MODEL.headCount / MODEL.kvHeadCount) * MODEL.tokens;
  const tiles = (queries + LANES - 1) / LANES;
  for (let i = thread; i < tiles * MODEL.kvHeadCount; i += MODEL.threads) {
    attendTile(layer, i / tiles, (i % tiles) * LANES, queries, thread);
  }
  meet();
}

@inline
function cacheOf(layer: i32, part: i32, head: i32): usize {
  const before = (layer * 2 + part) * MODEL.kvHeadCount + head;
  return MODEL.cache + 4 * (<usize>before * MODEL.cacheTokens * MODEL.headDim);
}

/** Turns queries where they are, and keys on their way into the cache. */
function turn(layer: i32, thread: i32): void {
  const headDim = MODEL.headDim;
  const firstKey = MODEL.headCount;
  const firstValue = firstKey + MODEL.kvHeadCount;
  const heads = firstValue + MODEL.kvHeadCount;
  for (let i = thread; i < MODEL.tokens * heads; i += MODEL.threads) {
    const head = i % heads;
    const position = MODEL.pastTokens + i / heads;
    const source = MODEL.qkv + 4 * i * headDim;
    const row = 4 * position * headDim;
    if (head >= firstValue) memory.copy(cacheOf(layer, 1, head - firstValue) + row, source, 4 * headDim);
    else turnHead(source, head >= firstKey ? cacheOf(layer, 0, head - firstKey) + row : source, position);
  }
}

/** The first half of a head's values with the second, as Hugging Face pairs them. */
function turnHead(source: usize, target: usize, position: i32): void {
  const half = 2 * MODEL.headDim;
  const cos = MODEL.cos + position * half;
  const sin = MODEL.sin + position * half;
  for (let at = 0; at < half; at += 16) {
    const first = v128.load(source + at);
    const second = v128.load(source + half + at);
    const c = v128.load(cos + at);
    const s = v128.load(sin + at);
    v128.store(target + at, f32x4.sub(f32x4.mul(first, c), f32x4.mul(second, s)));
    v128.store(target + half + at, f32x4.add(f32x4.mul(second, c), f32x4.mul(first, s)));
  }
}

/** Of a head with keys, the queries from `first` on: token by token, and of each those of all heads that share the keys. */
function attendTile(layer: i32, kvHead: i32, first: i32, queries: i32, thread: i32): void {
  const sharing = MODEL.headCount / MODEL.kvHeadCount;
  // Lanes beyond the last query compute it again.
  const q0 = min(first, queries - 1);
  const q1 = min(first + 1, queries - 1);
  const q2 = min(first + 2, queries - 1);
  const q3 = min(first + 3, queries - 1);
  const lastKeys = i32x4.add(
    i32x4.splat(MODEL.pastTokens),
    i32x4(q0 / sharing, q1 / sharing, q2 / sharing, q3 / sharing),
  );
  const keyCount = MODEL.pastTokens + q3 / sharing + 1;
  const scores = MODEL.scores + thread * MODEL.scoresBytes;
  const heads = MODEL.headCount + 2 * MODEL.kvHeadCount;
  score(
    cacheOf(layer, 0, kvHead),
    keyCount,
    scores,
    headOf(MODEL.qkv, heads, kvHead, q0),
    headOf(MODEL.qkv, heads, kvHead, q1),
    headOf(MODEL.qkv, heads, kvHead, q2),
    headOf(MODEL.qkv, heads, kvHead, q3),
  );

  let largest = splat(-Infinity);
  for (let key = 0; key < keyCount; key++) {
    const isHidden = i32x4.gt_s(i32x4.splat(key), lastKeys);
    const value = v128.bitselect(splat(-Infinity), v128.load(scores + 16 * key), isHidden);
    v128.store(scores + 16 * key, value);
    largest = f32x4.max(largest, value);
  }
  let sum = splat(0);
  for (let key = 0; key < keyCount; key++) {
    const weight = exp(f32x4.sub(v128.load(scores + 16 * key), largest));
    v128.store(scores + 16 * key, weight);
    sum = f32x4.add(sum, weight);
  }
  const values = cacheOf(layer, 1, kvHead);
  const o0 = headOf(MODEL.attended, MODEL.headCount, kvHead, q0);
  const o1 = headOf(MODEL.attended, MODEL.headCount, kvHead, q1);
  const o2 = headOf(MODEL.attended, MODEL.headCount, kvHead, q2);
  const o3 = headOf(MODEL.attended, MODEL.headCount, kvHead, q3);
  for (let at = 0; at < 4 * MODEL.headDim; at += 32) {
    weigh(values + at, keyCount, scores, sum, o0 + at, o1 + at, o2 + at, o3 + at);
  }
}

/** Where a query's head is, in rows of so many heads for each token. */
function headOf(rows: usize, heads: i32, kvHead: i32, query: i32): usize {
  const sharing = MODEL.headCount / MODEL.kvHeadCount;
  return rows + 4 * MODEL.headDim * ((query / sharing) * heads + kvHead * sharing + (query % sharing));
}

/**
 * Four queries by all keys, two at a time; where their number is odd, by one that nobody reads.
 *
 * @param scores  float32 [keys, 4]
 */
function score(
  keys: usize,
  keyCount: i32,
  scores: usize,
  q0: usize,
  q1: usize,
  q2: usize,
  q3: usize,
): void {
  const bytes = 4 * MODEL.headDim;
  const scale = splat(MODEL.attentionScale);
  for (let key = 0; key < keyCount; key += 2) {
    let a0 = splat(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
    for (let at = 0; at < bytes; at += 16) {
      const a = v128.load(keys + at);
      const b = v128.load(keys + bytes + at);
      let query = v128.load(q0 + at);
      a0 = f32x4.add(a0, f32x4.mul(query, a));
      b0 = f32x4.add(b0, f32x4.mul(query, b));
      query = v128.load(q1 + at);
      a1 = f32x4.add(a1, f32x4.mul(query, a));
      b1 = f32x4.add(b1, f32x4.mul(query, b));
      query = v128.load(q2 + at);
      a2 = f32x4.add(a2, f32x4.mul(query, a));
      b2 = f32x4.add(b2, f32x4.mul(query, b));
      query = v128.load(q3 + at);
      a3 = f32x4.add(a3, f32x4.mul(query, a));
      b3 = f32x4.add(b3, f32x4.mul(query, b));
    }
    v128.store(scores, f32x4.mul(floatSumsOf(a0, a1, a2, a3), scale));
    v128.store(scores, f32x4.mul(floatSumsOf(b0, b1, b2, b3), scale), 16);
    scores += 32;
    keys += 2 * bytes;
  }
}

/** The weighted mean of eight of a head's values, for four queries. */
@inline
function weigh(
  values: usize,
  keyCount: i32,
  weights: usize,
  sum: v128,
  o0: usize,
  o1: usize,
  o2: usize,
  o3: usize,
): void {
  const bytes = 4 * MODEL.headDim;
  let a0 = splat(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
  for (let key = 0; key < keyCount; key++) {
    const a = v128.load(values);
    const b = v128.load(values, 16);
    let weight = v128.load32_splat(weights);
    a0 = f32x4.add(a0, f32x4.mul(weight, a));
    b0 = f32x4.add(b0, f32x4.mul(weight, b));
    weight = v128.load32_splat(weights, 4);
    a1 = f32x4.add(a1, f32x4.mul(weight, a));
    b1 = f32x4.add(b1, f32x4.mul(weight, b));
    weight = v128.load32_splat(weights, 8);
    a2 = f32x4.add(a2, f32x4.mul(weight, a));
    b2 = f32x4.add(b2, f32x4.mul(weight, b));
    weight = v128.load32_splat(weights, 12);
    a3 = f32x4.add(a3, f32x4.mul(weight, a));
    b3 = f32x4.add(b3, f32x4.mul(weight, b));
    values += bytes;
    weights += 16;
  }
  let one = splat(f32x4.extract_lane(sum, 0));
  v128.store(o0, f32x4.div(a0, one));
  v128.store(o0, f32x4.div(b0, one), 16);
  one = splat(f32x4.extract_lane(sum, 1));
  v128.store(o1, f32x4.div(a1, one));
  v128.store(o1, f32x4.div(b1, one), 16);
  one = splat(f32x4.extract_lane(sum, 2));
  v128.store(o2, f32x4.div(a2, one));
  v128.store(o2, f32x4.div(b2, one), 16);
  one = splat(f32x4.extract_lane(sum, 3));
  v128.store(o3, f32x4.div(a3, one));
  v128.store(o3, f32x4.div(b3, one), 16);
}
