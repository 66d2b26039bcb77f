import type { ChangeCount } from './diff.ts';

/** What can be told of a text without a model. */
export interface TextMeasures {
  words: number;
  sentences: number;
  /**
   * Flesch's reading ease for English: 206.8 − 1.015 words per sentence − 84.6 syllables per word; 60 to 70 is plain.
   * Undefined without a Latin word.
   *
   * @see Flesch 1948, "A new readability yardstick"
   */
  readingEase: number | undefined;
  /** Share of the text's 4-word sequences that stood in it before, 0 to 1; 0 for less than four words. */
  repetition: number;
}

const wordSegmenter = new Intl.Segmenter('en', { granularity: 'word' });
const sentenceSegmenter = new Intl.Segmenter('en', { granularity: 'sentence' });
const REPEATED_WORDS = 4;

export function measureText(text: string): TextMeasures {
  const words = [...wordSegmenter.segment(text)].flatMap(({ segment, isWordLike }) =>
    isWordLike === true ? [segment.toLowerCase()] : [],
  );
  const sentences = [...sentenceSegmenter.segment(text)].filter(({ segment }) => /[\p{L}\p{N}]/u.test(segment)).length;
  return { words: words.length, sentences, readingEase: readingEase(words, sentences), repetition: repetition(words) };
}

function readingEase(words: readonly string[], sentences: number): number | undefined {
  const latin = words.filter((word) => /^[a-z’'-]+$/.test(word));
  if (latin.length === 0 || sentences === 0) return undefined;
  const syllables = latin.reduce((sum, word) => sum + countSyllables(word), 0);
  return 206.835 - 1.015 * (words.length / sentences) - 84.6 * (syllables / latin.length);
}

/** Groups of vowels, less a silent final e: right for nine English words in ten. */
function countSyllables(word: string): number {
  const groups = word.replace(/(?<=[^aeiouyl])e$/, '').match(/[aeiouy]+/g)?.length ?? 0;
  return Math.max(1, groups);
}

function repetition(words: readonly string[]): number {
  const total = words.length - REPEATED_WORDS + 1;
  if (total < 1) return 0;
  const distinct = new Set<string>();
  for (let start = 0; start < total; start += 1) distinct.add(words.slice(start, start + REPEATED_WORDS).join(' '));
  return 1 - distinct.size / total;
}

/** Share of the words of both texts that the other does not have, 0 to 1. */
export function changedShare({ insertedWords, deletedWords, keptWords }: ChangeCount): number {
  const all = insertedWords + deletedWords + 2 * keptWords;
  return all === 0 ? 0 : (insertedWords + deletedWords) / all;
}

/** What kind of edit it is, for a person who wants to know before reading. */
export type EditKind = 'unchanged' | 'only-spaces' | 'only-shortened' | 'only-extended' | 'changed' | 'rewritten';

/** From here on little of the original is recognizable. */
const REWRITTEN_SHARE = 0.7;

/** @param edit  a whole one: of an edit that was cut off nothing can be told */
export function kindOfEdit(original: string, edit: string, count: ChangeCount): EditKind {
  if (original === edit) return 'unchanged';
  if (original.replace(/\s+/g, '') === edit.replace(/\s+/g, '')) return 'only-spaces';
  if (changedShare(count) >= REWRITTEN_SHARE && count.insertedWords > 0) return 'rewritten';
  if (count.insertedWords === 0) return 'only-shortened';
  if (count.deletedWords === 0) return 'only-extended';
  return 'changed';
}
