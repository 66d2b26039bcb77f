import {
  AutoModelForCausalLM,
  BaseStreamer,
  LogitsProcessor,
  LogitsProcessorList,
  type PreTrainedModel,
  Tensor,
} from '@huggingface/transformers';
import type { Variant } from '../../src/align/variant.ts';
import { FORCED_SCORE, type Runner } from './measurement.ts';

/** transformers.js's generate(); where it finds the model is set in its `env` before. Runs in Node and in the browser. */
export async function transformersJsRunner(
  model: string,
  variant: Variant,
  device: 'cpu' | 'wasm' | 'webgpu',
  threads: number,
): Promise<Runner> {
  const decoder: PreTrainedModel = await AutoModelForCausalLM.from_pretrained(model, {
    dtype: variant,
    device,
    // In the browser the whole runtime is told.
    ...(device === 'cpu' && { session_options: { intraOpNumThreads: threads } }),
  });
  return {
    async generate({ promptIds, newTokens, forcedIds }) {
      const startMs = performance.now();
      const clock = new Clock(startMs);
      const dims = [1, promptIds.length];
      const processors = new LogitsProcessorList();
      if (forcedIds !== undefined) processors.push(new Replay(forcedIds, promptIds.length));
      const output = await decoder.generate({
        inputs: new Tensor('int64', BigInt64Array.from(promptIds, BigInt), dims),
        attention_mask: new Tensor('int64', new BigInt64Array(promptIds.length).fill(1n), dims),
        max_new_tokens: newTokens,
        do_sample: false,
        logits_processor: processors,
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

/** Lets the wanted token of each position have the highest score. */
class Replay extends LogitsProcessor {
  readonly #tokenIds: readonly number[];
  readonly #promptTokens: number;

  constructor(tokenIds: readonly number[], promptTokens: number) {
    super();
    this.#tokenIds = tokenIds;
    this.#promptTokens = promptTokens;
  }

  override _call(inputIds: bigint[][], logits: Tensor): Tensor {
    const id = this.#tokenIds[(inputIds[0]?.length ?? 0) - this.#promptTokens];
    if (id !== undefined) (logits.data as Float32Array)[id] = FORCED_SCORE;
    return logits;
  }
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
