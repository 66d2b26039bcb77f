import type { Aligner, CompleteOptions } from '../../src/align/aligner.ts';
import type { AlignEvent } from '../../src/align/edit.ts';
import { AlignError } from '../../src/align/errors.ts';
import type { TemplateId } from '../../src/align/prompt.ts';
import type { AlignRequest } from '../../src/align/request.ts';
import type { Variant } from '../../src/align/variant.ts';
import { Admission } from './admission.ts';
import { type Outcome, ServerMetrics, type UpstreamState } from './metrics.ts';
import { BusyError, type Client, WorkQueue } from './work-queue.ts';

export interface ServedModelOptions {
  id: string;
  family: TemplateId | undefined;
  /** Undefined where another server has the weights. */
  variant: Variant | undefined;
  aligner: Aligner;
  /** Of the program. */
  version: string;
  /** Requests that wait for a place at most. */
  maxWaiting: number;
  /** Of a request, its wait included. */
  deadlineMs: number;
  /** Of the servers behind, where there are any. */
  upstreamStates?: () => UpstreamState[];
}

const SLACK = 64;
/** Ordinary text has four or so. */
const MOST_CHARACTERS_PER_TOKEN = 16;

/** The model that a server runs, with the queue before it. */
export class ServedModel {
  readonly id: string;
  readonly family: TemplateId | undefined;
  readonly variant: Variant | undefined;
  readonly version: string;
  readonly queue: WorkQueue;
  readonly admission: Admission;
  readonly metrics: ServerMetrics;
  readonly #aligner: Aligner;
  readonly #deadlineMs: number;
  readonly #upstreamStates: (() => UpstreamState[]) | undefined;
  /** Of the requests that run or wait. */
  readonly #stoppers = new Set<AbortController>();
  #closedBy: DOMException | undefined;

  constructor(options: ServedModelOptions) {
    this.id = options.id;
    this.family = options.family;
    this.variant = options.variant;
    this.version = options.version;
    this.queue = new WorkQueue({ atATime: options.aligner.maxConcurrency, maxWaiting: options.maxWaiting });
    // Some more than may wait: those get a better answer, and what is no request at all is told so.
    this.admission = new Admission(options.aligner.maxConcurrency + options.maxWaiting + SLACK);
    this.metrics = new ServerMetrics(this.queue, options.upstreamStates);
    this.#aligner = options.aligner;
    this.#deadlineMs = options.deadlineMs;
    this.#upstreamStates = options.upstreamStates;
  }

  get device() {
    return this.#aligner.device;
  }

  get contextLength() {
    return this.#aligner.contextLength;
  }

  /** Why it takes no requests now; undefined when it does. */
  get unreadiness(): string | undefined {
    if (this.admission.isClosed) return 'stopping';
    return this.#upstreamStates?.().every(({ isOut }) => isOut) === true ? 'no upstream answers' : undefined;
  }

  /**
   * @param client  in whose line it waits
   * @throws as `Aligner.align`; BusyError; `TimeoutError` at the deadline; the signal's reason
   */
  async *align(request: AlignRequest, signal: AbortSignal, client?: Client): AsyncGenerator<AlignEvent, void, void> {
    const texts = [request.context, request.answer, ...request.objectives.map(({ description }) => description)];
    const characters = texts.reduce((sum, text) => sum + text.length, 0);
    const run = (stop: AbortSignal) => this.#aligner.align(request, stop);
    yield* this.#inTurn(run, { characters, signal, client });
  }

  /** Continues a prompt as it is. @throws as {@link align} */
  async *complete(
    prompt: string | Int32Array,
    options: CompleteOptions,
    signal: AbortSignal,
    client?: Client,
  ): AsyncGenerator<AlignEvent, void, void> {
    // Of token ids nothing is to be made.
    const characters = typeof prompt === 'string' ? prompt.length : 0;
    const run = (stop: AbortSignal) => this.#aligner.complete(prompt, options, stop);
    yield* this.#inTurn(run, { characters, signal, client });
  }

  /**
   * Lets nobody in any more, waits for those who are, ends what is left, and unloads the model.
   *
   * @returns how many requests were not finished
   */
  async close(graceMs: number): Promise<number> {
    const left = await this.admission.close(graceMs);
    this.#closedBy = new DOMException('The server is being stopped.', 'AbortError');
    for (const stopper of this.#stoppers) stopper.abort(this.#closedBy);
    await this.#aligner.dispose();
    return left;
  }

  /** Making tokens of a text of megabytes takes seconds, in which nobody else's edit goes on. */
  #checkLength(characters: number): void {
    if (this.contextLength === undefined) return;
    const most = this.contextLength * MOST_CHARACTERS_PER_TOKEN;
    if (characters <= most) return;
    const [length, limit, tokens] = [characters, most, this.contextLength].map((n) => n.toLocaleString('en-US'));
    throw new AlignError(
      'prompt-too-long',
      `The text is ${length} characters; the model reads ${tokens} tokens, and no more than ${limit} characters are read for it.`,
      { details: { characters, most } },
    );
  }

  async *#inTurn(
    run: (stop: AbortSignal) => AsyncGenerator<AlignEvent, void, void>,
    { characters, signal, client }: { characters: number; signal: AbortSignal; client: Client },
  ): AsyncGenerator<AlignEvent, void, void> {
    // By hand: what AbortSignal.timeout and any make of each request is held until its deadline, however soon it ends.
    const stopper = new AbortController();
    const stop = stopper.signal;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      const message = `The request took longer than ${this.#deadlineMs / 1000} s, its wait included.`;
      stopper.abort(new DOMException(message, 'TimeoutError'));
    }, this.#deadlineMs);
    const leaveEarly = () => stopper.abort(signal.reason);
    signal.addEventListener('abort', leaveEarly);
    if (signal.aborted) leaveEarly();
    if (this.#closedBy !== undefined) stopper.abort(this.#closedBy);
    this.#stoppers.add(stopper);
    // A reader that goes away ends the generator without an error.
    let outcome: Outcome = 'left';
    let leave: (() => void) | undefined;
    try {
      this.#checkLength(characters);
      leave = await this.queue.enter(stop, client);
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
      outcome = signal.aborted ? 'left' : isLate ? 'deadline' : outcomeOf(error);
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', leaveEarly);
      this.#stoppers.delete(stopper);
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
