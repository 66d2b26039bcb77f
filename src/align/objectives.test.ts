import { describe, expect, it } from 'vitest';
import { customObjective, findObjective, isTrainedObjective, OBJECTIVES } from './objectives.ts';

describe('findObjective', () => {
  it.each([
    ['humor', 'humour'],
    ['speci', 'specificity'],
    ['factual', 'factuality'],
    ['read', 'readability'],
    ['fair', 'fairness'],
    ['len', 'length'],
    [' Harmlessness ', 'harmlessness'],
  ])('knows %s as %s', (name, key) => {
    expect(findObjective(name, 'hh-rlhf').key).toBe(key);
  });

  it('gives one key its family’s own bytes', () => {
    expect(findObjective('helpfulness', 'hh-rlhf').description).toMatch(/^Helpfulness: The response/);
    expect(findObjective('helpfulness', 'ultrafeedback').description).toMatch(/^Helpfulness: the response/);
  });

  it('refuses an unknown name with the list of what exists', () => {
    expect(() => findObjective('brevity', 'hh-rlhf')).toThrow(
      expect.objectContaining({
        code: 'unknown-name',
        message: expect.stringContaining('harmlessness, helpfulness') as string,
      }),
    );
  });

  it('has no name that means two objectives', () => {
    const names = OBJECTIVES.flatMap((objective) => [objective.key, ...objective.aliases]);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('customObjective', () => {
  it('is written into the prompt like the published ones', () => {
    expect(customObjective(' Brevity ', ' the response should be short ').description).toBe(
      'Brevity: the response should be short',
    );
  });

  it.each([
    ['', 'text'],
    ['name', ' \n'],
  ])('refuses a blank part (%j, %j)', (name, description) => {
    expect(() => customObjective(name, description)).toThrow(expect.objectContaining({ code: 'invalid-request' }));
  });
});

it('tells trained objectives from those that a family never saw', () => {
  const trained = (family: 'hh-rlhf' | 'ultrafeedback' | 'imhi') =>
    OBJECTIVES.filter(({ key }) => isTrainedObjective(key, family)).map(({ key }) => key);
  expect(trained('hh-rlhf')).toEqual(['harmlessness', 'helpfulness', 'humour']);
  expect(trained('ultrafeedback')).toEqual(['helpfulness', 'instruction_following', 'honesty', 'truthfulness']);
  expect(trained('imhi')).toEqual(['correct', 'informative', 'professional']);
  expect(isTrainedObjective('custom:x', 'imhi')).toBe(false);
});
