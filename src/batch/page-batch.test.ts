import fc from 'fast-check';
import { expect, it } from 'vitest';

import { exampleAlignment } from '../align/alignment.fixture.ts';
import { exportHeader, exportRow } from './page-batch.ts';

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
