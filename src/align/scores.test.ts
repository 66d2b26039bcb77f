import { describe, expect, it } from 'vitest';

import {
  gainOf,
  isWithinSpread,
  type ObjectiveScore,
  parseScoreReport,
  type Score,
  type ScoreReport,
} from './scores.ts';

const score = (value: number | undefined, changes: Partial<Score> = {}): Score => ({
  value,
  spread: undefined,
  replies: value === undefined ? 0 : 1,
  invalid: 0,
  cutAtTokens: undefined,
  problem: undefined,
  ...changes,
});

const judged: ObjectiveScore = {
  objective: { key: 'humour', label: 'Humour' },
  scorer: { type: 'judge', name: 'strict', host: 'judge.example', repeats: 3 },
  original: score(4, { spread: { low: 3, high: 5 }, replies: 2, invalid: 1 }),
  edit: score(7, { spread: { low: 6, high: 8 }, replies: 3 }),
  reviewed: score(undefined, { invalid: 3 }),
  comparison: { edit: { outcome: 'win', isConsistent: true }, reviewed: { outcome: undefined, isConsistent: false } },
};
const classified: ObjectiveScore = {
  objective: { key: 'harmlessness', label: 'Harmlessness' },
  scorer: {
    type: 'classifier',
    name: 'toxic',
    source: 'made/toxic@0123',
    variant: 'q8',
    device: 'wasm',
    input: 'response',
    label: 'toxic',
    reading: 'probability',
    isLowerBetter: true,
  },
  original: score(0.9, { cutAtTokens: 512 }),
  edit: score(0.2),
  reviewed: undefined,
  comparison: undefined,
};
const report: ScoreReport = { scoredAt: 12, reviewedText: 'so', scores: [judged, classified] };

describe('kept scores', () => {
  it('come back from JSON as they were', () => {
    expect(parseScoreReport(JSON.parse(JSON.stringify(report)))).toEqual(report);
    expect(parseScoreReport(undefined)).toBeUndefined();
  });

  it.each([
    ['no list', { ...report, scores: {} }],
    ['too many', { ...report, scores: Array(501).fill(judged) }],
    ['a number that is none', { ...report, scores: [{ ...judged, edit: { ...judged.edit, value: 'NaN' } }] }],
    ['an unknown scorer', { ...report, scores: [{ ...judged, scorer: { ...judged.scorer, type: 'oracle' } }] }],
    ['an unknown device', { ...report, scores: [{ ...classified, scorer: { ...classified.scorer, device: 'moon' } }] }],
    ['an unknown outcome', { ...report, scores: [{ ...judged, comparison: { edit: { outcome: 'triumph' } } }] }],
  ])('are refused with %s', (_, damaged) => {
    expect(() => parseScoreReport(damaged)).toThrow(expect.objectContaining({ code: 'invalid-request' }) as Error);
  });
});

describe('a change', () => {
  it('is a gain downwards where lower is better', () => {
    expect(gainOf(judged.scorer, judged.original, judged.edit)).toBe(3);
    expect(gainOf(classified.scorer, classified.original, classified.edit)).toBeCloseTo(0.7);
    expect(gainOf(judged.scorer, judged.original, score(undefined))).toBeUndefined();
  });

  it('is within the spread where the ranges of replies touch, and never where one is unknown', () => {
    expect(isWithinSpread(judged.original, judged.edit)).toBe(false);
    expect(isWithinSpread(judged.original, score(6, { spread: { low: 5, high: 7 } }))).toBe(true);
    expect(isWithinSpread(judged.original, score(4))).toBe(false);
  });
});
