import type { Engine, EngineDevice, GenerateFinishReason, GenerateOptions } from '../align/engine.ts';
import { AlignError } from '../align/errors.ts';
import { roomToGenerate } from '../align/request.ts';
import type { LlamaConfig } from '../convert/llama-config.ts';
import { checkGeneration } from './check-generation.ts';
import type { Decoder } from './decoder.ts';
import { decidedTokens } from './decided-tokens.ts';
import { DraftLength } from './draft-length.ts';
import { Drafter } from './drafter.ts';
import { toEngineError } from './engine-error.ts';
import { Sampler } from './sampling.ts';
import type { RowScores } from './scores.ts';

/** What the loop needs to know of a model. */
export type DecoderConfig = Pick<LlamaConfig, 'vocabularySize' | 'contextLength' | 'eosTokenIds'> & {
  /**
   * Whether steps may check drafted tokens: false for a variant whose numbers depend on how many tokens a step takes, so
   * that its text would not be that of plain decoding (`draftTrust`). True by default.
   */
  mayDraft?: boolean;
  /**
   * Logits, above 0 where scores of a step over several tokens are a little off those of a step over one: a position whose
   * largest score leads by no more than this is scored again, alone, so that such a step decides no near tie. The keys and
   * values that it read stay, and are a little off as well: the text parts from that of plain decoding, if it does, at a
   * position that is a near tie there. Only greedy texts are drafted then. 0 by default.
   */
  draftMargin?: number;
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
  readonly #draftLength: DraftLength;
  /**
   * Tokens of the last prompt whose keys and values the decoder holds, read in whole chunks: the next prompt often begins
   * with them. Only these, so that its steps and their sums are the same as if it were read from its start.
   */
  #cachedIds: number[] = [];
  readonly #mayDraft: boolean;
  readonly #draftMargin: number;
  #isGenerating = false;
  #stepRunning: Promise<unknown> = Promise.resolve();
  #disposed: Promise<void> | undefined;

  constructor(decoder: Decoder, config: DecoderConfig) {
    this.device = decoder.device;
    this.contextLength = config.contextLength;
    this.vocabularySize = config.vocabularySize;
    this.#decoder = decoder;
    this.#draftLength = new DraftLength(decoder.minStepTokens);
    this.#eosTokenIds = new Set(config.eosTokenIds);
    this.#mayDraft = config.mayDraft ?? true;
    this.#draftMargin = config.draftMargin ?? 0;
  }

  async *generate(
    promptIds: Int32Array,
    options: GenerateOptions,
    signal: AbortSignal,
  ): AsyncGenerator<readonly number[], GenerateFinishReason, void> {
    if (this.#isGenerating) throw new Error('This engine is generating already; end that first. This is a bug.');
    this.#isGenerating = true;
    /** A step that began before the tokens of the one before it were known. */
    let ahead: Promise<readonly RowScores[]> | undefined;
    try {
      signal.throwIfAborted();
      checkGeneration(promptIds, options, this.vocabularySize);
      const room = Math.min(options.maxNewTokens, roomToGenerate(promptIds.length, this.contextLength));
      const sampler = new Sampler(options, promptIds);
      const margin = this.#draftMargin;
      const mayDraft = this.#mayDraft && (margin === 0 || sampler.needed(1).type === 'largest');
      const drafter = new Drafter(promptIds, options.answerRange);
      this.#draftLength.begin();
      // The last token that is generated is never read.
      const kept = await this.#reserve(promptIds, promptIds.length + room - 1);
      let scores = yield* this.#read(promptIds, kept, sampler, { onPromptRead: options.onPromptRead, signal });
      let draft: readonly number[] = [];
      let isAlone = false;
      let stepMs: number | undefined;
      let endMs = 0;
      let lastId = promptIds.at(-1) as number;
      /** The last step did not decide the position after this token. */
      let wasDoubtful = false;
      for (let newTokens = 0; ;) {
        const { tokenIds, isEnd, isDoubtful } = decidedTokens(scores, draft, sampler, this.#eosTokenIds, margin);
        if (stepMs !== undefined) {
          this.#draftLength.record(draft.length, isEnd ? tokenIds.length : tokenIds.length - 1, stepMs, isAlone);
        }
        newTokens += tokenIds.length;
        if (tokenIds.length > 0) yield tokenIds;
        if (isEnd) return 'stop';
        if (newTokens === room) return 'length';
        for (const [i, tokenId] of tokenIds.entries()) {
          const isRight = drafter.accept(tokenId);
          // Of a token that was scored alone, its draft was of no use.
          if (isRight !== undefined && !(wasDoubtful && i === 0)) this.#draftLength.learn(isRight);
        }
        if (isDoubtful) this.#draftLength.learn(false);
        wasDoubtful = isDoubtful;
        lastId = tokenIds.at(-1) ?? lastId;
        const pastTokens = promptIds.length + newTokens - 1;
        signal.throwIfAborted();
        // One that began ahead had the device to itself when the one before it ended.
        const startMs = ahead === undefined ? performance.now() : endMs;
        let step = ahead;
        draft = [];
        isAlone = this.#decoder.stepAlone !== undefined && !drafter.isBesideGuesses;
        if (step === undefined) {
          if (mayDraft && !isDoubtful) draft = drafter.draft(this.#draftLength.choose(room - newTokens - 1));
          // Of drafted tokens the cache holds wrong ones too: the next step overwrites them.
          const unread = Int32Array.of(lastId, ...draft);
          const isLeadNeeded = margin > 0 && draft.length > 0;
          const needed = isLeadNeeded ? ({ type: 'top', count: 2 } as const) : sampler.needed(unread.length);
          step = this.#run(() =>
            isAlone
              ? this.#decoder.stepAlone!(lastId, pastTokens)
              : this.#decoder.step(unread, pastTokens, unread.length, needed),
          );
        }
        // Where nothing is guessed there is surely no draft for this step's token. What it makes guessed is drafted a step later.
        const mayGuess = mayDraft && drafter.hasGuess && this.#draftLength.choose(room - newTokens - 2) > 0;
        const mayFollow = draft.length === 0 && !mayGuess;
        ahead = mayFollow ? this.#follow(pastTokens + 1, room - newTokens - 1, sampler) : undefined;
        scores = await step;
        endMs = performance.now();
        stepMs = endMs - startMs;
        signal.throwIfAborted();
      }
    } finally {
      // Nobody reads it any more, but the next generation must not begin before its end.
      await ahead?.catch(() => {});
      this.#isGenerating = false;
    }
  }

  dispose(): Promise<void> {
    this.#disposed ??= this.#stepRunning.then(() => this.#decoder.dispose());
    return this.#disposed;
  }

  /**
   * Begins the step after one that writes one token, where the device knows that token before we do.
   *
   * @param room  tokens that may come after that one
   */
  #follow(pastTokens: number, room: number, sampler: Sampler): Promise<readonly RowScores[]> | undefined {
    const decoder = this.#decoder;
    if (decoder.follow === undefined || room === 0 || sampler.needed(1).type !== 'largest') return undefined;
    const step = this.#run(() => decoder.follow!(pastTokens));
    // It is awaited later, and not at all where the step before it fails.
    step.catch(() => {});
    return step;
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
   * @returns the scores after the last token
   */
  async *#read(
    tokenIds: Int32Array,
    pastTokens: number,
    sampler: Sampler,
    { onPromptRead, signal }: { onPromptRead: GenerateOptions['onPromptRead']; signal: AbortSignal },
  ): AsyncGenerator<readonly number[], readonly RowScores[], void> {
    const chunkTokens = this.#decoder.prefillChunkTokens;
    let start = pastTokens;
    for (;;) {
      signal.throwIfAborted();
      const chunk = tokenIds.subarray(start, start + chunkTokens);
      const isLast = start + chunk.length === tokenIds.length;
      const rows = isLast ? 1 : 0;
      const scores = await this.#run(() => this.#decoder.step(chunk, start, rows, sampler.needed(rows)));
      if (chunk.length === chunkTokens) this.#cachedIds.push(...chunk);
      signal.throwIfAborted();
      if (isLast) return scores;
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
    // Without its result, or each would hold the one before it.
    this.#stepRunning = Promise.allSettled([this.#stepRunning, running]).then(() => undefined);
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
