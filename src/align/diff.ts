import { shortestEdit } from './shortest-edit.ts';

/**
 * A piece of an edit beside its original, in reading order. `kept` stands in both; `deleted` in the original only;
 * `inserted` in the edit only; `pending` in the original only, and not decided yet because the edit is still being
 * written.
 */
export interface Change {
  type: 'kept' | 'deleted' | 'inserted' | 'pending';
  text: string;
}

export interface DiffOptions {
  /** False when the model was cut off or stopped: then what it did not reach is pending, not deleted. */
  isComplete: boolean;
  limit: DiffLimit;
}

/**
 * When words take more, the texts are compared by sentences first, and words between them. In milliseconds for what is
 * shown and gone; in changed words, which are the same on every machine, for what decisions are made on.
 */
export type DiffLimit = { ms: number } | { changes: number };

/**
 * Word by word what the edit changed.
 *
 * Texts of `kept`, `deleted` and `pending` join to the original; those of `kept` and `inserted` join to the edit.
 * `pending` is at most one piece, the last. Between two `kept` pieces a `deleted` comes before an `inserted`.
 *
 * Blanks are words of their own: else a lost paragraph break would be no change.
 */
export function diffEdit(original: string, edit: string, { isComplete, limit }: DiffOptions): Change[] {
  const changes = tidy(diffTexts(original, edit, limit));
  return isComplete ? changes : tidy(withPendingTail(changes));
}

/** Characters of edit that are compared anew with every update; what is further back stays as it was found. */
const UNSETTLED_LENGTH = 400;
/** A copy of this many characters is taken for the place where both texts run in step. */
const ANCHOR_LENGTH = 24;

/**
 * {@link diffEdit} for an edit that grows, many times a second: text that was found to be kept, and lies far enough
 * back, settles what is before it. So an update costs what the last few sentences cost, not what the whole text does.
 */
export class StreamingDiff {
  readonly #original: string;
  readonly #timeoutMs: number;
  #settled: Change[] = [];
  /** Where the texts begin that are not settled. */
  #originalStart = 0;
  #editStart = 0;

