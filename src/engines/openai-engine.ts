import type { Engine, GenerateFinishReason, GenerateOptions } from '../align/engine.ts';
import { AlignError } from '../align/errors.ts';
import { roomToGenerate } from '../align/request.ts';
import { checkGeneration } from './check-generation.ts';
import type { DecoderConfig } from './decode-loop.ts';
import type { Upstreams } from './upstreams.ts';

/**
 * An engine whose model is behind OpenAI-compatible servers that take and return token ids: vLLM from 0.10.2, and
 * `metaaligner serve`.
 */
export class OpenAiEngine implements Engine {
  readonly device = 'server';
  readonly contextLength: number;
  readonly vocabularySize: number;
  readonly maxConcurrency: number;
  readonly #upstreams: Upstreams;
  readonly #eosTokenIds: ReadonlySet<number>;
  readonly #disposal = new AbortController();

  constructor(upstreams: Upstreams, config: DecoderConfig & { maxConcurrency: number }) {
    this.#upstreams = upstreams;
    this.contextLength = config.contextLength;
    this.vocabularySize = config.vocabularySize;
    this.maxConcurrency = config.maxConcurrency;
    this.#eosTokenIds = new Set(config.eosTokenIds);
  }

  async *generate(
    promptIds: Int32Array,
    options: GenerateOptions,
    signal: AbortSignal,
  ): AsyncGenerator<readonly number[], GenerateFinishReason, void> {
    signal.throwIfAborted();
    this.#throwIfDisposed();
    checkGeneration(promptIds, options, this.vocabularySize);
    const { maxNewTokens, answerRange: _drafting, ...sampling } = options;
    const room = roomToGenerate(promptIds.length, this.contextLength);
    const chunks = this.#upstreams.complete(
      {
        prompt: [...promptIds],
        maxNewTokens: Math.min(maxNewTokens, room),
        sampling,
        withTokenIds: true,
      },
      AbortSignal.any([signal, this.#disposal.signal]),
    );
    try {
      for (;;) {
        const chunk = await chunks.next();
        // What had come already does not outlive the abort.
        signal.throwIfAborted();
        this.#throwIfDisposed();
        if (chunk.done === true) return chunk.value.finishReason;
        const { tokenIds } = chunk.value;
        if (tokenIds === undefined) throw noTokenIds();
        // vLLM counts the end of sequence among the tokens.
        const written = tokenIds.filter((id) => !this.#eosTokenIds.has(id));
        if (written.length > 0) yield written;
      }
    } catch (error) {
      signal.throwIfAborted();
      this.#throwIfDisposed();
      throw error;
    } finally {
      await chunks.return(undefined as never).catch(() => undefined);
    }
  }

  async dispose(): Promise<void> {
    this.#disposal.abort();
  }

  #throwIfDisposed(): void {
    if (this.#disposal.signal.aborted) throw new AlignError('engine-failed', 'The model was unloaded.');
  }
}

function noTokenIds(): AlignError {
  return new AlignError(
    'unsupported-model',
    'The upstream returns no token ids (“return_token_ids”, vLLM from 0.10.2). Serve without --model: then texts are exchanged.',
  );
}
