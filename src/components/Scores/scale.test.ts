import { describe, expect, it } from 'vitest';

import type { ObjectiveScore, Score } from '../../align/scores.ts';
import { barOf, scaleOf } from './scale.ts';

const score = (value: number | undefined, spread?: { low: number; high: number }): Score => ({
  value,
  spread,
  replies: 1,
  invalid: 0,
  cutAtTokens: undefined,
  problem: undefined,
});
const classifier = (reading: 'value' | 'probability'): ObjectiveScore['scorer'] => ({
  type: 'classifier',
  name: 'n',
  source: 's',
  variant: 'fp32',
  device: 'wasm',
  input: 'pair',
  label: 'l',
  reading,
  isLowerBetter: false,
});
const line = (scorer: ObjectiveScore['scorer'], original: number, edit: number) => ({
  scorer,
  original: score(original),
  edit: score(edit),
  reviewed: undefined,
});

describe('a scale', () => {
  it('is the scorer’s own where it has one', () => {
    const judge = { type: 'judge', name: 'j', host: undefined, repeats: 1 } as const;
    expect(scaleOf([line(judge, 2, 3)])).toEqual({ low: 0, high: 10 });
    expect(scaleOf([line(classifier('probability'), 0.2, 0.3)])).toEqual({ low: 0, high: 1 });
  });

  it('holds 0 and every number where they may be anything', () => {
    expect(scaleOf([line(classifier('value'), -2, -1), line(classifier('value'), -3, -1)])).toEqual({
      low: -3,
      high: 0,
    });
    expect(scaleOf([line(classifier('value'), 2, 5)])).toEqual({ low: 0, high: 5 });
    expect(scaleOf([line(classifier('value'), 0, 0)])).toEqual({ low: 0, high: 1 });
  });
});

describe('a bar', () => {
  it('begins at 0, to the left for a number below it, with its whisker', () => {
    expect(barOf(score(5, { low: 4, high: 7 }), { low: 0, high: 10 })).toEqual({
      start: 0,
      length: 50,
      spread: { start: 40, length: 30 },
    });
    expect(barOf(score(-1), { low: -2, high: 2 })).toEqual({ start: 25, length: 25, spread: undefined });
    expect(barOf(score(undefined), { low: 0, high: 1 })).toBeUndefined();
  });
});
