import { describe, expect, it } from 'vitest';
import { DraftLength } from './draft-length.ts';

/** Steps of `tokens` tokens take this long; drafted tokens are right as often as told. */
function settle(length: DraftLength, msOf: (tokens: number) => number, isRight: (step: number) => boolean, steps = 60) {
  const chosen: number[] = [];
  for (let step = 0; step < steps; step++) {
    const drafted = length.choose(100);
    chosen.push(drafted);
    const accepted = isRight(step) ? drafted : 0;
    length.record(drafted, accepted, msOf(drafted + 1));
    for (let i = 0; i < accepted; i++) length.learn(true);
    if (accepted < drafted) length.learn(false);
  }
  return chosen;
}

describe('DraftLength', () => {
  it('drafts nothing until it knows what a step of one token takes', () => {
    expect(new DraftLength().choose(10)).toBe(0);
  });

  it('drafts the most where drafts are right and a longer step takes hardly longer', () => {
    const chosen = settle(
      new DraftLength(),
      (tokens) => 10 + 0.5 * tokens,
      () => true,
    );
    expect(chosen.at(-1)).toBe(16);
  });

  it('drafts nothing where each token takes as long as a step of its own', () => {
    const chosen = settle(
      new DraftLength(),
      (tokens) => 10 * tokens,
      (step) => step % 2 === 0,
    );
    expect(chosen.slice(-20).filter((drafted) => drafted > 0).length).toBeLessThanOrEqual(2);
  });

  it('stops where drafts are wrong, tries again now and then, and comes back when they are right', () => {
    const length = new DraftLength();
    const cheap = (tokens: number) => 10 + tokens;
    const wrong = settle(length, cheap, () => false, 80);
    const tries = wrong.slice(-60).filter((drafted) => drafted > 0).length;
    expect(tries).toBeGreaterThan(0);
    expect(tries).toBeLessThan(15);
    expect(settle(length, cheap, () => true, 60).at(-1)).toBeGreaterThanOrEqual(8);
  });

  it.each([
    ['little', (tokens: number) => 10 + 0.5 * tokens],
    ['half a step', (tokens: number) => 5 + 5 * tokens],
    ['nothing for a second one', (tokens: number) => 10 + Math.max(2, tokens)],
  ])('loses next to nothing to wrong drafts where a token more takes %s', (_, msOf) => {
    const length = new DraftLength();
    settle(length, msOf, () => true);
    for (const tokens of [64, 64, 256]) {
      length.begin();
      const drafted = settle(length, msOf, () => false, tokens);
      const ms = drafted.reduce((sum, count) => sum + msOf(count + 1), 0);
      expect((tokens * msOf(1)) / ms, `${tokens} tokens`).toBeGreaterThan(0.975);
    }
  });

  it('always drafts a token where a second one is computed in any case, however slow a step was once', () => {
    const length = new DraftLength(2);
    length.record(0, 0, 10);
    const padded = (tokens: number) => 8 + Math.max(2, tokens);
    const drafted = settle(length, padded, () => false, 50);
    length.record(1, 0, 400);
    drafted.push(...settle(length, padded, () => false, 50));
    expect(drafted).not.toContain(0);
    expect(drafted.filter((count) => count === 1).length).toBeGreaterThan(90);
  });

  it('comes back to a size whose first step was slow', () => {
    const length = new DraftLength();
    length.record(0, 0, 10);
    length.record(4, 4, 400);
    expect(length.choose(4)).not.toBe(4);
    const chosen = settle(
      length,
      (tokens) => 10 + 0.5 * tokens,
      () => true,
      4000,
    );
    expect(chosen.at(-1)).toBeGreaterThanOrEqual(8);
  });

  it('drafts the more the longer guesses have been right, drafted or not, and little after a wrong one', () => {
    const length = new DraftLength();
    length.record(0, 0, 10);
    expect(length.choose(16)).toBeLessThanOrEqual(2);
    for (let i = 0; i < 8; i++) length.learn(true);
    expect(length.choose(16)).toBeGreaterThanOrEqual(8);
    length.learn(false);
    expect(length.choose(16)).toBeLessThanOrEqual(4);
  });

  it('drafts a copy even after the first step of a size was held up for long', () => {
    const length = new DraftLength();
    length.record(0, 0, 10);
    length.record(2, 0, 2000);
    length.learn(false);
    for (let i = 0; i < 10; i++) {
      length.record(0, 0, 10);
      length.learn(true);
    }
    expect(length.choose(16)).toBeGreaterThanOrEqual(4);
  });

  it('never drafts more than there is room for', () => {
    const length = new DraftLength();
    length.record(0, 0, 10);
    for (const most of [0, 1, 3]) expect(length.choose(most)).toBeLessThanOrEqual(most);
  });
});
