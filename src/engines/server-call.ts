import { AlignError, type AlignErrorCode } from '../align/errors.ts';
import { readEvents, type ServerEvent } from './event-stream.ts';

export interface ServerCall {
  url: string;
  apiKey: string | undefined;
  /** Without it the call is a GET. */
  body?: unknown;
  /** A server that sends nothing for so long is given up. */
  stallMs: number;
  signal: AbortSignal;
}

/** Of an answer that says what is wrong, so much is shown. */
const SHOWN_CHARACTERS = 300;
const MAX_JSON_BYTES = 16 << 20;

/**
 * Calls a server that answers with JSON.
 *
 * @throws AlignError `server-unreachable`, `server-failed` (`details.isAnswer` where it said so itself, `details.isDeadline`
 *   where its time was over), `server-busy` (`details.retryAfterMs` where it said), `key-refused`, `invalid-request`, `prompt-too-long`, `unknown-name`; the signal's reason
 */
export async function callForJson(call: ServerCall): Promise<unknown> {
  const watch = new Watch(call);
  try {
    const response = await send(call, 'application/json', watch);
    const text = await readText(response, watch, call.url);
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      throw failed(call.url, `answered with no JSON: ${shown(text)}`, cause);
    }
  } catch (error) {
    throw watch.explain(error);
  } finally {
    watch.end();
  }
}

/**
 * Calls a server that answers with server-sent events. The connection ends with the generator: that is how the server hears
 * that its reader left.
 *
 * @throws as {@link callForJson}
 */
export async function* callForEvents(call: ServerCall): AsyncGenerator<ServerEvent, void, void> {
  const watch = new Watch(call);
  try {
    const response = await send(call, 'text/event-stream', watch);
    const type = response.headers.get('content-type') ?? 'nothing';
    if (!type.startsWith('text/event-stream') || response.body === null) {
      const text = await readText(response, watch, call.url);
      throw failed(call.url, `answered with ${type} in place of an event stream: ${shown(text)}`);
    }
    const pieces = response.body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(piece, controller) {
          watch.restart();
          controller.enqueue(piece);
        },
      }),
    );
    yield* readEvents(pieces, hostOf(call.url));
  } catch (error) {
    throw watch.explain(error);
  } finally {
    watch.end();
  }
}

/** `10.0.0.5:8000`: an address without path, query or secrets. */
export function hostOf(url: string): string {
  return new URL(url).host;
}

/** Ends a call at the signal or when nothing comes for too long, and tells which it was. */
class Watch {
  readonly #call: ServerCall;
  readonly #aborter = new AbortController();
  readonly #stop: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #hasStalled = false;

  constructor(call: ServerCall) {
    call.signal.throwIfAborted();
    this.#call = call;
    this.#stop = () => this.#aborter.abort();
    // fetch would leave its own listener on a signal that outlives the call.
    call.signal.addEventListener('abort', this.#stop, { once: true });
    this.restart();
  }

  get signal(): AbortSignal {
    return this.#aborter.signal;
  }

  restart(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#hasStalled = true;
      this.#aborter.abort();
    }, this.#call.stallMs);
  }

  explain(error: unknown): unknown {
    const { signal, url, stallMs } = this.#call;
    if (signal.aborted) return signal.reason;
    if (this.#hasStalled) return failed(url, `sent nothing for ${stallMs / 1000} s`, error);
    if (error instanceof AlignError) return error;
    return failed(url, 'broke off its answer', error);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#call.signal.removeEventListener('abort', this.#stop);
    this.#aborter.abort();
  }
}

async function send({ url, apiKey, body }: ServerCall, accept: string, watch: Watch): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        accept,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: watch.signal,
      // The key and the texts are for this host alone.
      redirect: 'error',
      credentials: 'omit',
    });
  } catch (cause) {
    if (watch.signal.aborted) throw cause;
    const reason = cause instanceof Error && cause.cause instanceof Error ? `: ${cause.cause.message}` : '';
    const message = `${hostOf(url)} cannot be reached${reason}.`;
    throw new AlignError('server-unreachable', message, { cause, details: { host: hostOf(url) } });
  }
  watch.restart();
  if (response.ok) return response;
  throw refusal(url, response, await readText(response, watch, url));
}

async function readText(response: Response, watch: Watch, url: string): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let sizeBytes = 0;
  const reader = response.body?.getReader();
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
    if (done || value === undefined) return text + decoder.decode();
    watch.restart();
    sizeBytes += value.length;
    if (sizeBytes > MAX_JSON_BYTES) throw failed(url, `answered with more than ${MAX_JSON_BYTES} bytes`);
    text += decoder.decode(value, { stream: true });
  }
}

function refusal(url: string, response: Response, text: string): AlignError {
  const { status } = response;
  const said = errorSaid(text);
  const details: Record<string, unknown> = { host: hostOf(url), status };
  if (status === 401 || status === 403) {
    // What it says may repeat the key.
    return new AlignError('key-refused', `${hostOf(url)} refused the key (${status}).`, { details });
  }
  const message = `${hostOf(url)} answered ${status}: ${said?.message ?? shown(text)}`;
  if (status === 429 || status === 503) {
    const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
    if (Number.isFinite(seconds) && seconds >= 0) details.retryAfterMs = seconds * 1000;
    return new AlignError('server-busy', message, { details });
  }
  if (said?.ours !== undefined) return said.ours;
  if (status === 404) return new AlignError('unknown-name', message, { details });
  if ([400, 413, 422].includes(status)) {
    return new AlignError(speaksOfLength(message) ? 'prompt-too-long' : 'invalid-request', message, { details });
  }
  const isDeadline = status === 504;
  return new AlignError('server-failed', message, { details: { ...details, isAnswer: true, isDeadline } });
}

/** vLLM, llama-server, SGLang and OpenAI have a sentence each. */
function speaksOfLength(message: string): boolean {
  return /context (?:length|size|window)|context_length|max_model_len|too (?:long|many tokens)|exceeds? .*(?:tokens|length)/i.test(
    message,
  );
}

/** What an error in a stream or an answer says; `ours` where it is one of this product's own. */
export function errorSaid(text: string): { message: string; ours: AlignError | undefined } | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const outer = value as { error?: unknown; message?: unknown } | null;
  const inner = (outer?.error ?? outer) as { message?: unknown; code?: unknown; details?: unknown } | string | null;
  if (typeof inner === 'string') return { message: shown(inner), ours: undefined };
  if (typeof inner?.message !== 'string') return undefined;
  const known = AlignError.fromJSON(inner);
  // Our interface sends the way out with the fact.
  const message = inner.message.replace(known === undefined ? '' : ` ${known.remedy}`, '');
  const isTold = known !== undefined && TOLD.includes(known.code);
  return { message: shown(message), ours: isTold ? AlignError.fromJSON({ ...inner, message }) : undefined };
}

/** Which of its errors another server of ours tells a client as they are: those about the request. */
const TOLD: readonly string[] = ['invalid-request', 'unknown-name', 'prompt-too-long'] satisfies AlignErrorCode[];

function failed(url: string, what: string, cause?: unknown): AlignError {
  return new AlignError('server-failed', `${hostOf(url)} ${what}.`, { cause, details: { host: hostOf(url) } });
}

function shown(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > SHOWN_CHARACTERS ? `${line.slice(0, SHOWN_CHARACTERS)}…` : line;
}
