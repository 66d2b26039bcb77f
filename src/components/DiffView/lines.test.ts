import fc from 'fast-check';
import { expect, it } from 'vitest';

import { diffEdit } from '../../align/diff.ts';
import { type Decisions, type ReviewPart, reviewParts } from '../../align/review.ts';
import { type Fragment, type Sides, toLines } from './lines.ts';

const NOTHING: Decisions = new Map();
const unfolded = () => false;
const parts = (original: string, edit: string): ReviewPart[] =>
  reviewParts(diffEdit(original, edit, { isComplete: true, limit: { ms: 1000 } }));

function shown(line: readonly Fragment[]): string {
  return line.map((one) => (one.type === 'change' ? one.deleted + one.inserted : one.text)).join('');
}

function join(of: readonly ReviewPart[], sides: Sides, decisions = NOTHING): string {
  return toLines(of, sides, decisions, unfolded).map(shown).join('');
}

const text = fc
  .array(fc.constantFrom('one', 'two', ' ', '\n', '\n\n', '. ', 'three'), { maxLength: 14 })
  .map((words) => words.join(''));

it('joins to the original, and to the edit', () => {
  fc.assert(
    fc.property(text, text, (original, edit) => {
      const of = parts(original, edit);
      expect(join(of, 'original')).toBe(original);
      expect(join(of, 'edit')).toBe(edit);
    }),
  );
});

it('ends each line where a line feed is, and nowhere else', () => {
  fc.assert(
    fc.property(text, text, (original, edit) => {
      const lines = toLines(parts(original, edit), 'both', NOTHING, unfolded).map(shown);
      for (const line of lines.slice(0, -1)) expect(line.endsWith('\n')).toBe(true);
      for (const line of lines) expect(line.slice(0, -1)).not.toContain('\n');
    }),
  );
});

it('has exactly one place for a person’s own words a change, also where nothing of it is shown', () => {
  fc.assert(
    fc.property(text, text, fc.constantFrom<Sides>('original', 'edit', 'both'), (original, edit, sides) => {
      const of = parts(original, edit);
      const places = toLines(of, sides, NOTHING, unfolded)
        .flat()
        .filter((one) => one.type === 'change' && one.isLast);
      expect(places).toHaveLength(of.filter(({ type }) => type === 'change').length);
    }),
  );
});