  constructor(original: string, timeoutMs: number) {
    this.#original = original;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * @param edit  the edit so far; it begins with the one of the call before
   * @returns as {@link diffEdit} for an edit that is not complete
   */
  update(edit: string): Change[] {
    const editRest = edit.slice(this.#editStart);
    const originalRest = this.#original.slice(this.#originalStart);
    // A copy of what is further down would have to pay for skipping more than was written.
    const reach = wordEnd(originalRest, Math.min(originalRest.length, editRest.length + UNSETTLED_LENGTH));
    const changes: Change[] = [
      ...withPendingTail(tidy(diffTexts(originalRest.slice(0, reach), editRest, { ms: this.#timeoutMs }))),
      { type: 'pending', text: originalRest.slice(reach) },
    ];
    const all = tidy([...this.#settled, ...changes]);
    this.#settle(tidy(changes), editRest.length);
    return all;
  }

  #settle(changes: readonly Change[], editLength: number): void {
    let editEnd = 0;
    let cut: { index: number; length: number } | undefined;
    changes.forEach(({ type, text }, index) => {
      const start = editEnd;
      if (type === 'kept' || type === 'inserted') editEnd += text.length;
      const length = Math.min(text.length, editLength - UNSETTLED_LENGTH - start);
      if (type === 'kept' && length >= ANCHOR_LENGTH) cut = { index, length: wordStart(text, length) };
    });
    if (cut === undefined) return;
    const { index, length } = cut;
    const settled = [
      ...changes.slice(0, index),
      { type: 'kept' as const, text: changes[index]!.text.slice(0, length) },
    ];
    for (const { type, text } of settled) {
      if (type !== 'inserted') this.#originalStart += text.length;
      if (type !== 'deleted') this.#editStart += text.length;
    }
    this.#settled = tidy([...this.#settled, ...settled]);
  }
}

/** The best comparison that the limit allows: by words in half of the time, or by sentences and then by words. */
function diffTexts(original: string, edit: string, limit: DiffLimit): Change[] {
  if ('changes' in limit) return diffWords(original, edit, limit) ?? diffSentences(original, edit, limit);
  const half = { ms: limit.ms / 2 };
  return diffWords(original, edit, half) ?? diffSentences(original, edit, half);
}

/** @returns undefined beyond the limit */
function diffWords(original: string, edit: string, limit: DiffLimit): Change[] | undefined {
  if ('ms' in limit && limit.ms <= 0) return undefined;
  const split = WITHOUT_BLANKS.test(original + edit) ? segmentWords : splitWords;
  const [before, after] = [split(original), split(edit)];
  const numbers = new Map<string, number>();
  const numberOf = (word: string) => {
    const number = numbers.get(word) ?? numbers.size;
    numbers.set(word, number);
    return number;
  };
  const [numbersBefore, numbersAfter] = [Int32Array.from(before, numberOf), Int32Array.from(after, numberOf)];
  // From here on: parting a script without blanks takes longer than comparing it.
  const bounds = 'ms' in limit ? { endMs: performance.now() + limit.ms } : { maxEdits: limit.changes };
  let [from, to] = [0, 0];
  return shortestEdit(numbersBefore, numbersAfter, bounds)?.map(({ type, count }) => {
    const words = type === 'deleted' ? before.slice(from, from + count) : after.slice(to, to + count);
    if (type !== 'inserted') from += count;
    if (type !== 'deleted') to += count;
    return { type, text: words.join('') };
  });
}

/** Of a limit in changes, what each stretch between two sentences may take. */
const STRETCH_SHARE = 1 / 8;

/**
 * Keeps the sentences that stand once in either text and in the same order in both, and compares what lies between them by
 * words while there is time. Linear in the length but for a logarithm.
 *
 * @see Bram Cohen's patience diff
 */
function diffSentences(original: string, edit: string, limit: DiffLimit): Change[] {
  const endMs = 'ms' in limit ? performance.now() + limit.ms : undefined;
  const stretchLimit = (): DiffLimit =>
    'ms' in limit ? { ms: (endMs ?? 0) - performance.now() } : { changes: Math.ceil(limit.changes * STRETCH_SHARE) };
  const [before, after] = [splitSentences(original), splitSentences(edit)];
  const changes: Change[] = [];
  let [from, to] = [0, 0];
  const compareUpTo = (nextFrom: number, nextTo: number) => {
    const [deleted, inserted] = [before.slice(from, nextFrom).join(''), after.slice(to, nextTo).join('')];
    changes.push(...(diffWords(deleted, inserted, stretchLimit()) ?? diffEnds(deleted, inserted)));
    [from, to] = [nextFrom + 1, nextTo + 1];
  };
  for (const [inBefore, inAfter] of commonSentences(before, after)) {
    compareUpTo(inBefore, inAfter);
    changes.push({ type: 'kept', text: before[inBefore]! });
  }
  compareUpTo(before.length, after.length);
  return changes;
}

/** Positions of sentences that are unique in both texts: the longest run of them that ascends in both. */
function commonSentences(before: readonly string[], after: readonly string[]): [number, number][] {
  const inAfter = uniquePositions(after);
  const common = [...uniquePositions(before)].flatMap(([sentence, position]): [number, number][] => {
    const other = inAfter.get(sentence);
    return other === undefined ? [] : [[position, other]];
  });
  // Patience sorting: `ends[length]` is the lowest end of a run of that length, `previous` links each run together.
  const ends: number[] = [];
  const previous: (number | undefined)[] = [];
  common.forEach(([, position], i) => {
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (common[ends[middle]!]![1] < position) low = middle + 1;
      else high = middle;
    }
    previous[i] = ends[low - 1];
    ends[low] = i;
  });
  const run: [number, number][] = [];
  for (let i = ends.at(-1); i !== undefined; i = previous[i]) run.push(common[i]!);
  return run.reverse();
}

/** By text, in order of the text. */
function uniquePositions(sentences: readonly string[]): Map<string, number> {
  const positions = new Map<string, number>();
  const repeated = new Set<string>();
  sentences.forEach((sentence, i) => {
    if (positions.has(sentence)) repeated.add(sentence);
    else positions.set(sentence, i);
  });
  for (const sentence of repeated) positions.delete(sentence);
  return positions;
}

/** Their texts join to the whole. */
function splitSentences(text: string): string[] {
  return text.match(/[^.!?。！？\n]*[.!?。！？\n]*\s*/g)?.filter((sentence) => sentence !== '') ?? [];
}

/** Scripts that write no blanks between words: there, what stands between blanks is a sentence. */
const WITHOUT_BLANKS = /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Thai}\p{scx=Khmer}\p{scx=Lao}\p{scx=Myanmar}]/u;
const wordSegmenter = new Intl.Segmenter('en', { granularity: 'word' });

/** Letters of Latin scripts and digits. */
const LATIN =
  'a-zA-Z0-9_\\u{AD}\\u{C0}-\\u{D6}\\u{D8}-\\u{F6}\\u{F8}-\\u{2C6}\\u{2C8}-\\u{2D7}\\u{2DE}-\\u{2FF}\\u{1E00}-\\u{1EFF}';
/** As jsdiff's `diffWordsWithSpace` parts a text: each line feed, runs of letters and of blanks, each other character. */
const WORDS = new RegExp(`\\r?\\n|[${LATIN}]+|[^\\S\\n\\r]+|[^${LATIN}]`, 'gu');

function splitWords(text: string): string[] {
  return text.match(WORDS) ?? [];
}

function segmentWords(text: string): string[] {
  return Array.from(wordSegmenter.segment(text), ({ segment }) => segment);
}

/** Equal start and end kept, everything between replaced: linear in the length. */
function diffEnds(original: string, edit: string): Change[] {
  const shorter = Math.min(original.length, edit.length);
  let start = 0;
  while (start < shorter && original[start] === edit[start]) start += 1;
  start = wordStart(original, start);
  let end = 0;
  while (end < shorter - start && original[original.length - 1 - end] === edit[edit.length - 1 - end]) end += 1;
  end = original.length - wordEnd(original, original.length - end);
  return [
    { type: 'kept', text: original.slice(0, start) },
    { type: 'deleted', text: original.slice(start, original.length - end) },
    { type: 'inserted', text: edit.slice(start, edit.length - end) },
    { type: 'kept', text: original.slice(original.length - end) },
  ];
}

/** The last position at or before `index` that follows a blank: a word is never cut. */
function wordStart(text: string, index: number): number {
  let start = index;
  while (start > 0 && !/\s/.test(text.charAt(start - 1))) start -= 1;
  return start;
}

/** The first position at or after `index` where a blank, or nothing, follows. */
function wordEnd(text: string, index: number): number {
  let end = index;
  while (end < text.length && !/\s/.test(text.charAt(end))) end += 1;
  return end;
}

/**
 * An unfinished edit is compared with all of the original, so its last words may match far down, and everything
 * before would flash as deleted. Of all places to cut the list, the cheapest is taken: before it a deleted character
 * costs one; after it the edit counts as inserted, so a kept one costs one, and the original is pending for free.
 *
 * Edit so far `Well, you`, original `I think … if you …`: deleting all up to `you` costs more than inserting `you`.
 */
function withPendingTail(changes: readonly Change[]): Change[] {
  let cost = changes.reduce((sum, { type, text }) => sum + (type === 'kept' ? text.length : 0), 0);
  let best = { cost, cut: 0 };
  changes.forEach(({ type, text }, i) => {
    if (type === 'kept') cost -= text.length;
    if (type === 'deleted') cost += text.length;
    if (cost <= best.cost && type !== 'deleted') best = { cost, cut: i + 1 };
  });
  const tail = changes.slice(best.cut);
  const join = (types: readonly Change['type'][]) =>
    tail.flatMap(({ type, text }) => (types.includes(type) ? [text] : [])).join('');
  const inserted = join(['kept', 'inserted']);
  const pending = join(['kept', 'deleted']);
  // Half a word, `hap` of `happy`, is no match to a word diff, but so far it is a copy.
  const tailChanges: Change[] = pending.startsWith(inserted)
    ? [
        { type: 'kept', text: inserted },
        { type: 'pending', text: pending.slice(inserted.length) },
      ]
    : [
        { type: 'inserted', text: inserted },
        { type: 'pending', text: pending },
      ];
  return [...changes.slice(0, best.cut), ...tailChanges];
}

/** What went and what came between two kept pieces; either may be empty. */
interface Replacement {
  deleted: string;
  inserted: string;
  /** What follows: `kept`, or the one `pending` at the end. */
  next: Change | undefined;
}

/**
 * Joins neighbours, drops empty pieces, puts deletions before insertions, and lets a scrap that happens to stand in both
 * texts join the changes around it: `the red car` to `a blue car` reads as one replacement, not as two around a space.
 */
function tidy(changes: readonly Change[]): Change[] {
  const replacements: Replacement[] = [{ deleted: '', inserted: '', next: undefined }];
  for (const { type, text } of changes) {
    const last = replacements.at(-1)!;
    if (text === '') continue;
    if (type === 'deleted' || type === 'inserted') last[type] += text;
    else if (last.deleted === '' && last.inserted === '' && replacements.at(-2)?.next?.type === type) {
      replacements.at(-2)!.next!.text += text;
    } else {
      last.next = { type, text };
      replacements.push({ deleted: '', inserted: '', next: undefined });
    }
  }
  const joined: Replacement[] = [];
  for (const replacement of replacements) {
    const before = joined.at(-1);
    if (before !== undefined && isScrap(before, replacement)) {
      before.deleted += before.next!.text + replacement.deleted;
      before.inserted += before.next!.text + replacement.inserted;
      before.next = replacement.next;
    } else joined.push(replacement);
  }
  return joined.flatMap(({ deleted, inserted, next }) => [
    ...(deleted === '' ? [] : [{ type: 'deleted' as const, text: deleted }]),
    ...(inserted === '' ? [] : [{ type: 'inserted' as const, text: inserted }]),
    ...(next === undefined ? [] : [next]),
  ]);
}

/**
 * Whether what was kept between two replacements is a mere blank, or one word or mark no longer than either of them:
 * the `to` in `be used to it by now` against `not have to wait`. Line breaks are never scraps.
 */
function isScrap(before: Replacement, after: Replacement): boolean {
  if (before.next?.type !== 'kept' || /[\r\n]/.test(before.next.text)) return false;
  const isReplaced = ({ deleted, inserted }: Replacement) => deleted !== '' && inserted !== '';
  const size = ({ deleted, inserted }: Replacement) => Math.max(deleted.length, inserted.length);
  const { text } = before.next;
  if (!isReplaced(before)) return false;
  if (text.trim() === '') return after.deleted !== '' || after.inserted !== '';
  const words = text.match(/[\p{L}\p{N}]+/gu)?.length ?? 0;
  return words <= 1 && isReplaced(after) && text.length <= Math.min(size(before), size(after));
}

/** Words by which an edit differs. A word is a run of non-blanks; in scripts without blanks, what a dictionary says. */
export interface ChangeCount {
  insertedWords: number;
  deletedWords: number;
  keptWords: number;
}

export function countChanges(changes: readonly Change[]): ChangeCount {
  const words = (type: Change['type']) =>
    changes.reduce((sum, change) => sum + (change.type === type ? countWords(change.text) : 0), 0);
  return { insertedWords: words('inserted'), deletedWords: words('deleted'), keptWords: words('kept') };
}

function countWords(text: string): number {
  if (!WITHOUT_BLANKS.test(text)) return text.match(/\S+/g)?.length ?? 0;
  return Array.from(wordSegmenter.segment(text)).filter(({ isWordLike }) => isWordLike === true).length;
}
