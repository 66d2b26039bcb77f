import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { type Change, countChanges, diffEdit, StreamingDiff } from './diff.ts';

const done = { isComplete: true, limit: { ms: 1000 } };
const streaming = { isComplete: false, limit: { ms: 1000 } };

/** `kept|-deleted|+inserted|?pending`, one string per piece. */
function show(changes: readonly Change[]): string[] {
  const marks = { kept: '', deleted: '-', inserted: '+', pending: '?' };
  return changes.map(({ type, text }) => marks[type] + text);
}

function original(changes: readonly Change[]): string {
  return changes.map(({ type, text }) => (type === 'inserted' ? '' : text)).join('');
}

function edit(changes: readonly Change[]): string {
  return changes.map(({ type, text }) => (type === 'kept' || type === 'inserted' ? text : '')).join('');
}

/** Short texts of few words, so that they share many. */
const text = fc
  .array(fc.constantFrom('the', 'cat', 'sat', ' ', ' ', '  ', '\n', '\n\n', '.', 'happy', 'hap', 'é', '猫', '😀'))
  .map((words) => words.join(''));

describe('diffEdit', () => {
  it('shows equal texts as kept, and nothing for two empty ones', () => {
    expect(show(diffEdit('One two.', 'One two.', done))).toEqual(['One two.']);
    expect(diffEdit('', '', done)).toEqual([]);
  });

  it('compares words, not sentences, in scripts that write no blanks between words', () => {
    const changes = diffEdit('今天天气很好，我们去公园。', '今天天气不好，我们去公园。', done);
    expect(changes[0]).toEqual({ type: 'kept', text: expect.stringMatching(/^今天天气/) as string });
    expect(changes.at(-1)).toEqual({ type: 'kept', text: expect.stringMatching(/我们去公园。$/) as string });
    const { insertedWords, deletedWords, keptWords } = countChanges(changes);
    expect(insertedWords + deletedWords).toBeLessThan(keptWords);
  });

  it('finds the sentences that stayed where a long text changed too much for the time by words', () => {
    // Words in an order of their own, so that by words the two are as unlike as texts can be.
    const sentences = (seed: number) =>
      Array.from({ length: 3000 }, (_, i) =>
        i % 3 === 0
          ? `Sentence ${i} stays. `
          : `${'abcdefgh'.charAt((i * seed) % 8)} ${(i * seed) % 997} changes ${seed}. `,
      );
    const [before, after] = [sentences(7).join(''), sentences(11).join('')];
    const changes = diffEdit(before, after, { isComplete: true, limit: { ms: 40 } });
    expect(original(changes)).toBe(before);
    expect(edit(changes)).toBe(after);
    expect(countChanges(changes).keptWords).toBeGreaterThan(2000);
  });

  it('joins to both texts when there is time for sentences only, whatever they are', () => {
    const sentence = fc.constantFrom('One. ', 'Two two. ', 'Three!\n', 'Four', ' five? ', '。', '六。');
    const several = fc.array(sentence, { maxLength: 12 }).map((sentences) => sentences.join(''));
    fc.assert(
      fc.property(several, several, (before, after) => {
        const changes = diffEdit(before, after, { isComplete: true, limit: { ms: -1 } });
        expect([original(changes), edit(changes)]).toEqual([before, after]);
      }),
    );
  });

  it('shows words that went and came', () => {
    expect(show(diffEdit('I hate long queues.', 'I dislike long queues.', done))).toEqual([
      'I ',
      '-hate',
      '+dislike',
      ' long queues.',
    ]);
  });

  it('reads neighbouring replaced words as one replacement', () => {
    expect(show(diffEdit('See the red car go.', 'See a blue bus go.', done))).toEqual([
      'See ',
      '-the red car',
      '+a blue bus',
      ' go.',
    ]);
  });

  it('does not hold on to one short word amid replaced ones', () => {
    expect(show(diffEdit('You should be used to it by now.', 'You should not have to wait.', done))).toEqual([
      'You should ',
      '-be used to it by now',
      '+not have to wait',
      '.',
    ]);
  });

  it('holds on to words that stand together', () => {
    expect(show(diffEdit('All parcels get lost daily.', 'Some parcels get found daily.', done))).toEqual([
      '-All',
      '+Some',
      ' parcels get ',
      '-lost',
      '+found',
      ' daily.',
    ]);
  });

  it('shows a lost paragraph break', () => {
    expect(show(diffEdit('One.\n\nTwo.', 'One. Two.', done))).toEqual(['One.', '-\n\n', '+ ', 'Two.']);
  });

  it('keeps a line break between two replaced lines', () => {
    expect(show(diffEdit('a\nb', 'c\nd', done))).toEqual(['-a', '+c', '\n', '-b', '+d']);
  });

  it('joins to both texts, whatever they are', () => {
    fc.assert(
      fc.property(text, text, fc.boolean(), fc.constantFrom(1000, -1), (before, after, isComplete, timeoutMs) => {
        const changes = diffEdit(before, after, { isComplete, limit: { ms: timeoutMs } });
        expect(original(changes)).toBe(before);
        expect(edit(changes)).toBe(after);
        expect(changes.every((change) => change.text !== '')).toBe(true);
      }),
    );
  });
});

