import { AlignError } from '../align/errors.ts';
import type { GenerateFinishReason, SamplingOptions } from '../align/engine.ts';
import { callForEvents, callForJson, errorSaid, hostOf } from './server-call.ts';

export interface UpstreamsOptions {
  /** Servers with the same model, up to and with `/v1`; `upstreamUrl` makes them. */
  urls: readonly string[];
  apiKey: string | undefined;
  /** Its name there. Undefined: the one model that the servers list. */
  model: string | undefined;
  /** A server that sends nothing for so long is given up. */
  stallMs: number;
  /** Waits between attempts; tests pass their own. */
  wait?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** Milliseconds of a monotonic clock. */
  now?: () => number;
}

/** What is asked of an upstream, in OpenAI's words. */
export interface Completion {
  prompt: string | readonly number[];
  maxNewTokens: number;
  sampling: SamplingOptions;
  /** vLLM's `return_token_ids`, which `metaaligner serve` has too. */
  withTokenIds: boolean;
}

export interface CompletionChunk {
  text: string;
  /** Undefined where the server does not tell. */
  tokenIds: readonly number[] | undefined;
}

export interface CompletionEnd {
  finishReason: GenerateFinishReason;
  /** Undefined where the server does not tell. */
  usage: { promptTokens: number; completionTokens: number } | undefined;
}

/** How a server is to be asked: llama.cpp's own and llama-cpp-python's have names and defaults of theirs. */
type Dialect = 'openai' | 'llama-server' | 'llama-cpp-python';

interface Upstream {
  url: string;
  dialect: Dialect;
  /** Completions under way. */
  running: number;
  lastUsed: number;
  /** Left out until a probe finds it well. */
  isOut: boolean;
  /** Times that it was left out since it last completed anything. */
  failuresInARow: number;
  /** Completions that it failed to make, but said so, since then. */
  answeredFailures: number;
  /** It is not probed before this. */
  probeAtMs: number;
}

const ATTEMPTS = 4;
const ATTEMPTS_WITH_ANSWER = 2;
const ANSWERS_TO_EJECT = 3;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5_000;
const FIRST_EJECTION_MS = 1_000;
const LONGEST_EJECTION_MS = 60_000;
const LONGEST_PROBE_MS = 10_000;

/**
 * OpenAI-compatible servers with one model. Each completion goes to the one with the fewest under way. One that breaks off or
 * answers several in a row with a failure is left out, for a time that doubles with each failure in a row and until it lists its models again.
 */
export class Upstreams {
  readonly #upstreams: readonly Upstream[];
  readonly #options: Required<UpstreamsOptions>;
  #model: string;
  #useCount = 0;

