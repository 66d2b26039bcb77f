import { asArray, asBoolean, asId, asObject, asString, corrupt, unsupported } from './json.ts';

export interface BpeOptions {
  /** Piece to id. Without the special tokens: text never becomes one. */
  vocabulary: ReadonlyMap<string, number>;
  /** Pairs of ids and what they become, the most urgent first; undefined where a special token is involved. */
  merges: readonly (Merge | undefined)[];
  /** For a character outside the vocabulary; undefined drops it. */
  unkId: number | undefined;
  /** Neighbouring unknown characters become one token. */
  fusesUnk: boolean;
  /** Ids of `<0x00>` to `<0xFF>`, for the UTF-8 of characters outside the vocabulary. */
  byteIds: readonly (number | undefined)[] | undefined;
  /** A word that is a piece is that piece, whatever its merges give. */
  ignoresMerges: boolean;
}

interface Merge {
  left: number;
  right: number;
  merged: number;
}

/**
 * Byte-pair encoding of one word: its characters, then again and again the pair whose merge comes first in the list,
 * the leftmost of equals, until no pair has a merge.
 *
 * A Llama word is the whole prompt, so this is a linked list with a heap of its pairs, n log n in the word's length.
 *
 * @see huggingface/tokenizers tokenizers/src/models/bpe/{model,word}.rs
 */
export class Bpe {
  readonly #options: BpeOptions;
  /** From `pairKey` to the index in `merges`. */
  readonly #rankOfPair = new Map<number, number>();
  readonly #encoder = new TextEncoder();
  /** Of the word at hand: neighbours by position, -1 for none. */
  #previous = new Int32Array(0);
  #next = new Int32Array(0);
  readonly #heap = new MinHeap();

  constructor(options: BpeOptions) {
    this.#options = options;
    options.merges.forEach((merge, rank) => {
      // Of two merges of one pair the later counts, as in the reference's map.
      if (merge !== undefined) this.#rankOfPair.set(pairKey(merge.left, merge.right), rank);
    });
  }

  /** Appends the word's token ids to `into`. */
  encodeWord(word: string, into: number[]): void {
    if (this.#options.ignoresMerges) {
      const whole = this.#options.vocabulary.get(word);
      if (whole !== undefined) {
        into.push(whole);
        return;
      }
    }
    const ids = this.#charactersOf(word);
    this.#merge(ids);
    for (let i = ids.length > 0 ? 0 : -1; i !== -1; i = this.#next[i] ?? -1) into.push(ids[i] ?? 0);
  }

  #charactersOf(word: string): number[] {
    const { vocabulary, byteIds, unkId, fusesUnk } = this.#options;
    const ids: number[] = [];
    let afterUnk = false;
    for (const character of word) {
      const id = vocabulary.get(character);
      const fallback = id === undefined && byteIds !== undefined ? this.#bytesOf(character, byteIds) : undefined;
      if (id !== undefined) ids.push(id);
      else if (fallback !== undefined) ids.push(...fallback);
      else if (unkId !== undefined && !(afterUnk && fusesUnk)) ids.push(unkId);
      afterUnk = id === undefined && fallback === undefined;
    }
    return ids;
  }

  /** @returns undefined when the vocabulary lacks one of the bytes */
  #bytesOf(character: string, byteIds: readonly (number | undefined)[]): number[] | undefined {
    const ids: number[] = [];
    for (const byte of this.#encoder.encode(character)) {
      const id = byteIds[byte];
      if (id === undefined) return undefined;
      ids.push(id);
    }
    return ids;
  }

  /** Merges in place: afterwards the tokens are `ids` at 0 and on along `#next`. */
  #merge(ids: number[]): void {
    const { merges } = this.#options;
    const count = ids.length;
    this.#reserve(count);
    const previous = this.#previous;
    const next = this.#next;
    const heap = this.#heap;
    for (let i = 0; i < count; i++) {
      previous[i] = i - 1;
      next[i] = i + 1 < count ? i + 1 : -1;
    }
    for (let i = 0; i + 1 < count; i++) this.#offer(i, ids[i], ids[i + 1]);
    for (let key = heap.pop(); key !== undefined; key = heap.pop()) {
      const position = key % POSITIONS;
      const merge = merges[(key - position) / POSITIONS];
      const second = next[position] ?? -1;
      // An offer is not withdrawn when a neighbour merges first: is its pair still there?
      if (merge === undefined || ids[position] !== merge.left) continue;
      if (second === -1 || ids[second] !== merge.right) continue;

      ids[position] = merge.merged;
      ids[second] = MERGED_AWAY;
      const after = next[second] ?? -1;
      next[position] = after;
      if (after !== -1) {
        previous[after] = position;
        this.#offer(position, ids[position], ids[after]);
      }
      const before = previous[position] ?? -1;
      if (before !== -1) this.#offer(before, ids[before], ids[position]);
    }
  }

  #offer(position: number, left = 0, right = 0): void {
    const rank = this.#rankOfPair.get(pairKey(left, right));
    if (rank !== undefined) this.#heap.push(rank * POSITIONS + position);
  }

  #reserve(count: number): void {
    if (this.#next.length >= count && this.#next.length <= KEPT_POSITIONS) return;
    const length = Math.max(count, 1024);
    this.#previous = new Int32Array(length);
    this.#next = new Int32Array(length);
  }
}

