/** Where a model runs. */
export type Device = 'cpu' | 'wasm' | 'webgpu';

/** Where an engine's model runs: here, on GPUs that a page does not reach too, or behind a server that says no more. */
export type EngineDevice = Device | 'cuda' | 'metal' | 'vulkan' | 'server';

/**
 * Why a generation ended: `stop` at the end-of-sequence token, `length` at `maxNewTokens` or at the end of the
 * model's context.
 */
export type GenerateFinishReason = 'stop' | 'length';

/** How the next token is chosen. `temperature` 0 is greedy, and then the other fields but the penalty are not read. */
export interface SamplingOptions {
  /** 0 is greedy; above 0 divides the logits. */
  temperature: number;
  /** Keep the k most likely tokens; 0 keeps all. */
  topK: number;
  /** Keep the fewest tokens whose probabilities sum to at least this fraction; 1 keeps all. */
  topP: number;
  /** Logits of tokens already in prompt or edit are divided (positive) or multiplied (negative) by this; 1 is off. */
  repetitionPenalty: number;
  /** Unsigned 32-bit; the same seed, request, model and device give the same edit. */
  seed: number;
}

export interface GenerateOptions extends SamplingOptions {
  /** At least 1, and at most what the context length leaves after the prompt. */
  maxNewTokens: number;
  /**
   * Where the answer stands in the prompt, in tokens, end excluded. Edits often copy it, so an engine may draft from it, which
   * never changes what is written. In 4 and 8 bits on the CPU it is part of the request: with another range, or none, a near
   * tie may fall otherwise.
   */
  answerRange?: readonly [start: number, end: number];
  /**
   * Told, where an engine reads a prompt in several steps, how many of its tokens are read; a step without tokens is yielded
   * then, so that it can be shown.
   */
  onPromptRead?: (readTokens: number) => void;
}

/**
 * A loaded decoder. It runs `maxConcurrency` generations at a time: where that is 1, a second call before the first
 * ended throws; else what is too many waits its turn. Nothing of one request (KV cache, random state) is visible to
 * another.
 */
export interface Engine {
  readonly device: EngineDevice;
  /** Tokens that the model reads, prompt and edit together. */
  readonly contextLength: number;
  readonly vocabularySize: number;
  readonly maxConcurrency: number;

  /**
   * Yields the tokens of each step (one or more, in order, never the end-of-sequence token; none where
   * `GenerateOptions.onPromptRead` was told something), and returns why it
   * ended.
   *
   * @param promptIds  int32 [promptTokens], BOS first
   * @throws the signal's reason within one step of an abort; AlignError `device-lost`, `out-of-memory`,
   *   `engine-failed`; of a server `server-unreachable`, `server-busy`, `server-failed`, `key-refused`
   */
  generate(
    promptIds: Int32Array,
    options: GenerateOptions,
    signal: AbortSignal,
  ): AsyncGenerator<readonly number[], GenerateFinishReason, void>;

  /** Frees the weights and the KV cache. Idempotent; ends a running generation. */
  dispose(): Promise<void>;
}
