import type { Device, Engine, GenerateFinishReason, GenerateOptions } from '../align/engine.ts';
import { AlignError } from '../align/errors.ts';
import { roomToGenerate } from '../align/request.ts';
import type { LlamaConfig } from '../convert/llama-config.ts';
import { checkGeneration } from './check-generation.ts';
import type { Decoder } from './decoder.ts';
import { toEngineError } from './engine-error.ts';
import { Sampler } from './sampling.ts';

/** What the loop needs to know of a model. */
export type DecoderConfig = Pick<LlamaConfig, 'vocabularySize' | 'contextLength' | 'eosTokenIds'>;

/** The engine over any decoder: reads the prompt in chunks, then one step per new token. */
export class DecodeLoop implements Engine {
  readonly device: Device;
  readonly contextLength: number;
  readonly vocabularySize: number;
  readonly maxConcurrency = 1;
  readonly #decoder: Decoder;
  readonly #eosTokenIds: ReadonlySet<number>;
  #isGenerating = false;
  #stepRunning: Promise<unknown> = Promise.resolve();
  #disposed: Promise<void> | undefined;

  constructor(decoder: Decoder, config: DecoderConfig) {
    this.device = decoder.device;
    this.contextLength = config.contextLength;
    this.vocabularySize = config.vocabularySize;
    this.#decoder = decoder;
    this.#eosTokenIds = new Set(config.eosTokenIds);
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
      // The last token that is generated is never read.
      await this.#run(() => this.#decoder.reserve(promptIds.length + room - 1));
      let unread = promptIds;
      let pastTokens = 0;
      for (let newTokens = 1; ; newTokens++) {
        const logits = await this.#read(unread, pastTokens, signal);
        pastTokens += unread.length;
        const tokenId = sampler.sample(logits);
        if (this.#eosTokenIds.has(tokenId)) return 'stop';
        yield [tokenId];
        if (newTokens === room) return 'length';
        unread = Int32Array.of(tokenId);
      }
    } finally {
      this.#isGenerating = false;
    }
  }

  dispose(): Promise<void> {
    this.#disposed ??= this.#stepRunning.then(() => this.#decoder.dispose());
    return this.#disposed;
  }

  /** @returns float32 [vocabulary], the scores after the last token */
  async #read(tokenIds: Int32Array, pastTokens: number, signal: AbortSignal): Promise<Float32Array> {
    const chunkTokens = this.#decoder.prefillChunkTokens;
    let start = 0;
    for (;;) {
      signal.throwIfAborted();
      const chunk = tokenIds.subarray(start, start + chunkTokens);
      const isLast = start + chunk.length === tokenIds.length;
      const logits = await this.#run(() => this.#decoder.step(chunk, pastTokens + start, isLast ? 1 : 0));
      signal.throwIfAborted();
      if (isLast) return logits;
      start += chunk.length;
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
      throw toEngineError(error, this.device, 'generating');
    }
  }

  #throwIfDisposed(): void {
    if (this.#disposed !== undefined) throw new AlignError('engine-failed', 'The model was unloaded.');
  }
}
