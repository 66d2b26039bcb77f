import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GenerateOptions } from '../align/engine.ts';
import { GREEDY } from '../align/request.ts';
import { Drafter } from './drafter.ts';
import { createScriptedEngine, type StepCall, writes } from './scripted-engine.ts';

const BEFORE = [1, 90, 91, 92];
const AFTER = [95, 96];

/** Drafts of `most` tokens and how many steps an edit takes with them. */
function stepsFor(answer: readonly number[], edit: readonly number[], most = 4): number {
  const prompt = Int32Array.from([...BEFORE, ...answer, ...AFTER]);
  const drafter = new Drafter(prompt, [BEFORE.length, BEFORE.length + answer.length]);
  let steps = 0;
  for (let at = 0; at < edit.length; steps++) {
    const draft = drafter.draft(most);
    let taken = 0;
    while (taken < draft.length && draft[taken] === edit[at + taken]) taken += 1;
    for (const tokenId of edit.slice(at, at + taken + 1)) drafter.accept(tokenId);
    at += taken + 1;
  }
  return steps;
}

const answer = Array.from({ length: 30 }, (_, i) => 10 + i);

describe('Drafter', () => {
  it('drafts the answer from its first token, and nothing after its last', () => {
    const drafter = new Drafter(Int32Array.from([...BEFORE, 10, 11, 12, ...AFTER]), [4, 7]);
    expect(drafter.draft(2)).toEqual([10, 11]);
    expect(drafter.draft(9)).toEqual([10, 11, 12]);
    expect([10, 99, 12].map((tokenId) => drafter.accept(tokenId))).toEqual([true, false, true]);
    expect(drafter.draft(9)).toEqual([]);
    expect(drafter.accept(13)).toBeUndefined();
  });

  it('needs one step for five copied tokens where four are drafted', () => {
    expect(stepsFor(answer, answer)).toBe(6);
  });

  it.each([
    ['left out one', [...answer.slice(0, 10), ...answer.slice(11)]],
    ['left out five', [...answer.slice(0, 10), ...answer.slice(15)]],
    ['replaced one', [...answer.slice(0, 10), 70, ...answer.slice(11)]],
    ['put two in', [...answer.slice(0, 10), 70, 71, ...answer.slice(10)]],
  ])('takes the answer up again after the edit %s', (_name, edit) => {
    expect(stepsFor(answer, edit)).toBeLessThanOrEqual(11);
  });

  it('finds what the edit says again in the context and in the edit', () => {
    const drafter = new Drafter(Int32Array.of(1, 20, 21, 22, 23, 24), undefined);
    expect(drafter.draft(3)).toEqual([]);
    for (const tokenId of [50, 21, 22]) drafter.accept(tokenId);
    expect(drafter.draft(2)).toEqual([23, 24]);
    for (const tokenId of [60, 61, 62, 63, 60, 61]) drafter.accept(tokenId);
    expect(drafter.draft(2)).toEqual([62, 63]);
  });
});

describe('a text that repeats itself', () => {
  it('is drafted beyond its end', () => {
    const drafter = new Drafter(Int32Array.of(1), undefined);
    for (const tokenId of [5, 6, 7, 5, 6]) drafter.accept(tokenId);
    expect(drafter.draft(8)).toEqual([7, 5, 6, 7, 5, 6, 7, 5]);
    expect(drafter.draft(0)).toEqual([]);
  });
});

describe('the decode loop with drafts', () => {
  const config = { vocabularySize: 100, contextLength: 200, eosTokenIds: [2] };
  const never = new AbortController().signal;

  async function run(prompt: Int32Array, edit: readonly number[], options: Partial<GenerateOptions>) {
    const { engine, decoder } = createScriptedEngine(writes(edit, prompt.length, 2), { config });
    const tokenIds: number[] = [];
    for await (const step of engine.generate(prompt, { ...GREEDY, maxNewTokens: 60, ...options }, never)) {
      tokenIds.push(...step);
    }
    return { tokenIds, calls: decoder.calls };
  }

  it('writes the edit in far fewer steps when it copies', async () => {
    const prompt = Int32Array.from([...BEFORE, ...answer, ...AFTER]);
    const { tokenIds, calls } = await run(prompt, answer, { answerRange: [4, 34] });
    expect(tokenIds).toEqual(answer);
    const steps = calls.filter(({ pastTokens }: StepCall) => pastTokens > 0);
    expect(steps.length).toBeLessThanOrEqual(12);
    // Each position is scored.
    for (const { tokenIds: read, logitRows } of steps) expect(logitRows).toBe(read.length);
  });

  it('writes the same, greedy or drawn, whatever it drafts from', async () => {
    const ids = fc.array(fc.integer({ min: 3, max: 12 }), { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(
        ids,
        ids,
        fc.nat(3),
        fc.integer({ min: 1, max: 50 }),
        async (given, edit, seed, maxNewTokens) => {
          const prompt = Int32Array.from([...BEFORE, ...given, ...AFTER]);
          const sampling = seed === 0 ? {} : { temperature: 1.5, topK: 3, seed, repetitionPenalty: 1.1 };
          const drafted = await run(prompt, edit, { ...sampling, maxNewTokens, answerRange: [4, 4 + given.length] });
          // From what the prompt and the edit hold by chance.
          const { engine } = createScriptedEngine(writes(edit, prompt.length, 2), { config });
          const whole: number[] = [];
          for await (const step of engine.generate(prompt, { ...GREEDY, ...sampling, maxNewTokens }, never))
            whole.push(...step);
          expect(drafted.tokenIds).toEqual(whole);
          expect(drafted.tokenIds.length).toBeLessThanOrEqual(maxNewTokens);
          const read = drafted.calls.map(({ tokenIds, pastTokens }) => tokenIds.length + pastTokens);
          expect(Math.max(...read)).toBeLessThanOrEqual(prompt.length + maxNewTokens - 1 || prompt.length);
        },
      ),
      { numRuns: 150 },
    );
  });
});
