import { expect, it } from 'vitest';

import { objectiveSets, SET_SCHEMES } from './objective-sets.ts';
import { OBJECTIVES } from './objectives.ts';

const three = OBJECTIVES.slice(0, 3);
const keys = (sets: ReturnType<typeof objectiveSets>) => sets.map((set) => set.objectives.map(({ key }) => key));
const [a, b, c] = three.map(({ key }) => key);

it('takes objectives apart in each way, in the order chosen', () => {
  expect(keys(objectiveSets(three, ['together']))).toEqual([[a, b, c]]);
  expect(keys(objectiveSets(three, ['alone']))).toEqual([[a], [b], [c]]);
  expect(keys(objectiveSets(three, ['left-out']))).toEqual([
    [b, c],
    [a, c],
    [a, b],
  ]);
  expect(keys(objectiveSets(three, ['added']))).toEqual([[a], [a, b], [a, b, c]]);
});

it('asks for each set once and keeps why', () => {
  const sets = objectiveSets(three, SET_SCHEMES);
  expect(new Set(keys(sets).map(String)).size).toBe(sets.length);
  expect(sets).toHaveLength(7);
  expect(sets[0]!.schemes).toEqual(['together', 'added']);
});

it('gives one set for one objective, and none for none', () => {
  expect(objectiveSets(three.slice(0, 1), SET_SCHEMES)).toHaveLength(1);
  expect(objectiveSets([], SET_SCHEMES)).toEqual([]);
});
