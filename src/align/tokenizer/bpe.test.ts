import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Bpe, type BpeOptions } from './bpe.ts';

const LETTERS = ['a', 'b', 'c'];

/** A vocabulary of three letters and of what the merges make, in the order given; impossible merges are left out. */
function build(pairs: readonly (readonly [left: number, right: number])[], options: Partial<BpeOptions> = {}) {
  const pieces = [...LETTERS];
  const merges: { left: number; right: number; merged: number }[] = [];
  for (const [l, r] of pairs) {
    const left = l % pieces.length;
    const right = r % pieces.length;
    const text = `${pieces[left]}${pieces[right]}`;
    if (text.length > 12 || merges.some((merge) => merge.left === left && merge.right === right)) continue;
    if (!pieces.includes(text)) pieces.push(text);
    merges.push({ left, right, merged: pieces.indexOf(text) });
  }
  const vocabulary = new Map(pieces.map((piece, id) => [piece, id]));
  const bpe = new Bpe({
    vocabulary,
    merges,
    unkId: undefined,
    fusesUnk: false,
    byteIds: undefined,
    ignoresMerges: false,
    ...options,
  });
  const encode = (word: string) => {
    const ids: number[] = [];
    bpe.encodeWord(word, ids);
    return ids;
  };
  return { encode, merges, pieces };
}

/** The definition, word for word. */
function mergeOneByOne(word: string, { merges, pieces }: Pick<ReturnType<typeof build>, 'merges' | 'pieces'>) {
  const ids = [...word].map((letter) => pieces.indexOf(letter));
  for (;;) {
    let best: { rank: number; at: number } | undefined;
    for (let at = 0; at + 1 < ids.length; at++) {
      const rank = merges.findIndex(({ left, right }) => left === ids[at] && right === ids[at + 1]);
      if (rank !== -1 && (best === undefined || rank < best.rank)) best = { rank, at };
    }
    if (best === undefined) return ids;
    ids.splice(best.at, 2, merges[best.rank]?.merged ?? -1);
  }
}

describe('Bpe', () => {
  it('merges the most urgent pair first, and the leftmost of equals', () => {
    const { encode, pieces } = build([
      [1, 2], // bc
      [0, 1], // ab
      [0, 0], // aa
    ]);
    const text = (word: string) => encode(word).map((id) => pieces[id]);
    expect(text('abc')).toEqual(['a', 'bc']);
    expect(text('aaa')).toEqual(['aa', 'a']);
    expect(text('aab')).toEqual(['a', 'ab']);
  });

  it('gives what merging one by one gives', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(30), fc.nat(30)), { maxLength: 25 }),
        fc.string({ unit: fc.constantFrom(...LETTERS), maxLength: 60 }),
        (pairs, word) => {
          const made = build(pairs);
          expect(made.encode(word)).toEqual(mergeOneByOne(word, made));
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('keeps nothing of one word for the next', () => {
    const { encode } = build([[0, 0]]);
    const alone = encode('aab');
    encode('abcabcabcabc');
    expect(encode('aab')).toEqual(alone);
    expect(encode('')).toEqual([]);
  });

  it('encodes a word of two million letters in time linear but for a logarithm', { timeout: 60_000 }, () => {
    const { encode } = build([
      [0, 0], // aa
      [3, 3], // aaaa
      [4, 4], // aaaaaaaa
    ]);
    expect(encode('a'.repeat(2_000_000))).toHaveLength(250_000);
  });

  it('falls back to bytes, all of them or the unknown token', () => {
    const byteIds = Array.from({ length: 256 }, (_, byte) => (byte < 0xf0 ? 1000 + byte : undefined));
    const { encode } = build([], { byteIds, unkId: 9 });
    expect(encode('aé')).toEqual([0, 1000 + 0xc3, 1000 + 0xa9]);
    expect(encode('a🙂b')).toEqual([0, 9, 1]);
  });

  it('fuses neighbouring unknown characters only when told to', () => {
    expect(build([], { unkId: 9 }).encode('xyaz')).toEqual([9, 9, 0, 9]);
    expect(build([], { unkId: 9, fusesUnk: true }).encode('xyaz')).toEqual([9, 0, 9]);
    expect(build([]).encode('xyaz')).toEqual([0]);
  });

  it('takes a word that is a piece whole when merges are ignored', () => {
    const pairs = [
      [0, 1],
      [1, 2],
      [3, 2],
    ] as const;
    // 'abc' is a piece by ('ab', 'c'); 'bc' comes after 'ab', so merging gets there too. 'cab' is none.
    expect(build(pairs, { ignoresMerges: true }).encode('abc')).toEqual([5]);
    const unreachable = new Map([...LETTERS.map((letter, id) => [letter, id] as const), ['cb', 7] as const]);
    expect(build(pairs, { vocabulary: unreachable, ignoresMerges: true }).encode('cb')).toEqual([7]);
    expect(build(pairs, { vocabulary: unreachable }).encode('cb')).toEqual([2, 1]);
  });
});
