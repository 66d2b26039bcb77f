import fc from 'fast-check';
import { expect, it } from 'vitest';

import { exampleAlignment } from '../align/alignment.fixture.ts';
import type { ObjectiveScore } from '../align/scores.ts';
import { exportHeader, exportRow, scoredColumns } from './page-batch.ts';

const columns = { query: 'query', answer: 'generated_text', goldens: 'goldens' };
const row = { index: 0, cells: { query: 'Why, "you"?', generated_text: 'a\nb', goldens: 'g' } };
const settings = { template: 'ultrafeedback' } as const;
const { edit, finishReason, usage, timings, model } = exampleAlignment();

it('writes the reference’s four columns, and an empty edit for a row without one', () => {
  const state = { row: 0, set: 0, edit, finishReason, usage, timings, model };
  const csv = exportHeader('csv') + exportRow('csv', row, columns, settings, state);
  expect(csv).toBe(`query,goldens,origin_responses,aligned_responses\n"Why, ""you""?",g,"a\nb",${edit}\n`);
  expect(exportRow('csv', row, columns, settings, undefined)).toMatch(/",\n$/);
  const failed = { row: 0, set: 0, error: { code: 'blank-answer', message: 'Blank.' } };
  expect(JSON.parse(exportRow('jsonl', row, columns, settings, failed))).toEqual({
    query: 'Why, "you"?',
    goldens: 'g',
    origin_responses: 'a\nb',
    aligned_responses: '',
  });
});

it('adds columns for what was scored, and leaves them empty in a row that was not', () => {
  const score = (value: number | undefined) => ({
    value,
    spread: undefined,
    replies: 1,
    invalid: 0,
    cutAtTokens: undefined,
    problem: undefined,
  });
  const line = (name: string, outcome: 'win' | undefined): ObjectiveScore => ({
    objective: { key: 'humour', label: 'Humour' },
    scorer: { type: 'judge', name, host: 'judge.example', repeats: 2 },
    original: score(2.5),
    edit: score(undefined),
    reviewed: undefined,
    comparison: { edit: { outcome, isConsistent: false }, reviewed: undefined },
  });
  const report = { scoredAt: 1, reviewedText: undefined, scores: [line('strict', 'win'), line('mild', undefined)] };
  const state = { row: 0, set: 0, edit, finishReason, usage, timings, model, scores: report };
  const scored = scoredColumns([state]);
  const written = JSON.parse(exportRow('jsonl', row, columns, settings, state, scored)) as Record<string, string>;
  expect(exportHeader('csv', scored).trim().split(',').slice(4)).toEqual(Object.keys(written).slice(4));
  expect(written).toMatchObject({
    score_humour_original: '2.5',
    score_humour_edit: '',
    score_humour_scorer: 'strict (judge.example, 0–10, ×2)',
    score_humour_comparison: 'win',
    score_humour_2_scorer: 'mild (judge.example, 0–10, ×2)',
    score_humour_2_comparison: 'invalid',
  });
  expect(exportRow('csv', row, columns, settings, undefined, scored)).toMatch(/,,,,,,,,\n$/);
  expect(exportRow('markdown', row, columns, settings, state)).toContain('- Humour: 2.5 → – (strict');
});

it('fences any text in Markdown so that it stays text', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[`a\n#]{0,20}$/), (text) => {
      const written = exportRow('markdown', { index: 0, cells: { query: text } }, columns, settings, undefined);
      const [, fence] = /\n(`+)text\n/.exec(written)!;
      expect(written).toContain(`\n${fence}text\n${text}\n${fence}\n`);
      expect(text).not.toContain(fence);
    }),
  );
});
