import type { Engine, EngineDevice, GenerateFinishReason, GenerateOptions } from '../align/engine.ts';
import { AlignError } from '../align/errors.ts';
import { roomToGenerate } from '../align/request.ts';
import type { LlamaConfig } from '../convert/llama-config.ts';
import { checkGeneration } from './check-generation.ts';
import type { Decoder } from './decoder.ts';
import { DraftLength } from './draft-length.ts';
import { Drafter } from './drafter.ts';
import { toEngineError } from './engine-error.ts';
import { Sampler } from './sampling.ts';

/** What the loop needs to know of a model. */
export type DecoderConfig = Pick<LlamaConfig, 'vocabularySize' | 'contextLength' | 'eosTokenIds'> & {
  /**
   * Whether steps may check drafted tokens: false for a variant whose numbers depend on how many tokens a step takes, so
   * that its text would not be that of plain decoding (`draftsExactly`). True by default.
   */
  mayDraft?: boolean;
};

/**
 * The engine over any decoder: reads in chunks what the last generation did not begin with, then makes steps of one token and as many drafted ones as pay
 * (speculative decoding without a second model).
 */
export class DecodeLoop implements Engine {
  readonly device: EngineDevice;
  readonly contextLength: number;
  readonly vocabularySize: number;
  readonly maxConcurrency = 1;
  readonly #decoder: Decoder;
  readonly #eosTokenIds: ReadonlySet<number>;
  readonly #draftLength = new DraftLength();
  /**
   * Tokens of the last prompt whose keys and values the decoder holds, read in whole chunks: the next prompt often begins
   * with them. Only these, so that its steps and their sums are the same as if it were read from its start.
   */
  #cachedIds: number[] = [];
  readonly #mayDraft: boolean;
  #isGenerating = false;
  #stepRunning: Promise<unknown> = Promise.resolve();
  #disposed: Promise<void> | undefined;

  constructor(decoder: Decoder, config: DecoderConfig) {
    this.device = decoder.device;
    this.contextLength = config.contextLength;
    this.vocabularySize = config.vocabularySize;
    this.#decoder = decoder;
    this.#eosTokenIds = new Set(config.eosTokenIds);
    this.#mayDraft = config.mayDraft ?? true;
  }

