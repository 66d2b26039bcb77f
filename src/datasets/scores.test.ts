import { describe, expect, it } from 'vitest';
import { roundScore, scoreStatistics, zScore } from './scores.ts';

describe('a score to one decimal', () => {
  // Python 3: [round(x, 1) for x in (…)]
  it.each([
    [0.15, 0.1],
    [0.25, 0.2],
    [0.35, 0.3],
    [0.75, 0.8],
    [-0.25, -0.2],
    [-1.75, -1.8],
    [2.5, 2.5],
    [1.05, 1.1],
    [-0.04, 0],
    [123456.25, 123456.2],
    [Math.fround(-3.449999), -3.4],
  ])('makes %d what Python makes of it', (score, rounded) => {
    expect(roundScore(score)).toBe(rounded);
  });
});

describe('standard scores', () => {
  it('are deviations from the mean, by the population’s deviation', () => {
    const statistics = scoreStatistics([1, 2, 3, 4]);
    expect(statistics).toEqual({ mean: 2.5, std: Math.sqrt(1.25) });
    expect(zScore(4, statistics)).toBe(1.5 / Math.sqrt(1.25));
  });

  it('are 0 where all scores are one', () => {
    expect(zScore(0.3, scoreStatistics([0.3, 0.3]))).toBe(0);
  });
});
