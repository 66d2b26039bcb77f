import type { Aligner, CompleteOptions } from '../align/aligner.ts';
import type { AlignEvent } from '../align/edit.ts';
import { AlignError } from '../align/errors.ts';
import { buildPrompt } from '../align/prompt.ts';
import { type AlignRequest, checkRequest, checkSampling, GREEDY, roomToGenerate } from '../align/request.ts';
import type { Completion, CompletionChunk, CompletionEnd, Upstreams } from './upstreams.ts';

/**
 * An aligner whose model is behind any OpenAI-compatible completions servers. Texts are exchanged, so nothing of the model is
 * needed here; how many tokens there were is what the server says.
 */
export class OpenAiAligner implements Aligner {
  readonly device = 'server';
  readonly maxConcurrency: number;
  readonly contextLength: number | undefined;
  readonly #upstreams: Upstreams;
  readonly #disposal = new AbortController();

  constructor(upstreams: Upstreams, options: { maxConcurrency: number; contextLength: number | undefined }) {
    this.#upstreams = upstreams;
    this.maxConcurrency = options.maxConcurrency;
    this.contextLength = options.contextLength;
  }

  async *align(request: AlignRequest, signal: AbortSignal): AsyncGenerator<AlignEvent, void, void> {
    checkRequest(request);
    const completion = {
      prompt: buildPrompt(request),
      maxNewTokens: request.maxNewTokens,
      // Of the checkpoint's own settings nothing is known here.
      sampling: request.sampling === 'checkpoint' ? GREEDY : request.sampling,
      withTokenIds: false,
    };
    let hasStarted = false;
    for await (const event of this.#run(completion, true, signal)) {
      // Not before: a server that refuses or fails at once has not started.
      if (!hasStarted) {
        const { maxNewTokens } = completion;
        yield { type: 'edit-start', promptTokens: undefined, maxNewTokens, requestedNewTokens: request.maxNewTokens };
      }
      hasStarted = true;
      yield event;
    }
  }

  async *complete(
    prompt: string | Int32Array,
    options: CompleteOptions,
    signal: AbortSignal,
  ): AsyncGenerator<AlignEvent, void, void> {
    checkSampling(options.sampling);
    yield* this.#run({ ...options, prompt: typeof prompt === 'string' ? prompt : [...prompt] }, false, signal);
  }

  async dispose(): Promise<void> {
    this.#disposal.abort();
  }

  async *#run(completion: Completion, isEdit: boolean, signal: AbortSignal): AsyncGenerator<AlignEvent, void, void> {
    if (this.#disposal.signal.aborted) throw unloaded();
    const startMs = performance.now();
    const chunks = this.#completeInRoom(completion, AbortSignal.any([signal, this.#disposal.signal]));
    const tokenIds: number[] = [];
    let edit = '';
    let pieces = 0;
    let firstMs: number | undefined;
    let end: CompletionEnd | undefined;
    try {
      for (;;) {
        const chunk = await chunks.next();
        if (signal.aborted) break;
        if (chunk.done === true) {
          end = chunk.value;
          break;
        }
        pieces += 1;
        const elapsedMs = performance.now() - startMs;
        firstMs ??= elapsedMs;
        const { tokenIds: ids } = chunk.value;
        // The template ends in a space; where a SentencePiece token brings its own, decoding the edit alone drops it.
        const text = isEdit && edit === '' ? chunk.value.text.replace(/^ /, '') : chunk.value.text;
        edit += text;
        if (ids !== undefined) tokenIds.push(...ids);
        // Until the end nothing but the pieces can be counted, and most servers send one a token.
        const editTokens = ids === undefined ? pieces : tokenIds.length;
        if (completion.withTokenIds) yield { type: 'edit-delta', text, editTokens, elapsedMs, tokenIds: ids ?? [] };
        else if (text !== '') yield { type: 'edit-delta', text, editTokens, elapsedMs };
      }
    } catch (error) {
      if (!signal.aborted) throw this.#disposal.signal.aborted ? unloaded() : error;
    } finally {
      await chunks.return(undefined as never).catch(() => undefined);
    }
    const totalMs = performance.now() - startMs;
    const editTokens = end?.usage?.completionTokens ?? (tokenIds.length > 0 ? tokenIds.length : pieces);
    yield {
      type: 'edit-end',
      edit,
      tokenIds,
      finishReason: end?.finishReason ?? 'cancelled',
      usage: { promptTokens: end?.usage?.promptTokens ?? 0, editTokens, steps: pieces },
      timings: {
        timeToFirstTokenMs: firstMs,
        totalMs,
        tokensPerSecond:
          firstMs !== undefined && pieces > 1 ? ((editTokens - 1) * 1000) / (totalMs - firstMs) : undefined,
      },
    };
  }

  /**
   * vLLM refuses more new tokens than have room, in place of writing as many as have. How long the prompt is it tells with a
   * text only: of one token then, which leaves the prompt in its cache.
   *
   * @param completion  gets the room as its `maxNewTokens`
   */
  async *#completeInRoom(
    completion: Completion,
    signal: AbortSignal,
  ): AsyncGenerator<CompletionChunk, CompletionEnd, void> {
    try {
      return yield* this.#upstreams.complete(completion, signal);
    } catch (error) {
      const isTooLong = error instanceof AlignError && error.code === 'prompt-too-long';
      if (!isTooLong || this.contextLength === undefined || completion.maxNewTokens === 1) throw error;
      const one = this.#upstreams.complete({ ...completion, maxNewTokens: 1 }, signal);
      let step = await one.next();
      while (step.done !== true) step = await one.next();
      const { usage } = step.value;
      if (usage === undefined) throw error;
      completion.maxNewTokens = roomToGenerate(usage.promptTokens, this.contextLength);
      return yield* this.#upstreams.complete(completion, signal);
    }
  }
}

function unloaded(): AlignError {
  return new AlignError('engine-failed', 'The model was unloaded.');
}
