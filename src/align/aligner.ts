import { align, type AlignerModel } from './align.ts';
import { type AlignEvent, decodeEdit } from './edit.ts';
import type { EngineDevice, SamplingOptions } from './engine.ts';
import { type AlignRequest, checkSampling, roomToGenerate } from './request.ts';

/**
 * What edits answers: a model that is loaded here, or one behind a server, which need not say what its tokens are. It runs
 * `maxConcurrency` requests at a time; nothing of one is visible to another.
 */
export interface Aligner {
  readonly device: EngineDevice;
  readonly maxConcurrency: number;
  /** Undefined where a server does not tell. */
  readonly contextLength: number | undefined;

  /**
   * One edit: `edit-start`, deltas, `edit-end`. A run whose signal aborts ends in `edit-end` with `cancelled`.
   *
   * @throws AlignError as `align`
   */
  align(request: AlignRequest, signal: AbortSignal): AsyncGenerator<AlignEvent, void, void>;

  /**
   * Continues a prompt as it is: deltas and `edit-end`.
   *
   * @param prompt  text, or int32 [promptTokens] with BOS first
   */
  complete(
    prompt: string | Int32Array,
    options: CompleteOptions,
    signal: AbortSignal,
  ): AsyncGenerator<AlignEvent, void, void>;

  /** Idempotent; ends what runs. */
  dispose(): Promise<void>;
}

export interface CompleteOptions {
  sampling: SamplingOptions;
  /** At least 1; capped to what fits after the prompt. */
  maxNewTokens: number;
  /** Each step is a delta with its tokens. */
  withTokenIds: boolean;
}

/** An aligner whose model is loaded here. */
export function localAligner(model: AlignerModel): Aligner {
  const { tokenizer, engine } = model;
  return {
    device: engine.device,
    maxConcurrency: engine.maxConcurrency,
    contextLength: engine.contextLength,
    align: (request, signal) => align(request, model, signal),
    async *complete(prompt, { sampling, maxNewTokens, withTokenIds }, signal) {
      checkSampling(sampling);
      const promptIds = typeof prompt === 'string' ? tokenizer.encode(prompt) : prompt;
      const room = roomToGenerate(promptIds.length, engine.contextLength);
      const options = { ...sampling, maxNewTokens: Math.min(maxNewTokens, room) };
      const steps = engine.generate(promptIds, options, signal);
      yield* decodeEdit(steps, { tokenizer, promptTokens: promptIds.length, signal, withTokenIds });
    },
    dispose: () => engine.dispose(),
  };
}
