import { align, type AlignerModel } from '../../src/align/align.ts';
import { type AlignEvent, decodeEdit } from '../../src/align/edit.ts';
import type { SamplingOptions } from '../../src/align/engine.ts';
import { AlignError } from '../../src/align/errors.ts';
import type { TemplateId } from '../../src/align/prompt.ts';
import { type AlignRequest, checkSampling, roomToGenerate } from '../../src/align/request.ts';
import type { Variant } from '../../src/align/variant.ts';
import { type Outcome, ServerMetrics } from './metrics.ts';
import { BusyError, WorkQueue } from './work-queue.ts';

export interface ServedModelOptions {
  id: string;
  family: TemplateId | undefined;
  variant: Variant;
  model: AlignerModel;
  /** Of the program. */
  version: string;
  /** Requests that wait for a place at most. */
  maxWaiting: number;
  /** Of a request, its wait included. */
  deadlineMs: number;
}

/** The model that a server runs, with the queue before it. */
export class ServedModel {
  readonly id: string;
  readonly family: TemplateId | undefined;
  readonly variant: Variant;
  readonly version: string;
  readonly queue: WorkQueue;
  readonly metrics: ServerMetrics;
  readonly #model: AlignerModel;
  readonly #deadlineMs: number;
  readonly #closing = new AbortController();

  constructor({ id, family, variant, model, version, maxWaiting, deadlineMs }: ServedModelOptions) {
    this.id = id;
    this.family = family;
    this.variant = variant;
    this.version = version;
    this.queue = new WorkQueue({ atATime: model.engine.maxConcurrency, maxWaiting });
    this.metrics = new ServerMetrics(this.queue);
    this.#model = model;
    this.#deadlineMs = deadlineMs;
  }

  get device() {
    return this.#model.engine.device;
  }

  get isClosing(): boolean {
    return this.#closing.signal.aborted;
  }

  /** @throws as `align`; BusyError; `TimeoutError` at the deadline; the signal's reason */
  async *align(request: AlignRequest, signal: AbortSignal): AsyncGenerator<AlignEvent, void, void> {
    yield* this.#inTurn(signal, (stop) => align(request, this.#model, stop));
  }

  /** Continues a prompt as it is. @throws as {@link align} */
  async *complete(
    prompt: string,
    options: { maxNewTokens: number; sampling: SamplingOptions },
    signal: AbortSignal,
  ): AsyncGenerator<AlignEvent, void, void> {
    checkSampling(options.sampling);
    const { tokenizer, engine } = this.#model;
    const promptIds = tokenizer.encode(prompt);
    const room = roomToGenerate(promptIds.length, engine.contextLength);
    const maxNewTokens = Math.min(options.maxNewTokens, room);
    yield* this.#inTurn(signal, (stop) =>
      decodeEdit(engine.generate(promptIds, { ...options.sampling, maxNewTokens }, stop), {
        tokenizer,
        promptTokens: promptIds.length,
        signal: stop,
      }),
    );
  }

  /** Ends what runs and waits, then unloads the model. */
  async close(): Promise<void> {
    this.#closing.abort(new DOMException('The server is being stopped.', 'AbortError'));
    await this.#model.engine.dispose();
  }

  async *#inTurn(
    signal: AbortSignal,
    run: (stop: AbortSignal) => AsyncGenerator<AlignEvent, void, void>,
  ): AsyncGenerator<AlignEvent, void, void> {
    const deadline = AbortSignal.timeout(this.#deadlineMs);
    const stop = AbortSignal.any([signal, deadline, this.#closing.signal]);
    // A reader that goes away ends the generator without an error.
    let outcome: Outcome = 'left';
    let leave: (() => void) | undefined;
    try {
      leave = await this.queue.enter(stop);
      for await (const event of run(stop)) {
        // A client hears why, instead of half an edit that looks whole.
        if (event.type === 'edit-end' && event.finishReason === 'cancelled') throw stop.reason;
        if (event.type === 'edit-end') {
          outcome = 'done';
          this.metrics.finished(event);
        }
        yield event;
      }
    } catch (error) {
      outcome = signal.aborted ? 'left' : deadline.aborted ? 'deadline' : outcomeOf(error);
      throw error;
    } finally {
      this.metrics.ended(outcome);
      leave?.();
    }
  }
}

function outcomeOf(error: unknown): Outcome {
  if (error instanceof BusyError) return 'busy';
  const isRefused =
    error instanceof AlignError && ['invalid-request', 'unknown-name', 'prompt-too-long'].includes(error.code);
  return isRefused ? 'refused' : 'failed';
}