/** Ids are below 2^21 (`asId`) and so are ranks: a pair is exact in a double, and a rank with a position too. */
const pairKey = (left: number, right: number) => left * 2 ** 21 + right;
const POSITIONS = 2 ** 31;
const MAX_MERGES = 2 ** 21;
const MERGED_AWAY = -1;
/** Working memory up to this is kept between words. */
const KEPT_POSITIONS = 2 ** 17;

/** A binary heap of numbers, the least first. */
class MinHeap {
  #keys = new Float64Array(1024);
  #size = 0;

  push(key: number): void {
    if (this.#size === this.#keys.length) {
      const grown = new Float64Array(this.#size * 2);
      grown.set(this.#keys);
      this.#keys = grown;
    }
    const keys = this.#keys;
    let i = this.#size++;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const parentKey = keys[parent] ?? 0;
      if (parentKey <= key) break;
      keys[i] = parentKey;
      i = parent;
    }
    keys[i] = key;
  }

  pop(): number | undefined {
    if (this.#size === 0) {
      if (this.#keys.length > KEPT_POSITIONS) this.#keys = new Float64Array(1024);
      return undefined;
    }
    const keys = this.#keys;
    const least = keys[0];
    const size = --this.#size;
    const moved = keys[size] ?? 0;
    let i = 0;
    for (let child = 1; child < size; child = 2 * i + 1) {
      if (child + 1 < size && (keys[child + 1] ?? 0) < (keys[child] ?? 0)) child++;
      const childKey = keys[child] ?? 0;
      if (moved <= childKey) break;
      keys[i] = childKey;
      i = child;
    }
    keys[i] = moved;
    return least;
  }
}

/**
 * Reads `model` of tokenizer.json.
 *
 * @param vocabulary  `model.vocab`, as {@link readVocabulary} gave it
 * @param specialIds  ids that text must not become
 * @throws AlignError `weights-corrupt` with the path of what is missing or of the wrong kind; `unsupported-model` for
 *   a model with word affixes
 */
export function readBpe(
  model: Readonly<Record<string, unknown>>,
  path: string,
  vocabulary: ReadonlyMap<string, number>,
  specialIds: ReadonlySet<number>,
): Bpe {
  for (const affix of ['continuing_subword_prefix', 'end_of_word_suffix']) {
    if (model[affix]) throw unsupported(`${path}.${affix}`, JSON.stringify(model[affix]));
  }
  const entries = asArray(model.merges, `${path}.merges`);
  if (entries.length >= MAX_MERGES) throw corrupt(`${path}.merges`, `a list of fewer than ${MAX_MERGES}`, entries);
  const merges = entries.map((entry, rank) => {
    const { left, right } = readMerge(entry, `${path}.merges[${rank}]`);
    const ids = [left, right, left + right].map((piece) => {
      const id = vocabulary.get(piece);
      if (id === undefined) {
        throw corrupt(`${path}.vocab[${JSON.stringify(piece)}]`, `the id of a piece of merge ${rank}`, id);
      }
      return id;
    }) as [number, number, number];
    if (ids.some((id) => specialIds.has(id))) return undefined;
    return { left: ids[0], right: ids[1], merged: ids[2] };
  });
  const unkToken = model.unk_token ?? undefined;
  const unkId = unkToken === undefined ? undefined : vocabulary.get(asString(unkToken, `${path}.unk_token`));
  if (unkToken !== undefined && unkId === undefined) {
    throw corrupt(`${path}.vocab[${JSON.stringify(unkToken)}]`, 'the id of the unknown token', undefined);
  }
  const byteIds = Array.from({ length: 256 }, (_, byte) => vocabulary.get(byteToken(byte)));
  return new Bpe({
    vocabulary: new Map([...vocabulary].filter(([, id]) => !specialIds.has(id))),
    merges,
    unkId,
    fusesUnk: asBoolean(model.fuse_unk, `${path}.fuse_unk`, false),
    byteIds: asBoolean(model.byte_fallback, `${path}.byte_fallback`, false) ? byteIds : undefined,
    ignoresMerges: asBoolean(model.ignore_merges, `${path}.ignore_merges`, false),
  });
}

/** `<0x0A>` for 10: how a vocabulary with byte fallback names its bytes. */
export function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}

/** Older files write a merge as 'a b', newer ones as ['a', 'b']. */
function readMerge(entry: unknown, path: string): { left: string; right: string } {
  const parts = typeof entry === 'string' ? entry.split(' ') : asArray(entry, path);
  if (parts.length !== 2) throw corrupt(path, 'two pieces', entry);
  return { left: asString(parts[0], path), right: asString(parts[1], path) };
}

/** @returns `model.vocab`, piece to id */
export function readVocabulary(model: Readonly<Record<string, unknown>>, path: string): Map<string, number> {
  const entries = Object.entries(asObject(model.vocab, `${path}.vocab`));
  return new Map(entries.map(([piece, id]) => [piece, asId(id, `${path}.vocab[${JSON.stringify(piece)}]`)]));
}
