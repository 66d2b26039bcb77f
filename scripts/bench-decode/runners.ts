import { AutoModelForCausalLM, BaseStreamer, type PreTrainedModel, Tensor } from '@huggingface/transformers';
import type { Engine } from '../../src/align/engine.ts';
import { GREEDY } from '../../src/align/request.ts';
import type { Variant } from '../../src/align/variant.ts';
import type { Runner } from './measurement.ts';

/** Runs in Node and in the browser, as the next one does. */
export function ourRunner(engine: Engine): Runner {
  const never = new AbortController().signal;
  return {
    async generate(promptIds, newTokens, isAgain = false) {
      // A prompt that begins otherwise takes the place of the last one.
      const other = Int32Array.of((promptIds[0] ?? 0) + 1);
      const onlyOne = { ...GREEDY, maxNewTokens: 1 };
      if (!isAgain) for await (const _ of engine.generate(other, onlyOne, never));
      const startMs = performance.now();
      let firstTokenMs = 0;
      const tokenIds: number[] = [];
      const options = { ...GREEDY, maxNewTokens: newTokens };
      for await (const step of engine.generate(Int32Array.from(promptIds), options, never)) {
        if (tokenIds.length === 0) firstTokenMs = performance.now() - startMs;
        tokenIds.push(...step);
      }
      return { tokenIds, firstTokenMs, totalMs: performance.now() - startMs };
    },
    dispose: () => engine.dispose(),
  };
}

/** transformers.js's generate(); where it finds the model is set in its `env` before. */
export async function transformersJsRunner(
  model: string,
  variant: Variant,
  device: 'cpu' | 'wasm',
  threads: number,
): Promise<Runner> {
  const decoder: PreTrainedModel = await AutoModelForCausalLM.from_pretrained(model, {
    dtype: variant,
    device,
    // In the browser the whole runtime is told.
    ...(device === 'cpu' && { session_options: { intraOpNumThreads: threads } }),
  });
  return {
    async generate(promptIds, newTokens) {
      const startMs = performance.now();
      const clock = new Clock(startMs);
      const dims = [1, promptIds.length];
      const output = await decoder.generate({
        inputs: new Tensor('int64', BigInt64Array.from(promptIds, BigInt), dims),
        attention_mask: new Tensor('int64', new BigInt64Array(promptIds.length).fill(1n), dims),
        max_new_tokens: newTokens,
        do_sample: false,
        // Its type asks for a TextStreamer; the code calls `put` and `end`.
        streamer: clock as BaseStreamer as never,
      });
      const totalMs = performance.now() - startMs;
      const ids = Array.from((output as Tensor).data as BigInt64Array, Number).slice(promptIds.length);
      return { tokenIds: ids, firstTokenMs: clock.firstTokenMs ?? totalMs, totalMs };
    },
    dispose: async () => void (await decoder.dispose()),
  };
}

/** Is given the prompt first, then each token. */
class Clock extends BaseStreamer {
  firstTokenMs: number | undefined;
  readonly #startMs: number;
  #isPrompt = true;

  constructor(startMs: number) {
    super();
    this.#startMs = startMs;
  }

  override put(): void {
    if (!this.#isPrompt) this.firstTokenMs ??= performance.now() - this.#startMs;
    this.#isPrompt = false;
  }

  override end(): void {
    // Nothing is held back.
  }
}