  async *generate(
    promptIds: Int32Array,
    options: GenerateOptions,
    signal: AbortSignal,
  ): AsyncGenerator<readonly number[], GenerateFinishReason, void> {
    if (this.#isGenerating) throw new Error('This engine is generating already; end that first. This is a bug.');
    this.#isGenerating = true;
    try {
      signal.throwIfAborted();
      checkGeneration(promptIds, options, this.vocabularySize);
      const room = Math.min(options.maxNewTokens, roomToGenerate(promptIds.length, this.contextLength));
      const sampler = new Sampler(options, promptIds);
      const drafter = new Drafter(promptIds, options.answerRange);
      this.#draftLength.begin();
      // The last token that is generated is never read.
      const kept = await this.#reserve(promptIds, promptIds.length + room - 1);
      let logits = yield* this.#read(promptIds, kept, { onPromptRead: options.onPromptRead, signal });
      let draft: readonly number[] = [];
      let stepMs: number | undefined;
      for (let newTokens = 0; ;) {
        const { tokenIds, isEnd } = this.#choose(logits, draft, sampler);
        if (stepMs !== undefined) {
          this.#draftLength.record(draft.length, isEnd ? tokenIds.length : tokenIds.length - 1, stepMs);
        }
        newTokens += tokenIds.length;
        if (tokenIds.length > 0) yield tokenIds;
        if (isEnd) return 'stop';
        if (newTokens === room) return 'length';
        for (const tokenId of tokenIds) drafter.accept(tokenId);
        if (this.#mayDraft) draft = drafter.draft(this.#draftLength.choose(room - newTokens - 1));
        // Of drafted tokens the cache holds wrong ones too: the next step overwrites them.
        const unread = Int32Array.of(tokenIds.at(-1) as number, ...draft);
        const pastTokens = promptIds.length + newTokens - 1;
        signal.throwIfAborted();
        const startMs = performance.now();
        logits = await this.#run(() => this.#decoder.step(unread, pastTokens, unread.length));
        stepMs = performance.now() - startMs;
        signal.throwIfAborted();
      }
    } finally {
      this.#isGenerating = false;
    }
  }

  dispose(): Promise<void> {
    this.#disposed ??= this.#stepRunning.then(() => this.#decoder.dispose());
    return this.#disposed;
  }

  /**
   * The tokens that a step decides: the drafted ones as long as they are what the model writes, then the one that it
   * writes in place of the next. Each is chosen from the model's own scores, so that the text is that without drafts, drawn
   * texts included.
   *
   * @param logits  float32 [draft + 1, vocabulary]
   */
  #choose(logits: Float32Array, draft: readonly number[], sampler: Sampler): { tokenIds: number[]; isEnd: boolean } {
    const tokenIds: number[] = [];
    for (let row = 0; row <= draft.length; row++) {
      const tokenId = sampler.sample(logits.subarray(row * this.vocabularySize, (row + 1) * this.vocabularySize));
      if (this.#eosTokenIds.has(tokenId)) return { tokenIds, isEnd: true };
      tokenIds.push(tokenId);
      if (tokenId !== draft[row]) break;
    }
    return { tokenIds, isEnd: false };
  }

  /** @returns how many of the prompt's first tokens the decoder has read already: whole chunks, never all of them */
  async #reserve(promptIds: Int32Array, tokens: number): Promise<number> {
    const cachedIds = this.#cachedIds;
    this.#cachedIds = [];
    let shared = 0;
    while (shared < promptIds.length - 1 && cachedIds[shared] === promptIds[shared]) shared += 1;
    const kept = await this.#run(() =>
      this.#decoder.reserve(tokens, shared - (shared % this.#decoder.prefillChunkTokens)),
    );
    this.#cachedIds = cachedIds.slice(0, kept);
    return kept;
  }

  /**
   * Yields an empty step after each chunk but the last, where somebody is told.
   *
   * @returns float32 [vocabulary], the scores after the last token
   */
  async *#read(
    tokenIds: Int32Array,
    pastTokens: number,
    { onPromptRead, signal }: { onPromptRead: GenerateOptions['onPromptRead']; signal: AbortSignal },
  ): AsyncGenerator<readonly number[], Float32Array, void> {
    const chunkTokens = this.#decoder.prefillChunkTokens;
    let start = pastTokens;
    for (;;) {
      signal.throwIfAborted();
      const chunk = tokenIds.subarray(start, start + chunkTokens);
      const isLast = start + chunk.length === tokenIds.length;
      const logits = await this.#run(() => this.#decoder.step(chunk, start, isLast ? 1 : 0));
      if (chunk.length === chunkTokens) this.#cachedIds.push(...chunk);
      signal.throwIfAborted();
      if (isLast) return logits;
      start += chunk.length;
      if (onPromptRead === undefined) continue;
      onPromptRead(start);
      yield [];
    }
  }

  /** Runs a call of the decoder: never after `dispose`, which waits for it. */
  async #run<Result>(call: () => Result | Promise<Result>): Promise<Result> {
    this.#throwIfDisposed();
    const running = (async () => call())();
    this.#stepRunning = running.catch(() => {});
    try {
      const result = await running;
      this.#throwIfDisposed();
      return result;
    } catch (error) {
      // Nobody knows what is cached now.
      this.#cachedIds = [];
      throw toEngineError(error, this.device, 'generating');
    }
  }

  #throwIfDisposed(): void {
    if (this.#disposed !== undefined) throw new AlignError('engine-failed', 'The model was unloaded.');
  }
}
