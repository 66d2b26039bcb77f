import { expect, it } from 'vitest';
import { AlignError } from './errors.ts';

it('crosses a boundary as plain data and comes back whole', () => {
  const error = new AlignError('prompt-too-long', 'The prompt is 3 tokens.', { details: { promptTokens: 3 } });
  const back = AlignError.fromJSON(JSON.parse(JSON.stringify(error)));
  expect(back).toBeInstanceOf(AlignError);
  expect(back).toMatchObject({
    code: 'prompt-too-long',
    message: 'The prompt is 3 tokens.',
    details: { promptTokens: 3 },
  });
  expect(back?.remedy).toMatch(/Shorten/);
});

it.each([undefined, null, 'text', {}, { code: 'no-such-code', message: 'x' }, { code: 'toString', message: 'x' }])(
  'is not read out of something else: %j',
  (value) => {
    expect(AlignError.fromJSON(value)).toBeUndefined();
  },
);
