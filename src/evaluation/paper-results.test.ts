import { expect, it } from 'vitest';
import { publishedAdvantage } from './paper-results.ts';

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
