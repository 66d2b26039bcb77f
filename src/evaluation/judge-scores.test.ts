import { describe, expect, it } from 'vitest';

import { findObjective } from '../align/objectives.ts';
import type { ObjectiveScore } from '../align/scores.ts';
import { comparisonQuestions, ratingQuestions, ratingScore, sideBySide } from './judge-scores.ts';
import { readLogits } from './read-logits.ts';
import { summarizeScores } from './score-summary.ts';

const humour = findObjective('humour', 'hh-rlhf');

describe('a rating', () => {
  it('is the mean of the replies that are ratings, with their range; the others are counted', () => {
    expect(ratingScore(['6', 'no idea', '9/10', undefined, '12'])).toMatchObject({
      value: 7.5,
      spread: { low: 6, high: 9 },
      replies: 2,
      invalid: 3,
    });
    expect(ratingScore(['none', undefined])).toMatchObject({ value: undefined, spread: undefined, invalid: 2 });
  });

  it('has no range from one reply', () => {
    expect(ratingScore(['6'])).toMatchObject({ value: 6, spread: undefined, replies: 1 });
  });

  it('is asked for greedily once, and drawn where it is asked for several times', () => {
    expect(ratingQuestions(humour, 'q', 'a', 1).map(({ temperature }) => temperature)).toEqual([0]);
    const several = ratingQuestions(humour, 'q', 'a', 3);
    expect(several.map(({ temperature, repeat }) => [temperature, repeat])).toEqual([
      [1, 0],
      [1, 1],
      [1, 2],
    ]);
  });
});

describe('a comparison', () => {
  it('is asked in both orders and names the text’s place', () => {
    const [first, second] = comparisonQuestions('hh-rlhf', humour, { query: 'q', text: 'EDIT', original: 'OLD' });
    expect(first!.messages[0]!.content).toContain('RESPONSE 1: EDIT');
    expect(second!.messages[0]!.content).toContain('RESPONSE 2: EDIT');
  });

  it.each([
    [['1', '2'], 'win', true],
    [['2', '1'], 'loss', true],
    [['0', '0'], 'tie', true],
    [['1', '1'], 'tie', false],
    [['1', 'both'], undefined, false],
    [['1', undefined], undefined, false],
  ] as const)('of replies %j is %s', (replies, outcome, isConsistent) => {
    expect(sideBySide(replies)).toEqual({ outcome, isConsistent });
  });
});

it('reads a logit as it is, as its share among the labels, or as a sigmoid where it is alone', () => {
  expect(readLogits([1, -2, 3], 1, 'value')).toBe(-2);
  // scipy.special.softmax([1, -2, 3])[0], scipy.special.expit(-1.5)
  expect(readLogits([1, -2, 3], 0, 'probability')).toBeCloseTo(0.1184996545, 9);
  expect(readLogits([-1.5], 0, 'probability')).toBeCloseTo(0.1824255238, 9);
  expect(readLogits([1000, 1001], 1, 'probability')).toBeCloseTo(0.7310585786, 9);
});

describe('a summary', () => {
  const scorer = { type: 'judge', name: 'strict', host: undefined, repeats: 1 } as const;
  const line = (
    original: number | undefined,
    edit: number | undefined,
    outcome: 'win' | 'tie' | 'loss',
  ): ObjectiveScore => {
    const score = (value: number | undefined) => ({ ...ratingScore([]), value });
    const comparison = { edit: { outcome, isConsistent: true }, reviewed: undefined };
    return { objective: humour, scorer, original: score(original), edit: score(edit), reviewed: undefined, comparison };
  };

  it('pairs each row’s numbers, leaves out and counts rows without one, and bootstraps the gain', () => {
    const rows = [line(2, 5, 'win'), line(4, 4, 'tie'), line(undefined, 9, 'win'), line(6, 9, 'loss')].map((one) => [
      one,
    ]);
    const [summary] = summarizeScores(rows);
    expect(summary).toMatchObject({ rows: 3, without: 1, original: 4, edit: 6 });
    expect(summary!.comparison).toEqual({ wins: 2, ties: 1, losses: 1, invalid: 0 });
    // The bootstrap of 3, 0, 3: means are 0, 1, 2 or 3, each end with probability 1/27 or 8/27.
    expect(summary!.gain).toEqual({ value: 2, low: 0, high: 3 });
  });

  it('has no interval for one row, and parts scorers', () => {
    const other = { ...line(1, 2, 'win'), scorer: { ...scorer, name: 'mild' } };
    const summaries = summarizeScores([[line(1, 2, 'win'), other]]);
    expect(summaries.map(({ scorer: { name }, gain }) => [name, gain])).toEqual([
      ['strict', undefined],
      ['mild', undefined],
    ]);
  });

  it('counts a lower number as the gain where lower is better', () => {
    const classifier = {
      type: 'classifier',
      name: 'toxic',
      source: 's',
      variant: 'fp32',
      device: 'wasm',
      input: 'response',
      label: 'toxic',
      reading: 'probability',
      isLowerBetter: true,
    } as const;
    const rows = [line(0.9, 0.1, 'win'), line(0.5, 0.3, 'win')].map((one) => [{ ...one, scorer: classifier }]);
    expect(summarizeScores(rows)[0]!.gain!.value).toBeCloseTo(0.5);
  });
});
