import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJsonObject } from './json-reader.ts';

describe('parseJsonObject', () => {
  it('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 6 })), fc.boolean(), (value, isSpaced) => {
        const text = JSON.stringify(value, null, isSpaced ? 2 : 0);
        expect(parseJsonObject(text, 'x')).toEqual(JSON.parse(text));
      }),
    );
  });

  it('takes or refuses any text as JSON.parse does', () => {
    const piece = fc.constantFrom(
      ...'{}[]:,"\\u0019ae+-.tfn \n\t'.split(''),
      'true',
      'null',
      '"a":',
      '1e5',
      '\u0001',
      '\\ud800',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = `{"a":${pieces.join('')}}`;
        let expected: unknown;
        try {
          expected = JSON.parse(text);
        } catch {
          expect(() => parseJsonObject(text, 'x')).toThrow(expect.objectContaining({ code: 'checkpoint-corrupt' }));
          return;
        }
        let actual: unknown;
        try {
          actual = parseJsonObject(text, 'x');
        } catch (error) {
          // The one thing that JSON.parse lets through.
          expect((error as Error).message).toContain(' once was expected');
          return;
        }
        expect(actual).toEqual(expected);
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    ['{"a":1,"a":1}', 'the key “a” once'],
    ['{"a":{"b":1,"\\u0062":2}}', 'the key “b” once'],
    ['[1]', 'must be an object'],
    ['3', 'must be an object'],
    [`{"a":${'['.repeat(40)}`, 'nested at most 32 deep'],
    ['{"a":1} {', 'the end of the text'],
    ['{"a":NaN}', 'a value'],
    ['{"a":01}', 'a value'],
    ['{"a', 'the rest of a string'],
    ['\ufeff{}', '“\\u{feff}{}” at character 0'],
  ])('refuses %j with the position', (text, says) => {
    expect(() => parseJsonObject(text, 'config.json')).toThrow(
      expect.objectContaining({ code: 'checkpoint-corrupt', message: expect.stringContaining(says) as string }),
    );
  });

  it('keeps __proto__ an ordinary key', () => {
    const value = parseJsonObject('{"__proto__":{"polluted":1}}', 'x');
    expect(Object.keys(value)).toEqual(['__proto__']);
    expect((value as { polluted?: number }).polluted).toBeUndefined();
  });
});
