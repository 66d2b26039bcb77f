import { type ObjectiveScore, rangeOf, type Score } from '../../align/scores.ts';

/** What the ends of a bar's track stand for. */
export interface Scale {
  low: number;
  high: number;
}

/**
 * The scorer's own range; where its numbers may be anything, from the lowest to the highest of them with 0 among them,
 * so that lengths can be compared.
 */
export function scaleOf(lines: readonly Pick<ObjectiveScore, 'scorer' | 'original' | 'edit' | 'reviewed'>[]): Scale {
  const range = lines[0] && rangeOf(lines[0].scorer);
  if (range !== undefined) return range;
  let [low, high] = [0, 0];
  for (const { original, edit, reviewed } of lines) {
    for (const score of [original, edit, reviewed]) {
      low = Math.min(low, score?.value ?? 0);
      high = Math.max(high, score?.value ?? 0);
    }
  }
  return low === high ? { low: 0, high: 1 } : { low, high };
}

/** A bar from 0 to the value, in percent of the track, and its whisker. */
export interface Bar {
  start: number;
  length: number;
  spread: { start: number; length: number } | undefined;
}

/** @returns undefined for a score without a number */
export function barOf({ value, spread }: Score, { low, high }: Scale): Bar | undefined {
  if (value === undefined) return undefined;
  const at = (number: number) => (100 * (Math.min(Math.max(number, low), high) - low)) / (high - low);
  const [from, to] = [at(Math.min(0, value)), at(Math.max(0, value))];
  return {
    start: from,
    length: to - from,
    spread: spread && { start: at(spread.low), length: at(spread.high) - at(spread.low) },
  };
}
