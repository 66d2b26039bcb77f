import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Engine, GenerateOptions } from '../align/engine.ts';
import { GREEDY } from '../align/request.ts';
import { VARIANT_FILE_NAMES } from '../convert/write-graphs.ts';
import { BatchLoop, type SlotDecoder } from './batch-loop.ts';
import { DraftLength } from './draft-length.ts';
import { ENGINE_CONTRACT, type Subject } from './engine.contract.ts';
import { createNodeEngine } from './node-engine.ts';
import { allScores, type RowScores } from './scores.ts';
import { SeededRandom } from '../align/random.ts';
import { CONTRACT_CONFIG, convertToDisk } from './small-model.fixture.ts';

let folder: Awaited<ReturnType<typeof convertToDisk>>;
beforeAll(async () => void (folder = await convertToDisk(['fp32', 'q4f16'])));
afterAll(() => folder.remove());

const never = new AbortController().signal;

function create(concurrency: number, variant: 'fp32' | 'q4f16' = 'fp32', change = {}): Promise<Engine> {
  return createNodeEngine({
    graphPath: join(folder.directory, 'onnx', `${VARIANT_FILE_NAMES[variant]}.onnx`),
    config: { ...CONTRACT_CONFIG, ...change },
    threads: 1,
    concurrency,
    minStepTokens: variant === 'fp32' ? 1 : 2,
  });
}

async function generate(
  engine: Engine,
  promptIds: readonly number[],
  options: Partial<GenerateOptions> = {},
  signal: AbortSignal = never,
) {
  const tokenIds: number[] = [];
  const steps = engine.generate(Int32Array.from(promptIds), { ...GREEDY, maxNewTokens: 24, ...options }, signal);
  for (;;) {
    const step = await steps.next();
    if (step.done === true) return { tokenIds, finishReason: step.value };
    tokenIds.push(...step.value);
  }
}

/** Prompts of 1 to 90 tokens, some with a common beginning. */
function prompts(count: number, seed = 1): number[][] {
  const random = new SeededRandom(seed);
  const next = (below: number) => Math.floor(random.nextFraction() * below);
  const beginning = Array.from({ length: 30 }, () => 3 + next(200));
  return Array.from({ length: count }, () => [
    ...(next(2) === 0 ? beginning.slice(0, next(30)) : []),
    ...Array.from({ length: 1 + next(60) }, () => 3 + next(200)),
  ]);
}

describe.each([2, 3])('the batch engine of %d', (concurrency) => {
  const subject: Subject = {
    create: ({ prefillChunkTokens, ...change }) =>
      createNodeEngine({
        graphPath: join(folder.directory, 'onnx', `${VARIANT_FILE_NAMES.fp32}.onnx`),
        config: { ...CONTRACT_CONFIG, ...change },
        threads: 1,
        concurrency,
        ...(prefillChunkTokens !== undefined && { prefillChunkTokens }),
      }),
  };
  const cases = ENGINE_CONTRACT.filter(({ isOfOneAtATime }) => isOfOneAtATime !== true);
  it.each(cases)('$name', (contractCase) => contractCase.run(subject), 60_000);
});

describe('several generations at a time', () => {
  it.each(['fp32', 'q4f16'] as const)('write what each writes alone, in %s', async (variant) => {
    const alone = await create(1, variant);
    const together = await create(4, variant);
    const requests = prompts(24).map((promptIds, i) => ({
      promptIds,
      options: {
        maxNewTokens: 1 + ((i * 7) % 40),
        ...(i % 3 === 1 && { temperature: 0.8, topK: 20, seed: i }),
        ...(i % 5 === 2 && { repetitionPenalty: 1.3 }),
      },
    }));
    const expected = [];
    for (const { promptIds, options } of requests) expected.push(await generate(alone, promptIds, options));
    const actual = await Promise.all(requests.map(({ promptIds, options }) => generate(together, promptIds, options)));
    expect(actual).toEqual(expected);
    // Whatever the slots hold by now.
    const again = requests.map(({ promptIds, options }) => generate(together, promptIds, options)).reverse();
    expect((await Promise.all(again)).reverse()).toEqual(expected);
    await Promise.all([alone.dispose(), together.dispose()]);
  });

  it('writes what it writes alone where it drafted from its prompt until another came', async () => {
    const alone = await create(1);
    const together = await create(2);
    const [beginning = []] = prompts(1, 3);
    const options = { maxNewTokens: 30 };
    const first = await generate(alone, beginning, options);
    // What the model writes stands in the prompt, so drafts are right for a while.
    const promptIds = [...beginning, ...first.tokenIds, ...beginning];
    const range = [beginning.length, beginning.length + first.tokenIds.length] as const;
    const long = { maxNewTokens: 60, answerRange: range };
    const expected = [await generate(alone, promptIds, long), await generate(alone, beginning, options)];
    const steps = together.generate(Int32Array.from(promptIds), { ...GREEDY, ...long }, never);
    const tokenIds: number[] = [];
    let other: ReturnType<typeof generate> | undefined;
    for await (const step of steps) {
      tokenIds.push(...step);
      if (tokenIds.length > 20) other ??= generate(together, beginning, options);
    }
    expect(tokenIds).toEqual(expected[0]?.tokenIds);
    expect(await other).toEqual(expected[1]);
    await Promise.all([alone.dispose(), together.dispose()]);
  });

  it('are not disturbed by one that is cancelled, left or refused', async () => {
    const engine = await create(3);
    const [first = [], second = [], third = [], fourth = []] = prompts(4, 9);
    const expected = [await generate(engine, first), await generate(engine, second)];
    const controller = new AbortController();
    const running = [generate(engine, first), generate(engine, second)];
    const cancelled = generate(engine, third, { maxNewTokens: 60 }, controller.signal);
    const left = (async () => {
      for await (const _step of engine.generate(Int32Array.from(fourth), { ...GREEDY, maxNewTokens: 60 }, never)) break;
    })();
    await expect(generate(engine, [])).rejects.toMatchObject({ code: 'invalid-request' });
    const reason = new Error('stopped');
    controller.abort(reason);
    await expect(cancelled).rejects.toBe(reason);
    await left;
    expect(await Promise.all(running)).toEqual(expected);
    await engine.dispose();
  });

  it('end when the engine is disposed of, those that wait too', async () => {
    const engine = await create(2);
    const runs = prompts(5).map((promptIds) => generate(engine, promptIds, { maxNewTokens: 60 }));
    const ends = Promise.allSettled(runs);
    await engine.dispose();
    for (const end of await ends) expect(end).toMatchObject({ reason: { code: 'engine-failed' } });
  });
});

