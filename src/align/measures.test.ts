import fc from 'fast-check';
import { expect, it } from 'vitest';

import { countChanges, diffEdit } from './diff.ts';
import { changedShare, kindOfEdit, measureText } from './measures.ts';

it('counts words and sentences, in scripts without blanks too', () => {
  expect(measureText('Dr. No, that is 3.5 percent. Is it?')).toMatchObject({ words: 8 });
  expect(measureText('Water them. Then wait!')).toMatchObject({ words: 4, sentences: 2 });
  expect(measureText('今天天气很好。我们去公园。').sentences).toBe(2);
  expect(measureText('')).toEqual({ words: 0, sentences: 0, readingEase: undefined, repetition: 0 });
});

it('gives Flesch’s reading ease: 116.1 for “The cat sat on the mat.”', () => {
  expect(measureText('The cat sat on the mat.').readingEase).toBeCloseTo(206.835 - 1.015 * 6 - 84.6, 6);
  const hard = measureText('Terminate numerous simultaneously executing applications immediately.').readingEase!;
  expect(hard).toBeLessThan(measureText('Close the open apps now.').readingEase!);
});

it('finds repetition: half of the 4-word sequences of a sentence said twice', () => {
  expect(measureText('a b c d e f g h').repetition).toBe(0);
  const twice = measureText('open the door and wait here open the door and wait here').repetition;
  expect(twice).toBeCloseTo(3 / 9, 6);
});

it('gives a share of 0 for equal texts, 1 for texts without a common word, and between otherwise', () => {
  const share = (original: string, edit: string) =>
    changedShare(countChanges(diffEdit(original, edit, { isComplete: true, limit: { ms: 1000 } })));
  expect(share('one two', 'one two')).toBe(0);
  expect(share('one two', 'three four')).toBe(1);
  fc.assert(
    fc.property(fc.lorem(), fc.lorem(), (original, edit) => {
      const value = share(original, edit);
      expect(value).toBeGreaterThanOrEqual(0);
      expect(value).toBeLessThanOrEqual(1);
    }),
  );
});

it.each([
  ['One two three.', 'One two three.', 'unchanged'],
  ['One two.\n\nThree.', 'One two. Three.', 'only-spaces'],
  ['One two three four.', 'One two four.', 'only-shortened'],
  ['One two.', 'One two. Three four.', 'only-extended'],
  ['Take the red car home today.', 'Take the blue car home today.', 'changed'],
  ['Take the red car.', 'Nobody should drive in that state at all.', 'rewritten'],
])('tells “%s” to “%s” as %s', (original, edit, kind) => {
  const count = countChanges(diffEdit(original, edit, { isComplete: true, limit: { ms: 1000 } }));
  expect(kindOfEdit(original, edit, count)).toBe(kind);
});
