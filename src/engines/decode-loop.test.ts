import { afterEach, describe, expect, it, vi } from 'vitest';
import type { GenerateOptions } from '../align/engine.ts';
import { GREEDY } from '../align/request.ts';
import { DecodeLoop } from './decode-loop.ts';
import { createScriptedEngine, ScriptedDecoder, writes } from './scripted-engine.ts';
import type { RowScores } from './scores.ts';

const EOS = 2;
const config = { vocabularySize: 50, contextLength: 32, eosTokenIds: [EOS] };
const prompt = Int32Array.of(1, 10, 11, 12, 13);
const never = new AbortController().signal;
const greedy = (maxNewTokens: number): GenerateOptions => ({ ...GREEDY, maxNewTokens });

async function collect(steps: AsyncIterable<readonly number[]>): Promise<number[]> {
  const tokenIds: number[] = [];
  for await (const step of steps) tokenIds.push(...step);
  return tokenIds;
}

/** At every fourth position another token is nearly as likely, and likelier if several are scored at once. */
class BlurredDecoder extends ScriptedDecoder {
  clockMs = 0;

  override async step(tokenIds: Int32Array, pastTokens: number, logitRows: number): Promise<RowScores[]> {
    const rows = await super.step(tokenIds, pastTokens, logitRows);
    // A step takes as long whatever its size, so that drafts pay.
    this.clockMs += 10;
    for (const [row, scores] of rows.entries()) {
      if (scores.type !== 'all') continue;
      const position = pastTokens + tokenIds.length - logitRows + row;
      if (position % 4 === 0) scores.logits[40] = logitRows > 1 ? 4.2 : 3.8;
    }
    return rows;
  }
}