describe('diffEdit while the edit is being written', () => {
  it('has everything pending before the first word', () => {
    expect(show(diffEdit('One two.', '', streaming))).toEqual(['?One two.']);
  });

  it('has the rest pending, not deleted', () => {
    expect(show(diffEdit('One two three four.', 'One two', streaming))).toEqual(['One two', '? three four.']);
    expect(show(diffEdit('One two three four.', 'One 2', streaming))).toEqual(['One ', '+2', '?two three four.']);
  });

  it('takes half a word for a copy so far', () => {
    expect(show(diffEdit('I am happy to help.', 'I am hap', streaming))).toEqual(['I am hap', '?py to help.']);
  });

  it('does not delete all before a word that happens to come again far down', () => {
    const answer = 'That is a question which nobody has ever asked, so I will answer it for you.';
    expect(show(diffEdit(answer, 'Well, you', streaming))).toEqual(['+Well, you', `?${answer}`]);
  });

  it('deletes what was skipped once enough of what follows was copied', () => {
    expect(show(diffEdit('No. Plants need water and light.', 'Plants need water', streaming))).toEqual([
      '-No. ',
      'Plants need water',
      '? and light.',
    ]);
  });

  it('never deletes at the end, and puts the one pending piece last', () => {
    fc.assert(
      fc.property(text, text, (before, after) => {
        const changes = diffEdit(before, after, streaming);
        expect(changes.slice(0, -1).every(({ type }) => type !== 'pending')).toBe(true);
        const last = changes.filter(({ type }) => type !== 'inserted').at(-1);
        expect(last?.type).not.toBe('deleted');
      }),
    );
  });
});

describe('diffEdit out of time', () => {
  // A negative timeout ends the word diff before its first round.
  const late = { isComplete: true, limit: { ms: -1 } };

  it('keeps equal start and end and replaces the middle', () => {
    expect(show(diffEdit('Yes, the red car is here now.', 'Yes, the blue bus was here now.', late))).toEqual([
      'Yes, the ',
      '-red car is',
      '+blue bus was',
      ' here now.',
    ]);
  });

  it('never cuts a word', () => {
    expect(show(diffEdit('unhappy', 'unlucky', late))).toEqual(['-unhappy', '+unlucky']);
  });
});

describe('StreamingDiff', () => {
  /** Sentences of which every third is changed; long enough to settle. */
  const sentence = (i: number, verb: string) => `Sentence number ${i} ${verb} about plants, water, light and soil. `;
  const answer = Array.from({ length: 40 }, (_, i) => sentence(i, 'speaks')).join('');
  const rewritten = Array.from({ length: 40 }, (_, i) => sentence(i, i % 3 === 0 ? 'talks' : 'speaks')).join('');

  it('finds what one diff of the whole finds', () => {
    const diff = new StreamingDiff(answer, 1000);
    for (let end = 0; end < rewritten.length; end += 7) diff.update(rewritten.slice(0, end));
    expect(show(diff.update(rewritten))).toEqual(
      show(diffEdit(answer, rewritten, { isComplete: true, limit: { ms: 5000 } })),
    );
  });

  it('settles a plain copy', () => {
    const diff = new StreamingDiff(answer, 1000);
    for (let end = 0; end <= 1500; end += 50) diff.update(answer.slice(0, end));
    expect(show(diff.update(answer.slice(0, 1500)))).toEqual([answer.slice(0, 1500), `?${answer.slice(1500)}`]);
  });

  it('joins to both texts at every step, whatever they are', () => {
    const long = fc.array(fc.constantFrom('the cat ', 'sat on the mat ', 'happy ', '\n\n', 'far away. '), {
      maxLength: 150,
    });
    fc.assert(
      fc.property(long, long, fc.constantFrom(1000, -1), (before, after, timeoutMs) => {
        const diff = new StreamingDiff(before.join(''), timeoutMs);
        for (let end = 0; end <= after.length; end += 10) {
          const changes = diff.update(after.slice(0, end).join(''));
          expect(original(changes)).toBe(before.join(''));
          expect(edit(changes)).toBe(after.slice(0, end).join(''));
          expect(changes.slice(0, -1).every(({ type }) => type !== 'pending')).toBe(true);
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe('countChanges', () => {
  it('counts words, not pieces or punctuation', () => {
    expect(countChanges(diffEdit('I hate long queues.', 'I really dislike queues.', done))).toEqual({
      insertedWords: 2,
      deletedWords: 2,
      keptWords: 2,
    });
  });
});
