import { diffArrays } from 'diff';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shortestEdit } from './shortest-edit.ts';

const tokens = (alphabet: number, maxLength: number) =>
  fc.array(fc.nat(alphabet), { maxLength }).map((ids) => Int32Array.from(ids));

/** jsdiff's edits. */
function jsdiff(before: Int32Array, after: Int32Array, maxEditLength = Infinity) {
  return diffArrays([...before], [...after], { maxEditLength })?.map(({ added, removed, count }) => ({
    type: added ? 'inserted' : removed ? 'deleted' : 'kept',
    count,
  }));
}

describe('shortestEdit', () => {
  it.each([
    ['few kinds of tokens', 2, 40],
    ['many', 30, 60],
  ])('gives jsdiff’s edits for lists of %s', (_, alphabet, maxLength) => {
    fc.assert(
      fc.property(tokens(alphabet, maxLength), tokens(alphabet, maxLength), (before, after) => {
        expect(shortestEdit(before, after, {})).toEqual(jsdiff(before, after));
      }),
      { numRuns: 2000 },
    );
  });

  it('gives jsdiff’s edits for a text and what a few changes made of it', () => {
    const change = fc.tuple(fc.nat(400), fc.nat(5), tokens(50, 5));
    fc.assert(
      fc.property(tokens(50, 400), fc.array(change, { maxLength: 12 }), (before, changes) => {
        const after = [...before];
        for (const [at, deleted, inserted] of changes) after.splice(at, deleted, ...inserted);
        const changed = Int32Array.from(after);
        expect(shortestEdit(before, changed, {})).toEqual(jsdiff(before, changed));
      }),
    );
  });

  it('gives up where jsdiff does', () => {
    fc.assert(
      fc.property(tokens(5, 30), tokens(5, 30), fc.nat(40), (before, after, maxEdits) => {
        expect(shortestEdit(before, after, { maxEdits })).toEqual(jsdiff(before, after, maxEdits));
      }),
    );
  });

  it('gives up when its time is over', () => {
    const [before, after] = [Int32Array.of(1, 2), Int32Array.of(3)];
    expect(shortestEdit(before, after, { endMs: performance.now() - 1 })).toBeUndefined();
    expect(shortestEdit(before, before, { endMs: performance.now() - 1 })).toEqual([{ type: 'kept', count: 2 }]);
  });
});