describe('DecodeLoop', () => {
  it('reads the prompt in chunks, scores only the last position, then reads each new token once', async () => {
    const { engine, decoder } = createScriptedEngine(writes([20, 21], 5, EOS), { config, prefillChunkTokens: 2 });
    expect(await collect(engine.generate(prompt, greedy(9), never))).toEqual([20, 21]);
    expect(decoder.calls).toEqual([
      { tokenIds: [1, 10], pastTokens: 0, logitRows: 0 },
      { tokenIds: [11, 12], pastTokens: 2, logitRows: 0 },
      { tokenIds: [13], pastTokens: 4, logitRows: 1 },
      { tokenIds: [20], pastTokens: 5, logitRows: 1 },
      { tokenIds: [21], pastTokens: 6, logitRows: 1 },
    ]);
  });

  it('keeps the whole chunks that the last prompt began with, and reads the last token in any case', async () => {
    const { engine, decoder } = createScriptedEngine(writes([20, 21], 5, EOS), { config, prefillChunkTokens: 2 });
    await collect(engine.generate(prompt, greedy(9), never));
    const readsOf = async (ids: Int32Array) => {
      decoder.calls.length = 0;
      await collect(engine.generate(ids, greedy(1), never));
      return decoder.calls.map(({ tokenIds, pastTokens }) => [pastTokens, ...tokenIds]);
    };
    // As if read from the start, but for the chunk that is there: the same steps give the same sums.
    expect(await readsOf(Int32Array.of(1, 10, 11, 14, 15))).toEqual([
      [2, 11, 14],
      [4, 15],
    ]);
    expect(await readsOf(Int32Array.of(1, 10, 11, 14))).toEqual([[2, 11, 14]]);
    expect(await readsOf(prompt)).toEqual([
      [2, 11, 12],
      [4, 13],
    ]);
    expect(await readsOf(prompt)).toEqual([[4, 13]]);
    expect(await readsOf(Int32Array.of(3))).toEqual([[0, 3]]);
    expect((await readsOf(prompt))[0]).toEqual([0, 1, 10]);
  });

  it('tells how much of a prompt it has read, in steps without tokens, where somebody listens', async () => {
    const { engine, decoder } = createScriptedEngine(writes([20, 21], 5, EOS), { config, prefillChunkTokens: 2 });
    const told: number[] = [];
    const prompt = Int32Array.of(1, 10, 11, 12, 13);
    const options = { ...greedy(2), onPromptRead: (tokens: number) => void told.push(tokens) };
    const steps: (readonly number[])[] = [];
    for await (const step of engine.generate(prompt, options, never)) steps.push(step);
    expect([decoder.prefillChunkTokens, told]).toEqual([2, [2, 4]]);
    expect(steps).toEqual([[], [], [20], [21]]);
    expect(await collect(engine.generate(prompt, greedy(2), never))).toEqual([20, 21]);
  });

  it('drafts nothing where steps of several tokens would not score as steps of one do', async () => {
    const repeating = Int32Array.of(1, 10, 11, 12, 10, 11, 12, 10, 11);
    const script = (ids: readonly number[]) => 10 + ((ids.length - 1) % 3);
    const stepsOf = async (mayDraft: boolean) => {
      const { engine, decoder } = createScriptedEngine(script, { config: { ...config, mayDraft } });
      const tokenIds = await collect(engine.generate(repeating, greedy(12), never));
      return { tokenIds, steps: decoder.calls.length };
    };
    const [plain, drafted] = [await stepsOf(false), await stepsOf(true)];
    expect(plain.steps).toBe(12);
    expect(drafted.steps).toBeLessThan(12);
    expect(drafted.tokenIds).toEqual(plain.tokenIds);
  });

  describe('where scores of several tokens are a little off', () => {
    const margin = 0.5;
    const repeating = Int32Array.of(1, 10, 11, 12, 10, 11, 12, 10, 11);
    const script = (ids: readonly number[]) => (ids.length % 11 === 0 ? 30 : 10 + (ids.length % 3));
    const run = async (change: { mayDraft?: boolean; draftMargin?: number }, temperature = 0) => {
      const decoder = new BlurredDecoder(script, { vocabularySize: 50 });
      vi.spyOn(performance, 'now').mockImplementation(() => decoder.clockMs);
      const engine = new DecodeLoop(decoder, { ...config, contextLength: 256, eosTokenIds: [], ...change });
      const options = { ...greedy(120), temperature };
      const tokenIds = await collect(engine.generate(repeating, options, never));
      return {
        tokenIds,
        steps: decoder.calls.length,
        drafted: decoder.calls.slice(1).filter((call) => call.logitRows > 1),
      };
    };

    afterEach(() => void vi.restoreAllMocks());

    it('writes the plain text all the same: what is nearly even is scored alone', async () => {
      const plain = await run({ mayDraft: false });
      const drafted = await run({ draftMargin: margin });
      expect(drafted.tokenIds).toEqual(plain.tokenIds);
      expect(drafted.drafted.length).toBeGreaterThan(5);
      expect(drafted.steps).toBeLessThan(plain.steps);
      expect((await run({})).tokenIds).not.toEqual(plain.tokenIds);
    });

    it('drafts nothing that is drawn', async () => {
      expect((await run({ draftMargin: margin }, 0.7)).drafted).toEqual([]);
      expect((await run({}, 0.7)).drafted).not.toEqual([]);
    });
  });

  describe('on a device that knows the next token first', () => {
    const ahead = { config: { ...config, mayDraft: false }, isAhead: true };

    afterEach(() => void vi.restoreAllMocks());

    it('begins each step before the token of the last one is known, and none after the room is full', async () => {
      const written: number[] = [];
      const begunAt: number[] = [];
      const { engine, decoder } = createScriptedEngine(writes([20, 21, 22, 23], 5, EOS), {
        ...ahead,
        onStep: () => void begunAt.push(written.length),
      });
      for await (const step of engine.generate(prompt, greedy(4), never)) written.push(...step);
      expect(written).toEqual([20, 21, 22, 23]);
      expect(decoder.calls.map(({ tokenIds, pastTokens }) => [pastTokens, ...tokenIds])).toEqual([
        [0, ...prompt],
        [5, 20],
        [6, 21],
        [7, 22],
      ]);
      // Of the third and fourth step the token was not yielded yet.
      expect(begunAt).toEqual([0, 1, 1, 2]);
    });

    it('does so where nothing is guessed, however well drafts would pay', async () => {
      const script = (ids: readonly number[]) => (ids.length * 7 + 11) % 397;
      const run = async (change: { mayDraft?: boolean; draftMargin?: number }) => {
        let clockMs = 0;
        vi.spyOn(performance, 'now').mockImplementation(() => clockMs);
        let newTokens = 0;
        let begunAhead = 0;
        const { engine } = createScriptedEngine(script, {
          config: { vocabularySize: 400, contextLength: 256, eosTokenIds: [], ...change },
          isAhead: true,
          onStep: ({ pastTokens }) => {
            // Whatever its size, so that drafts pay.
            clockMs += 10;
            if (pastTokens > prompt.length + newTokens - 1) begunAhead += 1;
          },
        });
        for await (const step of engine.generate(prompt, greedy(150), never)) newTokens += step.length;
        return begunAhead;
      };
      const plain = await run({ mayDraft: false });
      expect(plain).toBeGreaterThan(140);
      expect(await run({ mayDraft: true })).toBe(plain);
      expect(await run({ draftMargin: 0.5 })).toBe(plain);
    });

    it('does not where scores of several tokens decide', async () => {
      const begunAt: number[] = [];
      const written: number[] = [];
      const options = { ...greedy(4), temperature: 0.1, topK: 1 };
      const onStep = () => void begunAt.push(written.length);
      const { engine } = createScriptedEngine(writes([20, 21, 22, 23], 5, EOS), { ...ahead, onStep });
      for await (const step of engine.generate(prompt, options, never)) written.push(...step);
      expect([written, begunAt]).toEqual([
        [20, 21, 22, 23],
        [0, 1, 2, 3],
      ]);
    });

    it('ends at an end of sequence, a failed step or a stop only when the step ahead has ended too', async () => {
      const { engine, decoder } = createScriptedEngine(writes([20, 21], 5, EOS), ahead);
      expect(await collect(engine.generate(prompt, greedy(9), never))).toEqual([20, 21]);
      // The step after the end of sequence.
      expect(decoder.calls.at(-1)).toEqual({ tokenIds: [EOS], pastTokens: 7, logitRows: 1 });
      for await (const _step of engine.generate(prompt, greedy(9), never)) break;

      let isFailing = false;
      const failing = createScriptedEngine(writes([20, 21, 22], 5, EOS), {
        ...ahead,
        onStep: ({ pastTokens }) => {
          if (isFailing && pastTokens === 6) throw new Error('broken');
        },
      });
      isFailing = true;
      await expect(collect(failing.engine.generate(prompt, greedy(9), never))).rejects.toThrow('broken');
      isFailing = false;
      expect(await collect(failing.engine.generate(prompt, greedy(9), never))).toEqual([20, 21, 22]);
      await failing.engine.dispose();
    });
  });

  it('reads all of a prompt after a step that failed', async () => {
    let isFailing = false;
    const { engine, decoder } = createScriptedEngine(writes([20, 21], 5, EOS), {
      config,
      onStep: () => {
        if (isFailing) throw new Error('broken');
      },
    });
    await collect(engine.generate(prompt, greedy(9), never));
    isFailing = true;
    await expect(collect(engine.generate(prompt, greedy(9), never))).rejects.toThrow();
    isFailing = false;
    decoder.calls.length = 0;
    await collect(engine.generate(prompt, greedy(1), never));
    expect(decoder.calls).toEqual([{ tokenIds: [...prompt], pastTokens: 0, logitRows: 1 }]);
  });

  it('does not read the last token that it may write', async () => {
    const { engine, decoder } = createScriptedEngine(writes([20, 21, 22], 5, EOS), { config });
    await collect(engine.generate(prompt, greedy(2), never));
    expect(decoder.calls.map((call) => call.tokenIds.length)).toEqual([5, 1]);
  });

  it('makes no step after an abort: not the rest of the prompt, not another token', async () => {
    const controller = new AbortController();
    const { engine, decoder } = createScriptedEngine(writes([20, 21], 5, EOS), {
      config,
      prefillChunkTokens: 2,
      onStep: (call) => {
        if (call.pastTokens === 2) controller.abort(new Error('stop'));
      },
    });
    await expect(collect(engine.generate(prompt, greedy(9), controller.signal))).rejects.toThrow('stop');
    expect(decoder.calls).toHaveLength(2);
  });

  it.each([
    ['out-of-memory', 'std::bad_alloc'],
    ['out-of-memory', 'Array buffer allocation failed'],
    ['out-of-memory', 'Failed to allocate memory for requested buffer of size 9437184'],
    ['device-lost', 'A valid external Instance reference no longer exists: Device is lost.'],
    ['engine-failed', 'Non-zero status code returned while running MatMulNBits node.'],
  ])('says %s where the runtime says “%s”, and keeps its words', async (code, words) => {
    const cause = new RangeError(words);
    const { engine } = createScriptedEngine(writes([20], 5, EOS), {
      config,
      device: 'webgpu',
      onStep: () => {
        throw cause;
      },
    });
    const error = await collect(engine.generate(prompt, greedy(9), never)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'AlignError', code, cause, details: { device: 'webgpu', reason: words } });
  });

  it('generates again after a step failed', async () => {
    let fails = true;
    const { engine } = createScriptedEngine(writes([20, 21], 5, EOS), {
      config,
      onStep: (call) => {
        if (fails && call.pastTokens > 0) throw new Error('once');
      },
    });
    await expect(collect(engine.generate(prompt, greedy(9), never))).rejects.toThrow('once');
    fails = false;
    expect(await collect(engine.generate(prompt, greedy(9), never))).toEqual([20, 21]);
  });

  it('disposes of the decoder once, after the step that runs', async () => {
    let release = () => {};
    let begin = () => {};
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const { engine, decoder } = createScriptedEngine(writes([20], 5, EOS), {
      config,
      onStep: () => {
        begin();
        return new Promise<void>((resolve) => (release = resolve));
      },
    });
    const run = collect(engine.generate(prompt, greedy(9), never)).catch((error: unknown) => error);
    await begun;
    const disposed = Promise.all([engine.dispose(), engine.dispose()]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(decoder.disposeCount).toBe(0);
    release();
    await disposed;
    expect(await run).toMatchObject({ code: 'engine-failed', message: 'The model was unloaded.' });
    expect(decoder.disposeCount).toBe(1);
  });
});
