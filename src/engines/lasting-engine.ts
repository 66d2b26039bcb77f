import type { Engine, GenerateFinishReason, GenerateOptions } from '../align/engine.ts';
import { AlignError } from '../align/errors.ts';

/** What outlives a device. */
export interface Revival {
  /** The engine that works at the moment. */
  current: () => Engine;
  /**
   * Puts another engine with the same weights in its place.
   *
   * @throws what the load threw; the run ends with it
   */
  revive: (loss: AlignError) => Promise<void>;
}

/**
 * An engine whose device may go away in the middle of a run: the run goes on from the tokens it has yielded, on whatever
 * engine comes next. Greedy tokens are those of an undisturbed run where both engines compute alike. A sampled run draws
 * from a seed of its own from there on, since the first one's would repeat its draws.
 */
export function lastingEngine({ current, revive }: Revival): Engine {
  return {
    get device() {
      return current().device;
    },
    get contextLength() {
      return current().contextLength;
    },
    get vocabularySize() {
      return current().vocabularySize;
    },
    get maxConcurrency() {
      return current().maxConcurrency;
    },
    async *generate(promptIds, options, signal): AsyncGenerator<readonly number[], GenerateFinishReason, void> {
      const written: number[] = [];
      for (;;) {
        try {
          if (written.length === options.maxNewTokens) return 'length';
          const steps = current().generate(continued(promptIds, written), continuing(options, written.length), signal);
          for (;;) {
            const step = await steps.next();
            if (step.done === true) return step.value;
            written.push(...step.value);
            yield step.value;
          }
        } catch (error) {
          if (signal.aborted || !(error instanceof AlignError) || error.code !== 'device-lost') throw error;
          await revive(error);
          signal.throwIfAborted();
        }
      }
    },
    dispose: () => current().dispose(),
  };
}

/** @returns int32 [promptTokens + written] */
function continued(promptIds: Int32Array, written: readonly number[]): Int32Array {
  if (written.length === 0) return promptIds;
  const ids = new Int32Array(promptIds.length + written.length);
  ids.set(promptIds);
  ids.set(written, promptIds.length);
  return ids;
}

function continuing(options: GenerateOptions, writtenTokens: number): GenerateOptions {
  if (writtenTokens === 0) return options;
  const { maxNewTokens, seed } = options;
  return { ...options, maxNewTokens: maxNewTokens - writtenTokens, seed: (seed + writtenTokens) % 2 ** 32 };
}
