import type { Engine, GenerateFinishReason, GenerateOptions } from '../align/engine.ts';
import { AlignError, type AlignErrorCode } from '../align/errors.ts';
import { GREEDY } from '../align/request.ts';

/** How the contract asks for an engine; what is left out is the model's own. */
export interface SubjectOptions {
  eosTokenIds?: readonly number[];
  contextLength?: number;
  prefillChunkTokens?: number;
}

/**
 * An engine under test. The model may be any (random weights will do), as long as its greedy edit of PROMPT shows two
 * different tokens soon, its vocabulary has 32 tokens and its context 96 at least, and its sums do not depend on how
 * many tokens a prompt's step takes.
 */
export interface Subject {
  /** A new engine; the case disposes of it. */
  create(options: SubjectOptions): Promise<Engine>;
}

export interface ContractCase {
  /** A sentence about every engine. */
  name: string;
  /** It is about `dispose`: an engine that shares what is expensive with others would not do. */
  disposes?: true;
  /** Of engines that run one generation at a time. */
  isOfOneAtATime?: true;
  /**
   * Reads an edit with its prompt, which goes on as the one that was written: of engines whose steps of one token round as
   * longer ones do. In 8 and 4 bits on the CPU they do not (`Decoder.stepAlone`).
   */
  readsEdits?: true;
  /** Throws when it is not so. Knows no test runner: the list runs in a browser too. */
  run(subject: Subject): Promise<void>;
}

const PROMPT = Int32Array.of(1, 17, 4, 9, 23, 11, 30, 6, 2, 14, 28);
const OTHER_PROMPT = Int32Array.of(1, 8, 25, 3);
const NO_EOS: SubjectOptions = { eosTokenIds: [] };

const greedy = (maxNewTokens: number): GenerateOptions => ({ ...GREEDY, maxNewTokens });
const never = new AbortController().signal;

interface Outcome {
  tokenIds: number[];
  finishReason: GenerateFinishReason;
}

async function generate(
  engine: Engine,
  promptIds: Int32Array,
  options: GenerateOptions,
  signal: AbortSignal = never,
): Promise<Outcome> {
  const steps = engine.generate(promptIds, options, signal);
  const tokenIds: number[] = [];
  for (;;) {
    const step = await steps.next();
    if (step.done === true) return { tokenIds, finishReason: step.value };
    check(step.value.length > 0, 'a step yields at least one token');
    tokenIds.push(...step.value);
  }
}

/** Runs with an engine of these options and disposes of it. */
async function withEngine(subject: Subject, options: SubjectOptions, use: (engine: Engine) => Promise<void>) {
  const engine = await subject.create(options);
  try {
    await use(engine);
  } finally {
    await engine.dispose();
  }
}

function check(isSo: boolean, what: string): asserts isSo {
  if (!isSo) throw new Error(`It is not so that ${what}.`);
}

