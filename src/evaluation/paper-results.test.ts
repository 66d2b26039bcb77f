import { describe, expect, it } from 'vitest';
import { publishedAdvantage, publishedRates } from './paper-results.ts';

it.each([
  ['LLaMA2-Chat-7B', 'hh-rlhf', 'harmlessness', { '1.1B': 10, '7B': 25, '13B': 24 }],
  ['gpt-3.5-turbo', 'ultrafeedback', 'helpfulness', { '1.1B': 1, '7B': 14.34, '13B': 23.67 }],
  ['Claude-3', 'imhi', 'professional', { '1.1B': 6.66, '7B': 11.33, '13B': 11.2 }],
] as const)('%s has the figures of Table 2 for %s %s', (policy, template, key, wanted) => {
  expect(publishedAdvantage(policy, template, key)).toEqual(wanted);
});

it.each([
  ['a name that begins several', 'vicuna', 'hh-rlhf', 'humour'],
  ['a model that is not listed', 'mistral', 'hh-rlhf', 'humour'],
  ['no name', '', 'hh-rlhf', 'humour'],
  ['an objective of another family', 'Vicuna-7B', 'imhi', 'humour'],
] as const)('%s has none', (_what, policy, template, key) => {
  expect(publishedAdvantage(policy, template, key)).toBeUndefined();
});

describe('Table 3', () => {
  it('has the figures of both families and none for IMHI', () => {
    expect(publishedRates('hh-rlhf')).toHaveLength(9);
    expect(publishedRates('hh-rlhf')[5]).toEqual({
      method: 'MetaAligner-7B',
      policy: 'LLaMA2-Chat-7B',
      rates: { harmlessness: 77.5, helpfulness: 82, humour: 83 },
      average: 80.83,
    });
    expect(publishedRates('ultrafeedback')[2]!.rates).toEqual({
      instruction_following: 27,
      honesty: 36.5,
      truthfulness: 26,
      helpfulness: 36.5,
    });
    expect(publishedRates('imhi')).toEqual([]);
  });

  it('has averages that its columns give, but for those that the paper prints otherwise', () => {
    const odd = (['hh-rlhf', 'ultrafeedback'] as const).flatMap((family) =>
      publishedRates(family)
        .filter(({ rates, average }) => {
          const values = Object.values(rates);
          return Math.abs(values.reduce((sum, rate) => sum + rate, 0) / values.length - average) > 0.05;
        })
        .map(({ method }) => `${family} ${method}`),
    );
    expect(odd).toEqual(['ultrafeedback Self-refinement']);
  });
});
