import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Engine, GenerateOptions } from '../align/engine.ts';
import { GREEDY } from '../align/request.ts';
import { VARIANT_FILE_NAMES } from '../convert/write-graphs.ts';
import { BatchLoop } from './batch-loop.ts';
import { DecodeLoop } from './decode-loop.ts';
import { DraftLength } from './draft-length.ts';
import { Drafter } from './drafter.ts';
import { createNodeDecoder } from './node-engine.ts';
import { recordScores } from './recorded-scores.fixture.ts';
import { ROW_SENSITIVE_VOCABULARY, RowSensitiveDecoder } from './row-sensitive-decoder.fixture.ts';
import { CONTRACT_CONFIG, convertToDisk } from './small-model.fixture.ts';

const never = new AbortController().signal;

afterEach(() => void vi.restoreAllMocks());

/** Whatever a clock would have said. */
function draftLengths(lengths: readonly number[]): void {
  let next = 0;
  vi.spyOn(DraftLength.prototype, 'choose').mockImplementation((most) =>
    Math.max(0, Math.min(most, lengths[next++ % lengths.length]!)),
  );
}

async function generate(engine: Engine, promptIds: Int32Array, options: Partial<GenerateOptions>): Promise<number[]> {
  const tokenIds: number[] = [];
  for await (const step of engine.generate(promptIds, { ...GREEDY, maxNewTokens: 40, ...options }, never)) {
    tokenIds.push(...step);
  }
  return tokenIds;
}

const tokenId = fc.nat(ROW_SENSITIVE_VOCABULARY - 1);
const lengths = fc.array(fc.oneof(fc.constant(0), fc.nat(16)), { minLength: 1, maxLength: 12 });
const request = fc
  .record({ prompt: fc.array(tokenId, { minLength: 1, maxLength: 40 }), from: fc.nat(40), to: fc.nat(40) })
  .map(({ prompt, from, to }) => {
    const range: readonly [number, number] = [from % prompt.length, to % (prompt.length + 1)];
    return { promptIds: Int32Array.from(prompt), range: range[0] < range[1] ? range : undefined };
  });

describe('a token that no guess is beside', () => {
  it('is read alone, and others may be read together, whatever is drafted', () => {
    const seen = { alone: 0, beside: 0 };
    fc.assert(
      fc.property(request, fc.array(tokenId, { maxLength: 60 }), lengths, ({ promptIds, range }, edit, chosen) => {
        const drafter = new Drafter(promptIds, range);
        for (let at = 0, step = 0; at < edit.length; step++) {
          drafter.accept(edit[at]!);
          const draft = drafter.draft(chosen[step % chosen.length]!);
          if (!drafter.isBesideGuesses) expect(draft).toEqual([]);
          seen[drafter.isBesideGuesses ? 'beside' : 'alone'] += 1;
          at += 1;
          for (const guess of draft) {
            if (edit[at] !== guess) break;
            drafter.accept(guess);
            expect(drafter.isBesideGuesses).toBe(true);
            at += 1;
          }
        }
      }),
      { numRuns: 1000 },
    );
    // It was about something.
    expect(Math.min(seen.alone, seen.beside)).toBeGreaterThan(300);
  });

  const sampled = fc.constantFrom<Partial<GenerateOptions>>(
    {},
    { temperature: 1.2, topK: 4, seed: 5 },
    { temperature: 0.7, topP: 0.9, repetitionPenalty: 1.2, seed: 9 },
  );
  const config = { vocabularySize: ROW_SENSITIVE_VOCABULARY, eosTokenIds: [ROW_SENSITIVE_VOCABULARY - 1] };

  it('is read alone with drafts and without, in both loops, so that they write the same', async () => {
    const seen = { alone: 0, beside: 0, saved: 0 };
    await fc.assert(
      fc.asyncProperty(
        request,
        fc.tuple(sampled, fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 80 })),
        lengths,
        async ({ promptIds, range }, [sampling, maxNewTokens, room], chosen) => {
          draftLengths(chosen);
          const options = { ...sampling, maxNewTokens, ...(range && { answerRange: range }) };
          const run = async (Loop: typeof DecodeLoop | typeof BatchLoop, mayDraft: boolean) => {
            const decoder = new RowSensitiveDecoder();
            const step = vi.spyOn(decoder, 'step');
            const alone = vi.spyOn(decoder, 'stepAlone');
            const engine = new Loop(decoder, { ...config, contextLength: promptIds.length + room, mayDraft });
            const tokenIds = await generate(engine, promptIds, options);
            seen.saved += (mayDraft ? -1 : 1) * (step.mock.calls.length + alone.mock.calls.length);
            // Of the last step the wrong drafts are there still.
            return { tokenIds, read: decoder.cache.slice(0, promptIds.length + tokenIds.length - 1) };
          };
          const plain = await run(DecodeLoop, false);
          expect(await run(DecodeLoop, true)).toEqual(plain);
          expect(await run(BatchLoop, true)).toEqual(plain);
          expect(await run(BatchLoop, false)).toEqual(plain);
          for (const { isAlone } of plain.read.slice(promptIds.length)) seen[isAlone ? 'alone' : 'beside'] += 1;
        },
      ),
      { numRuns: 400 },
    );
    expect(Math.min(seen.alone, seen.beside, seen.saved)).toBeGreaterThan(100);
  });

  it('reads no prompt from an edit before, which was read otherwise', async () => {
    for (const Loop of [DecodeLoop, BatchLoop]) {
      const decoder = new RowSensitiveDecoder();
      const engine = new Loop(decoder, { ...config, eosTokenIds: [], contextLength: 200 });
      const first = await generate(engine, Int32Array.of(1, 2, 3, 4, 5, 6, 0, 2, 4), {});
      expect(decoder.cache.some(({ isAlone }) => isAlone)).toBe(true);
      const next = Int32Array.of(1, 2, 3, 4, 5, 6, 0, 2, 4, ...first.slice(0, 30));
      const fresh = new Loop(new RowSensitiveDecoder(), { ...config, eosTokenIds: [], contextLength: 200 });
      expect(await generate(engine, next, {})).toEqual(await generate(fresh, next, {}));
    }
  });
});

