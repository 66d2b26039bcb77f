import fc from 'fast-check';
import { expect, it } from 'vitest';

import { countOddCharacters, removeOddCharacters } from './odd-characters.ts';

it('counts what a reader does not see, by kind', () => {
  expect(countOddCharacters('a\u202Eb\u2066c\u0007d\u200Be\uD800f')).toEqual({ direction: 2, control: 2, broken: 1 });
});

it('finds nothing odd in text of any script, with emoji, tabs and line ends', () => {
  for (const text of ['', 'a\tb\r\nc', 'مرحبا', '日本語', '👩🏽‍🚀 é', 'naïve']) {
    expect(countOddCharacters(text), text).toBeUndefined();
  }
});

it('removes all of them and nothing else', () => {
  expect(removeOddCharacters('a\u202Eb\u0000 c\uDC00')).toBe('ab c');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(countOddCharacters(removeOddCharacters(text))).toBeUndefined();
    }),
  );
});
