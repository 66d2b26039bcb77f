import { expect, it } from 'vitest';

import { judgeOrigin, scoringPlan } from './scoring-plan.ts';
import { parseScoring, SCORING_DEFAULTS } from './scoring-settings.ts';
import { createSettingsStore } from './settings-store.ts';

const OUTPUT = {
  classifierId: 'served:a',
  objectiveKey: 'humour',
  labelIndex: 1,
  reading: 'probability',
  input: 'pair',
  isLowerBetter: true,
} as const;

it('reads what was stored, and of what is damaged the rest', () => {
  const stored = { ...SCORING_DEFAULTS, outputs: [OUTPUT], judge: 'page', repeats: 5, isAutomatic: true } as const;
  expect(parseScoring(JSON.parse(JSON.stringify(stored)))).toEqual(stored);
  const damaged = {
    outputs: [OUTPUT, null, { ...OUTPUT, labelIndex: -1 }, { ...OUTPUT, reading: 'aura' }],
    judge: 'oracle',
  };
  expect(parseScoring({ ...damaged, repeats: 1e9, judgeUrl: 7 })).toEqual({ ...SCORING_DEFAULTS, outputs: [OUTPUT] });
  expect(parseScoring({ judgeUrl: 'https://me:geheim@judge.example' })).toEqual(SCORING_DEFAULTS);
  expect(parseScoring({ judgeUrl: 'https://judge.example/v1' }).judgeUrl).toBe('https://judge.example/v1');
  expect(parseScoring(null)).toEqual(SCORING_DEFAULTS);
});

it('takes a server without a whole address or a model for no judge', () => {
  const { change: _change, resetGeneration: _reset, ...settings } = createSettingsStore(undefined, () => {}).getState();
  const plan = (judgeUrl: string, judgeModel: string) =>
    scoringPlan({ ...settings, scoring: { ...SCORING_DEFAULTS, judge: 'endpoint', judgeUrl, judgeModel } }).judge;
  expect(plan('http://127.0.0.1:8000/v1', 'm')).toBe('endpoint');
  expect(plan('127.0.0.1:8000', 'm')).toBe('none');
  expect(plan('http://127.0.0.1:8000/v1', ' ')).toBe('none');
  expect(plan('https://me:geheim@judge.example/v1', 'm')).toBe('none');
  expect(plan('https://judge.example/v1?key=geheim', 'm')).toBe('none');
  expect(plan('https://judge.example/v1/chat/completions', 'm')).toBe('endpoint');
  expect(judgeOrigin({ judge: 'endpoint', judgeUrl: 'http://127.0.0.1:8000/v1' })).toBe('http://127.0.0.1:8000');
  expect(judgeOrigin({ judge: 'page', judgeUrl: 'http://127.0.0.1:8000/v1' })).toBeUndefined();
});