function checkSame(actual: unknown, expected: unknown, what: string): void {
  const [got, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (got !== wanted) throw new Error(`${what}: ${got}; expected ${wanted}.`);
}

async function caught(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('Nothing was thrown.');
}

async function checkRefused(promise: Promise<unknown>, code: AlignErrorCode): Promise<void> {
  const error = await caught(promise);
  check(error instanceof AlignError && error.code === code, `${String(error)} is an AlignError ${code}`);
}

/** An edit of the model's own, without an end: what the other cases compare with. */
async function freeEdit(subject: Subject, maxNewTokens: number): Promise<number[]> {
  let tokenIds: number[] = [];
  await withEngine(subject, NO_EOS, async (engine) => {
    ({ tokenIds } = await generate(engine, PROMPT, greedy(maxNewTokens)));
  });
  return tokenIds;
}

/** A cancelled generation: throws the reason, and the engine goes on as if it had not been. */
async function checkCancelled(
  engine: Engine,
  start: (signal: AbortSignal, abort: () => void) => Promise<unknown>,
): Promise<void> {
  const before = await generate(engine, PROMPT, greedy(6));
  const controller = new AbortController();
  const reason = new DOMException('The user pressed stop.', 'AbortError');
  const error = await caught(start(controller.signal, () => controller.abort(reason)));
  check(error === reason, `${String(error)} is the signal’s reason`);
  checkSame(await generate(engine, PROMPT, greedy(6)), before, 'after the abort');
}

export const ENGINE_CONTRACT: readonly ContractCase[] = [
  {
    name: 'says what it is',
    run: (subject) =>
      withEngine(subject, { contextLength: 40 }, async (engine) => {
        check(['cpu', 'wasm', 'webgpu', 'server'].includes(engine.device), `${engine.device} is a device`);
        checkSame(engine.contextLength, 40, 'context length');
        check(engine.vocabularySize >= 32, `${engine.vocabularySize} tokens are a vocabulary`);
      }),
  },
  {
    name: 'writes the same edit each time it is greedy',
    run: (subject) =>
      withEngine(subject, NO_EOS, async (engine) => {
        const first = await generate(engine, PROMPT, greedy(24));
        check(new Set(first.tokenIds).size > 1, `${String(first.tokenIds)} holds two different tokens`);
        checkSame(await generate(engine, PROMPT, greedy(24)), first, 'second time');
        checkSame(await freeEdit(subject, 24), first.tokenIds, 'a new engine');
      }),
  },
  {
    name: 'writes what a new engine writes after prompts that begin alike, shorter and longer ones',
    run: (subject) =>
      withEngine(subject, { ...NO_EOS, prefillChunkTokens: 3 }, async (engine) => {
        const first = await generate(engine, PROMPT, greedy(16));
        const prompts = [
          // Another end, as when the answer changed.
          Int32Array.of(...PROMPT.subarray(0, 7), 19, 5, 5, 22),
          // The beginning alone.
          PROMPT.slice(0, 4),
          // An edit that becomes the next answer.
          Int32Array.of(...PROMPT, ...first.tokenIds.slice(0, 9), 3),
          OTHER_PROMPT,
          PROMPT,
        ];
        const outcomes: Outcome[] = [];
        for (const prompt of prompts) outcomes.push(await generate(engine, prompt, greedy(10)));
        for (const [i, prompt] of prompts.entries()) {
          await withEngine(subject, { ...NO_EOS, prefillChunkTokens: 3 }, async (fresh) => {
            checkSame(outcomes[i], await generate(fresh, prompt, greedy(10)), `prompt ${i}`);
          });
        }
      }),
  },
  {
    name: 'writes the same edit whatever the size of the prompt’s chunks',
    async run(subject) {
      const expected = await freeEdit(subject, 12);
      for (const prefillChunkTokens of [1, 2, 3, PROMPT.length - 1, PROMPT.length, 100]) {
        await withEngine(subject, { ...NO_EOS, prefillChunkTokens }, async (engine) => {
          const { tokenIds } = await generate(engine, PROMPT, greedy(12));
          checkSame(tokenIds, expected, `in chunks of ${prefillChunkTokens}`);
        });
      }
    },
  },
  {
    name: 'goes on the same when its own edit is part of the prompt',
    readsEdits: true,
    run: (subject) =>
      withEngine(subject, NO_EOS, async (engine) => {
        const { tokenIds } = await generate(engine, PROMPT, greedy(12));
        const longer = Int32Array.of(...PROMPT, ...tokenIds.slice(0, 5));
        checkSame((await generate(engine, longer, greedy(7))).tokenIds, tokenIds.slice(5), 'the rest');
      }),
  },
  {
    name: 'writes the same edit whatever it may draft from',
    readsEdits: true,
    run: (subject) =>
      withEngine(subject, NO_EOS, async (engine) => {
        const prompt = Int32Array.of(...PROMPT, ...PROMPT, ...OTHER_PROMPT);
        const expected: number[] = [];
        // With room for one token there is nothing to draft.
        while (expected.length < 40) {
          const { tokenIds } = await generate(engine, Int32Array.of(...prompt, ...expected), greedy(1));
          expected.push(...tokenIds);
        }
        const ranges: (readonly [number, number] | undefined)[] = [undefined, [0, prompt.length], [3, 9], [5, 5]];
        for (const answerRange of ranges) {
          const options = { ...greedy(40), ...(answerRange !== undefined && { answerRange }) };
          checkSame((await generate(engine, prompt, options)).tokenIds, expected, `from ${String(answerRange)}`);
        }
        // An edit that begins as the answer does.
        const copied = Int32Array.of(1, ...expected.slice(0, 12), ...prompt);
        const one: number[] = [];
        while (one.length < 12)
          one.push(...(await generate(engine, Int32Array.of(...copied, ...one), greedy(1))).tokenIds);
        const all = await generate(engine, copied, { ...greedy(12), answerRange: [1, 13] });
        checkSame(all.tokenIds, one, 'with what it wrote in its prompt');
      }),
  },
  {
    name: 'stops at the end of sequence and does not yield it',
    async run(subject) {
      const edit = await freeEdit(subject, 24);
      const at = edit.findIndex((id, i) => i > 0 && !edit.slice(0, i).includes(id));
      check(at > 0, `${String(edit)} holds two different tokens`);
      const outcome = { tokenIds: edit.slice(0, at), finishReason: 'stop' };
      await withEngine(subject, { eosTokenIds: [edit[at]!] }, async (engine) => {
        checkSame(await generate(engine, PROMPT, greedy(24)), outcome, 'one end');
        // The edit that needed all its room for the end of sequence has stopped by itself.
        checkSame(await generate(engine, PROMPT, greedy(at + 1)), outcome, 'in the last step');
        const cut = { tokenIds: edit.slice(0, at), finishReason: 'length' };
        checkSame(await generate(engine, PROMPT, greedy(at)), cut, 'before the last step');
      });
      await withEngine(subject, { eosTokenIds: [edit[at]!, edit[0]!] }, async (engine) => {
        checkSame(
          await generate(engine, PROMPT, greedy(24)),
          { tokenIds: [], finishReason: 'stop' },
          'the second of two ends, at once',
        );
      });
    },
  },
  {
    name: 'ends after the new tokens that were asked for',
    run: (subject) =>
      withEngine(subject, NO_EOS, async (engine) => {
        const { tokenIds } = await generate(engine, PROMPT, greedy(24));
        for (const count of [1, 2, 3, 24]) {
          const expected = { tokenIds: tokenIds.slice(0, count), finishReason: 'length' };
          checkSame(await generate(engine, PROMPT, greedy(count)), expected, `${count} tokens`);
        }
      }),
  },
  {
    name: 'ends at the end of the context, which prompt and edit fill together',
    async run(subject) {
      const edit = await freeEdit(subject, 24);
      for (const room of [1, 2, 9]) {
        await withEngine(subject, { ...NO_EOS, contextLength: PROMPT.length + room }, async (engine) => {
          const expected = { tokenIds: edit.slice(0, room), finishReason: 'length' };
          checkSame(await generate(engine, PROMPT, greedy(24)), expected, `room for ${room}`);
        });
      }
    },
  },
  {
    name: 'fills its whole context',
    run: (subject) =>
      withEngine(subject, NO_EOS, async (engine) => {
        const room = engine.contextLength - PROMPT.length;
        const { tokenIds, finishReason } = await generate(engine, PROMPT, greedy(engine.contextLength * 2));
        checkSame([tokenIds.length, finishReason], [room, 'length'], 'all the room');
      }),
  },
  {
    name: 'refuses a prompt that leaves no room',
    run: (subject) =>
      withEngine(subject, { contextLength: PROMPT.length }, async (engine) => {
        await checkRefused(generate(engine, PROMPT, greedy(1)), 'prompt-too-long');
      }),
  },
  {
    name: 'refuses an empty prompt and ids that are not of its vocabulary, and goes on',
    run: (subject) =>
      withEngine(subject, NO_EOS, async (engine) => {
        const before = await generate(engine, PROMPT, greedy(3));
        for (const ids of [[], [1, engine.vocabularySize], [-1, 1]]) {
          await checkRefused(generate(engine, Int32Array.from(ids), greedy(3)), 'invalid-request');
        }
        checkSame(await generate(engine, PROMPT, greedy(3)), before, 'after the refusals');
      }),
  },
  {
    name: 'refuses settings out of range',
    run: (subject) =>
      withEngine(subject, NO_EOS, async (engine) => {
        for (const change of [{ maxNewTokens: 0 }, { maxNewTokens: 1.5 }, { temperature: -1 }, { topP: 0 }]) {
          await checkRefused(generate(engine, PROMPT, { ...greedy(3), ...change }), 'invalid-request');
        }
      }),
  },
  {
    name: 'draws the same edit for a seed, and others for others',
    run: (subject) =>
      withEngine(subject, NO_EOS, async (engine) => {
        const drawn = (seed: number) =>
          generate(engine, PROMPT, { ...greedy(24), temperature: 3, topK: 20, topP: 0.99, seed });
        const first = await drawn(1);
        checkSame(await drawn(1), first, 'the same seed');
        const others = await Promise.resolve([await drawn(2), await drawn(3), await drawn(4)]);
        check(
          others.some((other) => other.tokenIds.join() !== first.tokenIds.join()),
          'another seed gives another edit',
        );
      }),
  },
  {
    name: 'lets nothing of one request reach the next',
    run: (subject) =>
      withEngine(subject, NO_EOS, async (engine) => {
        const first = await generate(engine, PROMPT, greedy(8));
        const other = await generate(engine, OTHER_PROMPT, greedy(20));
        await generate(engine, PROMPT, { ...greedy(8), temperature: 2, repetitionPenalty: 3, seed: 9 });
        checkSame(await generate(engine, PROMPT, greedy(8)), first, 'after others');
        await withEngine(subject, NO_EOS, async (fresh) => {
          checkSame(await generate(fresh, OTHER_PROMPT, greedy(20)), other, 'a new engine');
        });
      }),
  },
  {
    name: 'does not start when the signal is aborted already',
    run: (subject) =>
      withEngine(subject, NO_EOS, (engine) =>
        checkCancelled(engine, (signal, abort) => {
          abort();
          return generate(engine, PROMPT, greedy(6), signal);
        }),
      ),
  },
  {
    name: 'ends a prompt that is being read when the signal aborts',
    run: (subject) =>
      withEngine(subject, { ...NO_EOS, prefillChunkTokens: 1 }, (engine) =>
        checkCancelled(engine, (signal, abort) => {
          const run = generate(engine, PROMPT, greedy(6), signal);
          abort();
          return run;
        }),
      ),
  },
  {
    name: 'ends between two steps when the signal aborts',
    run: (subject) =>
      withEngine(subject, NO_EOS, (engine) =>
        checkCancelled(engine, async (signal, abort) => {
          const steps = engine.generate(PROMPT, greedy(20), signal);
          await steps.next();
          await steps.next();
          abort();
          await steps.next();
        }),
      ),
  },
  {
    name: 'ends with the step that runs when the signal aborts',
    run: (subject) =>
      withEngine(subject, NO_EOS, (engine) =>
        checkCancelled(engine, async (signal, abort) => {
          const steps = engine.generate(PROMPT, greedy(20), signal);
          await steps.next();
          const step = steps.next();
          abort();
          await step;
        }),
      ),
  },
  {
    name: 'lets a message in between its steps, since that is how a worker hears of a cancel',
    run: (subject) =>
      withEngine(subject, NO_EOS, (engine) =>
        checkCancelled(engine, async (signal, abort) => {
          const { port1, port2 } = new MessageChannel();
          port2.onmessage = abort;
          try {
            const steps = engine.generate(PROMPT, greedy(60), signal);
            await steps.next();
            port1.postMessage('cancel');
            // Nothing here waits but the engine itself.
            for (let step = 0; step < 8; step++) await steps.next();
          } finally {
            port1.close();
            port2.close();
          }
        }),
      ),
  },
  {
    name: 'is free again when the reader stops early',
    run: (subject) =>
      withEngine(subject, NO_EOS, async (engine) => {
        const before = await generate(engine, PROMPT, greedy(6));
        for await (const _step of engine.generate(PROMPT, greedy(6), never)) break;
        checkSame(await generate(engine, PROMPT, greedy(6)), before, 'after that');
      }),
  },
  {
    name: 'refuses a second generation while one runs, which goes on',
    isOfOneAtATime: true,
    run: (subject) =>
      withEngine(subject, NO_EOS, async (engine) => {
        const expected = await generate(engine, PROMPT, greedy(6));
        const steps = engine.generate(PROMPT, greedy(6), never);
        const tokenIds = [...((await steps.next()).value as number[])];
        await caught(generate(engine, OTHER_PROMPT, greedy(6)));
        const running = steps.next();
        await caught(generate(engine, OTHER_PROMPT, greedy(6)));
        tokenIds.push(...((await running).value as number[]));
        for await (const step of steps) tokenIds.push(...step);
        checkSame(tokenIds, expected.tokenIds, 'the first');
      }),
  },
  {
    name: 'ends a running generation when it is disposed of, once and for all',
    disposes: true,
    async run(subject) {
      const idle = await subject.create(NO_EOS);
      await Promise.all([idle.dispose(), idle.dispose()]);
      await idle.dispose();
      await checkRefused(generate(idle, PROMPT, greedy(1)), 'engine-failed');

      const betweenSteps = await subject.create(NO_EOS);
      const steps = betweenSteps.generate(PROMPT, greedy(20), never);
      await steps.next();
      await betweenSteps.dispose();
      await checkRefused(steps.next(), 'engine-failed');

      const inStep = await subject.create({ ...NO_EOS, prefillChunkTokens: 2 });
      const running = generate(inStep, PROMPT, greedy(20));
      const refused = checkRefused(running, 'engine-failed');
      await inStep.dispose();
      await refused;
      await checkRefused(generate(inStep, PROMPT, greedy(1)), 'engine-failed');
    },
  },
];
