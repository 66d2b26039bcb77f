import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diffEdit } from './diff.ts';
import { reviewedText, reviewParts } from './review.ts';

const REJECTED = { type: 'rejected' } as const;
const whole = { isComplete: true, limit: { ms: 1000 } };
const review = (original: string, edit: string) => reviewParts(diffEdit(original, edit, whole));
const all = (parts: ReturnType<typeof reviewParts>) =>
  new Map(parts.flatMap((part) => (part.type === 'change' ? [[part.index, REJECTED] as const] : [])));

describe('reviewParts', () => {
  it('makes one change of a word that went and the one that came', () => {
    expect(review('What a lazy question.', 'What a calm question.')).toEqual([
      { type: 'kept', text: 'What a ' },
      { type: 'change', index: 0, deleted: 'lazy', inserted: 'calm' },
      { type: 'kept', text: ' question.' },
    ]);
  });

  it('merges neighbours with only blanks and marks between them, and keeps others apart', () => {
    const changes = review('one two, three four five', 'uno dos, three four cinco').filter(
      ({ type }) => type === 'change',
    );
    expect(changes).toEqual([
      { type: 'change', index: 0, deleted: 'one two', inserted: 'uno dos' },
      { type: 'change', index: 1, deleted: 'five', inserted: 'cinco' },
    ]);
  });
});

describe('reviewedText', () => {
  it('takes single changes back', () => {
    const parts = review('A rude answer. It ends.', 'A kind answer. It ends. Good luck!');
    expect(reviewedText(parts, new Map([[0, REJECTED]]))).toBe('A rude answer. It ends. Good luck!');
    expect(reviewedText(parts, new Map([[1, REJECTED]]))).toBe('A kind answer. It ends.');
  });

  it('puts a person’s own words in a change’s place', () => {
    const parts = review('A rude answer. It ends.', 'A kind answer. It ends.');
    expect(reviewedText(parts, new Map([[0, { type: 'reworded', text: 'warm' }]]))).toBe('A warm answer. It ends.');
  });

  it('is the edit without decisions and the original with all changes rejected, whatever the texts', () => {
    const words = fc.array(fc.constantFrom('a', 'b', 'cc', '.', ',', '\n\n', ' ', 'é', '日本', '🙂'), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(words, words, (first, second) => {
        const [original, edit] = [first.join(' '), second.join(' ')];
        const parts = review(original, edit);
        expect(reviewedText(parts, new Map())).toBe(edit);
        expect(reviewedText(parts, all(parts))).toBe(original);
      }),
    );
  });

  it('leaves out what the model did not reach', () => {
    const parts = reviewParts(diffEdit('One. Two. Three.', 'One. ', { isComplete: false, limit: { ms: 1000 } }));
    expect(reviewedText(parts, new Map()).trim()).toBe('One.');
  });
});
