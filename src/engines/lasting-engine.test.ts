import { describe, expect, it } from 'vitest';
import type { GenerateOptions } from '../align/engine.ts';
import { AlignError } from '../align/errors.ts';
import { GREEDY } from '../align/request.ts';
import { DecodeLoop, type DecoderConfig } from './decode-loop.ts';
import { lastingEngine } from './lasting-engine.ts';
import { ScriptedDecoder } from './scripted-engine.ts';

const EOS = 31;
/** Depends on all that came before. */
const script = (ids: readonly number[]) =>
  ids.length >= 24 ? EOS : (ids.reduce((sum, id) => sum * 3 + id, 7) % 29) + 1;
/** A step for each token. */
const config: DecoderConfig = { contextLength: 64, vocabularySize: 32, eosTokenIds: [EOS], mayDraft: false };
const options: GenerateOptions = { ...GREEDY, maxNewTokens: 40 };
const PROMPT = Int32Array.of(1, 5, 9);

/** An engine whose device is lost at the given step; never if undefined. */
function engineLostAt(lostAt: number | undefined) {
  let steps = 0;
  const decoder = new ScriptedDecoder(script, {
    vocabularySize: 32,
    onStep: () => {
      if (steps++ === lostAt) throw new AlignError('device-lost', 'The GPU device was lost.');
    },
  });
  return new DecodeLoop(decoder, config);
}

async function collect(
  engine: ReturnType<typeof lastingEngine>,
  signal = new AbortController().signal,
  wanted = options,
) {
  const tokens: number[] = [];
  const steps = engine.generate(PROMPT, wanted, signal);
  for (;;) {
    const step = await steps.next();
    if (step.done === true) return { tokens, finishReason: step.value };
    tokens.push(...step.value);
  }
}

/** Engines that follow each other, each lost at the step given for it. */
function lasting(...lostAt: (number | undefined)[]) {
  const losses: AlignError[] = [];
  const engines = lostAt.map(engineLostAt);
  const engine = lastingEngine({
    current: () => engines[losses.length]!,
    revive: async (loss) => {
      losses.push(loss);
      if (losses.length === engines.length) throw new AlignError('out-of-memory', 'No other engine.');
    },
  });
  return { engine, losses };
}

describe('an engine that lasts', () => {
  it.each([0, 1, 2, 7, 10])(
    'writes what an undisturbed one writes, when the device is lost at step %i',
    async (lostAt) => {
      const undisturbed = await collect(lasting(undefined).engine);
      expect(undisturbed.tokens.length).toBeGreaterThan(10);
      const { engine, losses } = lasting(lostAt, undefined);
      expect(await collect(engine)).toEqual(undisturbed);
      expect(losses).toHaveLength(1);
    },
  );

  it('survives several losses, and keeps to the number of tokens asked for', async () => {
    const wanted = { ...options, maxNewTokens: 9 };
    const undisturbed = await collect(lasting(undefined).engine, undefined, wanted);
    expect(undisturbed).toMatchObject({ finishReason: 'length' });
    expect(await collect(lasting(3, 2, 1, undefined).engine, undefined, wanted)).toEqual(undisturbed);
  });

  it('ends with the reason why nothing follows', async () => {
    await expect(collect(lasting(3).engine)).rejects.toMatchObject({ code: 'out-of-memory' });
  });

  it('does not revive a run that was stopped, nor one that failed otherwise', async () => {
    const aborter = new AbortController();
    const { engine, losses } = lasting(4, undefined);
    const steps = engine.generate(PROMPT, options, aborter.signal);
    await steps.next();
    aborter.abort(new Error('stopped'));
    await expect(steps.next()).rejects.toThrow('stopped');
    expect(losses).toEqual([]);
  });
});