/** Real arithmetic is not needed to see which calls are made. The next token is always 7. */
class CountingDecoder implements SlotDecoder {
  readonly device = 'cpu';
  readonly prefillChunkTokens = 100;
  readonly minStepTokens = 1;
  readonly slotCount = 2;
  readonly reads: number[] = [];
  /** Tokens of each step of one that writes alone. */
  readonly lone: number[] = [];
  readonly batches: number[] = [];
  failures = 0;

  step(tokenIds: Int32Array, _pastTokens: number, rows: number): Promise<RowScores[]> {
    this.lone.push(tokenIds.length);
    if (this.failures-- > 0) return Promise.reject(new Error('std::bad_alloc'));
    return Promise.resolve(allScores(this.#logits(rows), rows));
  }

  stepAlone(tokenId: number, pastTokens: number): Promise<RowScores[]> {
    return this.step(Int32Array.of(tokenId), pastTokens, 1);
  }

  read(_slot: number, tokenIds: Int32Array): Promise<Float32Array> {
    this.reads.push(tokenIds.length);
    return Promise.resolve(this.#logits(1));
  }

  stepTogether(steps: readonly unknown[]): Promise<Float32Array> {
    this.batches.push(steps.length);
    if (this.failures-- > 0) return Promise.reject(new Error('std::bad_alloc'));
    return Promise.resolve(this.#logits(steps.length));
  }

  copySlot(): void {}

  dispose(): Promise<void> {
    return Promise.resolve();
  }

  #logits(rows: number): Float32Array {
    return Float32Array.from({ length: rows * 32 }, (_, i) => (i % 32 === 7 ? 1 : 0));
  }
}

describe('the batch loop', () => {
  const config = { vocabularySize: 32, contextLength: 100, eosTokenIds: [] };

  it('reads a beginning once that prompts have in common, and shares each step', async () => {
    const decoder = new CountingDecoder();
    const engine = new BatchLoop(decoder, { ...config, mayDraft: false });
    const beginning = [1, 2, 3, 4, 5, 6, 8, 9];
    const runs = [10, 11, 12].map((id) => generate(engine, [...beginning, id], { maxNewTokens: 4 }));
    for (const { tokenIds } of await Promise.all(runs)) expect(tokenIds).toEqual([7, 7, 7, 7]);
    expect(decoder.reads).toEqual([9, 1, 1]);
    // Four tokens of each, the first of them by its prompt: nine steps alone.
    const steps = [...decoder.batches, ...decoder.lone];
    expect(steps.reduce((sum, size) => sum + size)).toBe(9);
    expect(steps.length).toBeLessThan(9);
  });

  it('drafts from the prompt while one writes alone, in steps that their reader sees, and not beside others', async () => {
    const decoder = new CountingDecoder();
    const engine = new BatchLoop(decoder, { ...config, contextLength: 1000 });
    const repeating = Int32Array.of(1, ...Array<number>(20).fill(7));
    const steps: number[] = [];
    const learn = vi.spyOn(DraftLength.prototype, 'learn');
    for await (const step of engine.generate(repeating, { ...GREEDY, maxNewTokens: 60 }, never))
      steps.push(step.length);
    expect(steps.reduce((sum, tokens) => sum + tokens)).toBe(60);
    expect(Math.max(...steps)).toBeGreaterThan(1);
    // How long a draft may be follows from how many guesses were right before.
    expect(learn.mock.calls.filter(([isRight]) => isRight).length).toBeGreaterThan(30);
    learn.mockRestore();
    // The first token comes with the prompt. What a step takes more than it writes was drafted wrongly: nothing here.
    expect([1, ...decoder.lone]).toEqual(steps);
    expect(decoder.batches).toEqual([]);

    decoder.lone.length = 0;
    const runs = [1, 2].map((id) => generate(engine, [id, ...repeating], { maxNewTokens: 30 }));
    for (const { tokenIds } of await Promise.all(runs)) expect(tokenIds).toEqual(Array(30).fill(7));
    expect(decoder.batches.length).toBeGreaterThan(0);
    expect(new Set(decoder.batches)).toEqual(new Set([2]));
  });

  it('fails the generations of a step that fails, and goes on with those that wait', async () => {
    const decoder = new CountingDecoder();
    decoder.failures = 1;
    const engine = new BatchLoop(decoder, config);
    const runs = [1, 2, 3].map((id) => generate(engine, [id], { maxNewTokens: 3 }));
    const ends = await Promise.allSettled(runs);
    expect(ends.map(({ status }) => status)).toContain('fulfilled');
    expect(ends[0]).toMatchObject({ reason: { code: 'out-of-memory' } });
  });
});