  constructor(options: UpstreamsOptions) {
    this.#options = { wait: waitFor, now: () => performance.now(), ...options };
    this.#model = options.model ?? '';
    this.#upstreams = options.urls.map((url) => ({
      url,
      dialect: 'openai',
      running: 0,
      lastUsed: 0,
      isOut: false,
      failuresInARow: 0,
      answeredFailures: 0,
      probeAtMs: 0,
    }));
  }

  /** Found by {@link discover} where it was not given. */
  get model(): string {
    return this.#model;
  }

  /** For `/metrics` and `/readyz`. */
  get states(): { host: string; running: number; isOut: boolean }[] {
    return this.#upstreams.map(({ url, running, isOut }) => ({ host: hostOf(url), running, isOut }));
  }

  /**
   * Asks every server what it has; those that do not answer are left out for now.
   *
   * @returns the shortest context length that they tell
   * @throws AlignError when none answers; `key-refused`; `unknown-name` with the models there are, when the model is not
   *   among them or none was named and there are several
   */
  async discover(signal: AbortSignal): Promise<{ contextLength: number | undefined }> {
    const answers = await Promise.allSettled(this.#upstreams.map(({ url }) => this.#listModels(url, signal)));
    signal.throwIfAborted();
    const contextLengths: number[] = [];
    for (const [i, upstream] of this.#upstreams.entries()) {
      const answer = answers[i]!;
      if (answer.status === 'rejected') {
        // A key that one refuses is refused by each: that is to be corrected, not waited for.
        if (answer.reason instanceof AlignError && answer.reason.code === 'key-refused') throw answer.reason;
        this.#eject(upstream);
        continue;
      }
      const models = answer.value;
      if (this.#model === '' && models.length === 1) this.#model = models[0]!.id;
      const found = models.find(({ id }) => id === this.#model);
      if (found === undefined) throw this.#noModel(upstream, models);
      upstream.dialect = found.dialect;
      if (found.contextLength !== undefined) contextLengths.push(found.contextLength);
    }
    const rejected = answers.filter((answer) => answer.status === 'rejected');
    if (rejected.length === this.#upstreams.length) throw rejected[0]!.reason;
    return { contextLength: contextLengths.length === 0 ? undefined : Math.min(...contextLengths) };
  }

  /** Takes back those that were left out long enough and list the model again; to be called every second or so. */
  async probe(signal: AbortSignal): Promise<void> {
    const due = this.#upstreams.filter(({ isOut, probeAtMs }) => isOut && this.#options.now() >= probeAtMs);
    await Promise.all(
      due.map(async (upstream) => {
        // Not a second time while this one waits for its answer.
        upstream.probeAtMs = Infinity;
        const models = await this.#listModels(upstream.url, signal).catch(() => []);
        const found = models.find(({ id }) => id === this.#model);
        if (found === undefined) return this.#eject(upstream);
        upstream.dialect = found.dialect;
        upstream.isOut = false;
      }),
    );
  }

  /**
   * One completion, streamed. What failed before anything was written is tried again, elsewhere where there is an
   * elsewhere; after that the error is the reader's.
   *
   * @throws AlignError as `callForEvents`; the signal's reason
   */
  async *complete(completion: Completion, signal: AbortSignal): AsyncGenerator<CompletionChunk, CompletionEnd, void> {
    const tried = new Set<Upstream>();
    for (let attempt = 1; ; attempt++) {
      signal.throwIfAborted();
      const upstream = this.#choose(tried);
      tried.add(upstream);
      let hasWritten = false;
      const chunks = this.#ask(upstream, completion, signal);
      try {
        for (;;) {
          const chunk = await chunks.next();
          if (chunk.done === true) {
            upstream.failuresInARow = 0;
            upstream.answeredFailures = 0;
            upstream.isOut = false;
            return chunk.value;
          }
          hasWritten = true;
          yield chunk.value;
        }
      } catch (error) {
        if (signal.aborted || !(error instanceof AlignError)) throw error;
        const isBusy = error.code === 'server-busy';
        if (!isBusy && !isFailure(error)) throw error;
        // It may be this request that no server can answer: that must not take one after the other out.
        const isAnswer = error.details.isAnswer === true;
        if (!isBusy) this.#fail(upstream, isAnswer);
        if (hasWritten || attempt >= (isAnswer ? ATTEMPTS_WITH_ANSWER : ATTEMPTS)) throw error;
        if (this.#upstreams.some((other) => !tried.has(other) && !other.isOut)) continue;
        tried.clear();
        const asked = error.details.retryAfterMs;
        const waitMs = typeof asked === 'number' ? asked : FIRST_WAIT_MS * 2 ** (attempt - 1);
        await this.#options.wait(Math.min(waitMs, LONGEST_WAIT_MS), signal);
      } finally {
        // A reader that stops early ends the call too.
        await chunks.return(undefined as never).catch(() => undefined);
      }
    }
  }

  async *#ask(
    upstream: Upstream,
    { prompt, maxNewTokens, sampling, withTokenIds }: Completion,
    signal: AbortSignal,
  ): AsyncGenerator<CompletionChunk, CompletionEnd, void> {
    const url = `${upstream.url}/completions`;
    const body = {
      model: this.#model,
      prompt,
      max_tokens: maxNewTokens,
      stream: true,
      stream_options: { include_usage: true },
      ...SAMPLING[upstream.dialect](sampling),
      ...(withTokenIds && { return_token_ids: true }),
    };
    const { apiKey, stallMs } = this.#options;
    upstream.running += 1;
    upstream.lastUsed = ++this.#useCount;
    try {
      let finishReason: GenerateFinishReason | undefined;
      let usage: CompletionEnd['usage'];
      let chunks = 0;
      for await (const event of callForEvents({ url, apiKey, body, stallMs, signal })) {
        if (event.data === '[DONE]') break;
        const chunk = readChunk(event.data, url);
        finishReason = chunk.finishReason ?? finishReason;
        usage = chunk.usage ?? usage;
        if (chunk.text === '' && (chunk.tokenIds ?? []).length === 0) continue;
        chunks += 1;
        yield { text: chunk.text, tokenIds: chunk.tokenIds };
      }
      if (finishReason !== undefined) return { finishReason, usage };
      throw new AlignError('server-failed', `${hostOf(url)} ended its answer after ${chunks} pieces, unfinished.`, {
        details: { host: hostOf(url), chunks },
      });
    } finally {
      upstream.running -= 1;
    }
  }

  async #listModels(url: string, signal: AbortSignal): Promise<ListedModel[]> {
    const { apiKey, stallMs } = this.#options;
    const call = { url: `${url}/models`, apiKey, stallMs: Math.min(stallMs, LONGEST_PROBE_MS), signal };
    return readModels(await callForJson(call), call.url);
  }

  /** The least loaded; where all are left out, the one whose turn to be probed comes first. */
  #choose(tried: ReadonlySet<Upstream>): Upstream {
    const untried = this.#upstreams.filter((upstream) => !tried.has(upstream));
    const all = untried.length > 0 ? untried : this.#upstreams;
    const ready = all.filter(({ isOut }) => !isOut);
    if (ready.length > 0) return ready.reduce((best, one) => (isLessLoaded(one, best) ? one : best));
    return all.reduce((best, one) => (one.probeAtMs < best.probeAtMs ? one : best));
  }

  #fail(upstream: Upstream, isAnswer: boolean): void {
    if (isAnswer) upstream.answeredFailures += 1;
    if (!isAnswer || upstream.answeredFailures >= ANSWERS_TO_EJECT) this.#eject(upstream);
  }

  #eject(upstream: Upstream): void {
    // Requests that fail together count once.
    if (upstream.isOut && upstream.probeAtMs !== Infinity) return;
    upstream.isOut = true;
    const outMs = FIRST_EJECTION_MS * 2 ** upstream.failuresInARow;
    upstream.failuresInARow += 1;
    upstream.probeAtMs = this.#options.now() + Math.min(outMs, LONGEST_EJECTION_MS);
  }

  #noModel(upstream: Upstream, models: readonly ListedModel[]): AlignError {
    const ids = models.map(({ id }) => id);
    const has = ids.length === 0 ? 'no models' : ids.join(', ');
    const host = hostOf(upstream.url);
    const message =
      this.#model === ''
        ? `${host} has several models, or none: ${has}. Name one with --upstream-model.`
        : `${host} has no model “${this.#model}”; it has ${has}.`;
    return new AlignError('unknown-name', message, { details: { host, model: this.#model, models: ids } });
  }
}

/**
 * The address of an upstream as it is called: `http://gpu:8000` becomes `http://gpu:8000/v1`.
 *
 * @throws AlignError `invalid-request`
 */
export function upstreamUrl(text: string): string {
  const url = URL.parse(text.trim());
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new AlignError('invalid-request', `“${text}” is no address such as http://127.0.0.1:8000/v1.`);
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new AlignError('invalid-request', `The address of ${url.host} may hold no key, query or fragment.`);
  }
  const path = url.pathname.replace(/\/+$/, '');
  return `${url.origin}${path === '' ? '/v1' : path}`;
}

function isLessLoaded(one: Upstream, other: Upstream): boolean {
  return one.running === other.running ? one.lastUsed < other.lastUsed : one.running < other.running;
}

function isFailure({ code }: AlignError): boolean {
  return code === 'server-unreachable' || code === 'server-failed';
}

/** What says nothing is not sent: not every server knows it. */
function openAiSampling({ temperature, topK, topP, repetitionPenalty, seed }: SamplingOptions) {
  return {
    temperature,
    seed,
    ...(topP < 1 && { top_p: topP }),
    ...(topK > 0 && { top_k: topK }),
    ...(repetitionPenalty !== 1 && { repetition_penalty: repetitionPenalty }),
  };
}

/**
 * llama-server keeps the 40 likeliest tokens, 0.95 of their probability and no token below 0.05 of the likeliest unless told
 * otherwise, takes the temperature last, and calls the penalty otherwise, which looks back 64 tokens.
 *
 * @see llama.cpp tools/server/README.md, POST /completion
 */
function llamaCppSampling({ temperature, topK, topP, repetitionPenalty, seed }: SamplingOptions) {
  return {
    temperature,
    seed,
    ...(temperature > 0 && { top_k: topK, top_p: topP, min_p: 0 }),
    ...(repetitionPenalty !== 1 && { repeat_penalty: repetitionPenalty, repeat_last_n: -1 }),
    ...((temperature > 0 || repetitionPenalty !== 1) && { samplers: ['penalties', 'temperature', 'top_k', 'top_p'] }),
  };
}

/**
 * llama-cpp-python repeats the 40, 0.95 and 0.05, and takes a penalty of 1.1 unless told otherwise. It takes the temperature last
 * and looks back 64 tokens for the penalty, whatever it is told.
 *
 * @see llama-cpp-python 0.2.90 llama_cpp/server/types.py
 */
function llamaCppPythonSampling({ temperature, topK, topP, repetitionPenalty, seed }: SamplingOptions) {
  return {
    temperature,
    seed,
    repeat_penalty: repetitionPenalty,
    ...(temperature > 0 && { top_k: topK, top_p: topP, min_p: 0 }),
  };
}

const SAMPLING = {
  openai: openAiSampling,
  'llama-server': llamaCppSampling,
  'llama-cpp-python': llamaCppPythonSampling,
} satisfies Record<Dialect, (sampling: SamplingOptions) => object>;

interface ListedModel {
  id: string;
  contextLength: number | undefined;
  dialect: Dialect;
}

/** By what only it says in its list. */
function dialectOf(ownedBy: unknown, permissions: unknown): Dialect {
  if (ownedBy === 'llamacpp') return 'llama-server';
  return ownedBy === 'me' && Array.isArray(permissions) ? 'llama-cpp-python' : 'openai';
}

function readModels(value: unknown, url: string): ListedModel[] {
  const data = (value as { data?: unknown } | null)?.data;
  if (!Array.isArray(data)) throw new AlignError('server-failed', `${url} lists no models; is it OpenAI-compatible?`);
  return data.flatMap((entry: unknown) => {
    interface Entry {
      id?: unknown;
      owned_by?: unknown;
      permissions?: unknown;
      /** vLLM's. */
      max_model_len?: unknown;
      /** llama-server's: what each request may have. */
      meta?: { n_ctx?: unknown } | null;
    }
    const { id, owned_by, permissions, max_model_len, meta } = (entry ?? {}) as Entry;
    if (typeof id !== 'string') return [];
    const length = max_model_len ?? meta?.n_ctx;
    const contextLength = isCount(length) && length > 0 ? length : undefined;
    return [{ id, contextLength, dialect: dialectOf(owned_by, permissions) }];
  });
}

interface ReadChunk extends CompletionChunk {
  finishReason: GenerateFinishReason | undefined;
  usage: CompletionEnd['usage'];
}

function readChunk(data: string, url: string): ReadChunk {
  const said = data.includes('"error"') ? errorSaid(data) : undefined;
  if (said !== undefined) {
    const details = { host: hostOf(url), isAnswer: true };
    throw said.ours ?? new AlignError('server-failed', `${hostOf(url)} failed: ${said.message}`, { details });
  }
  interface Choice {
    text?: unknown;
    finish_reason?: unknown;
    token_ids?: unknown;
  }
  let value: { choices?: unknown; usage?: { prompt_tokens?: unknown; completion_tokens?: unknown } | null } | null;
  try {
    value = JSON.parse(data) as typeof value;
  } catch (cause) {
    throw new AlignError('server-failed', `${hostOf(url)} sent what is no JSON: ${data.slice(0, 100)}`, { cause });
  }
  const choices = value?.choices;
  const { text, finish_reason, token_ids } = (Array.isArray(choices) ? (choices[0] ?? {}) : {}) as Choice;
  const prompt = value?.usage?.prompt_tokens;
  const completion = value?.usage?.completion_tokens;
  return {
    text: typeof text === 'string' ? text : '',
    tokenIds: Array.isArray(token_ids) && token_ids.every(isCount) ? token_ids : undefined,
    finishReason: readFinishReason(finish_reason, url),
    usage: isCount(prompt) && isCount(completion) ? { promptTokens: prompt, completionTokens: completion } : undefined,
  };
}

function readFinishReason(value: unknown, url: string): GenerateFinishReason | undefined {
  if (value === null || value === undefined || value === '') return undefined;
  if (value === 'stop' || value === 'length') return value;
  throw new AlignError('server-failed', `${hostOf(url)} ended the text with ${JSON.stringify(value)}.`);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function waitFor(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    signal.addEventListener('abort', stop, { once: true });
  });
}