describe('onnxruntime’s scores on the CPU', () => {
  let folder: Awaited<ReturnType<typeof convertToDisk>>;
  beforeAll(async () => void (folder = await convertToDisk(['q8', 'q4', 'q4f16'])));
  afterAll(() => folder.remove());

  it.each(['q8', 'q4', 'q4f16'] as const)(
    'of each token are the same bits with drafts and without, in %s',
    async (variant) => {
      const decoder = await createNodeDecoder({
        graphPath: join(folder.directory, 'onnx', `${VARIANT_FILE_NAMES[variant]}.onnx`),
        threads: 1,
        minStepTokens: 2,
      });
      const config = { ...CONTRACT_CONFIG, contextLength: 400, eosTokenIds: [] };
      const run = async (promptIds: Int32Array, mayDraft: boolean, answerRange?: readonly [number, number]) => {
        const seen = recordScores(decoder);
        const engine = new DecodeLoop(seen.decoder, { ...config, mayDraft });
        const options = { maxNewTokens: 60, ...(answerRange && { answerRange }) };
        const tokenIds = await generate(engine, promptIds, options);
        return { tokenIds, ...seen, scores: seen.scores.slice(0, promptIds.length + tokenIds.length - 1) };
      };
      draftLengths([3, 0, 1, 16, 2, 0, 7]);
      let lone = 0;
      let saved = 0;
      for (const seed of [1, 7, 37, 101]) {
        const beginning = Array.from({ length: 30 }, (_, i) => 3 + ((i * i * seed) % 250));
        const first = await run(Int32Array.from(beginning), true);
        // Half of what it writes stands in the prompt, so that some guesses are right.
        const promptIds = Int32Array.from([...beginning, ...first.tokenIds.slice(0, 20), ...beginning]);
        for (const range of [undefined, [30, 50] as const]) {
          const drafted = await run(promptIds, true, range);
          const plain = await run(promptIds, false, range);
          expect(drafted.tokenIds).toEqual(plain.tokenIds);
          expect(drafted.scores).toEqual(plain.scores);
          lone += plain.calls.filter(({ isAlone }) => isAlone).length;
          saved += plain.calls.length - drafted.calls.length;
        }
      }
      expect(Math.min(lone, saved)).toBeGreaterThan(5);
      await decoder.dispose();
    },
  );
});
