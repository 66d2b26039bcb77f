import { expect, it } from 'vitest';
import { CATALOGUE, familyOfName, parseTemplateId } from './catalogue.ts';

it('lists the eight published checkpoints', () => {
  expect(CATALOGUE.map((model) => model.id)).toEqual([
    'MetaAligner/MetaAligner-HH-RLHF-1.1B',
    'MetaAligner/MetaAligner-HH-RLHF-7B',
    'MetaAligner/MetaAligner-HH-RLHF-13B',
    'MetaAligner/MetaAligner-UltraFeedback-1.1B',
    'MetaAligner/MetaAligner-UltraFeedback-7B',
    'MetaAligner/MetaAligner-UltraFeedback-13B',
    'MetaAligner/MetaAligner-IMHI-7B',
    'MetaAligner/MetaAligner-IMHI-13B',
  ]);
});

it('reads the family from a published name and from nothing else', () => {
  for (const model of CATALOGUE) expect(familyOfName(model.id)).toBe(model.family);
  expect(familyOfName('models/metaaligner-imhi-7b-q4')).toBe('imhi');
  expect(familyOfName('SmolLM2-135M-Instruct')).toBeUndefined();
});

it.each(['imhj', 'toString', ''])('refuses the family %j with the list of what exists', (name) => {
  expect(() => parseTemplateId(name)).toThrow(
    expect.objectContaining({
      code: 'unknown-name',
      message: expect.stringContaining('hh-rlhf, ultrafeedback, imhi') as string,
    }),
  );
});
