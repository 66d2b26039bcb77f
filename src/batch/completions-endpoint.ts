import { AlignError } from '../align/errors.ts';
import type { SamplingOptions } from '../align/engine.ts';
import type { EditOutcome } from './run-batch.ts';

/** A server that speaks OpenAI's completions interface: vLLM, llama.cpp, TGI, Ollama and many more. */
export interface CompletionsEndpoint {
  /** Up to and without `/completions`: `http://127.0.0.1:8000/v1`. */
  url: string;
  /** The model's name on that server. */
  model: string;
  apiKey: string | undefined;
}

export interface CompletionRequest {
  prompt: string;
  maxNewTokens: number;
  /** Undefined: the server's own. */
  sampling: SamplingOptions | undefined;
}

export interface CompleteOptions {
  signal: AbortSignal;
  /** Waits between attempts; rejects with the signal's reason. Tests pass their own. */
  wait?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

const ATTEMPTS = 6;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 60_000;

/**
 * One completion. Too many requests, a server's failure and a lost connection are tried again, with growing waits.
 *
 * @throws AlignError `server-unreachable` after the last attempt, or for an address or key that cannot work;
 *   `invalid-request` for a prompt that the server refuses; the signal's reason
 */
export async function complete(
  endpoint: CompletionsEndpoint,
  request: CompletionRequest,
  { signal, wait = waitFor }: CompleteOptions,
): Promise<EditOutcome> {
  for (let attempt = 1; ; attempt++) {
    const outcome = await attemptOnce(endpoint, request, signal);
    if ('edit' in outcome) return outcome;
    if (attempt === ATTEMPTS) throw outcome.error;
    const backOffMs = FIRST_WAIT_MS * 2 ** (attempt - 1);
    await wait(Math.min(outcome.retryAfterMs ?? backOffMs, LONGEST_WAIT_MS), signal);
  }
}

interface Retry {
  error: AlignError;
  retryAfterMs: number | undefined;
}

async function attemptOnce(
  endpoint: CompletionsEndpoint,
  request: CompletionRequest,
  signal: AbortSignal,
): Promise<EditOutcome | Retry> {
  const url = `${endpoint.url.replace(/\/+$/, '')}/completions`;
  let response: Response;
  let body: string;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(endpoint.apiKey !== undefined && { authorization: `Bearer ${endpoint.apiKey}` }),
      },
      body: JSON.stringify(bodyOf(endpoint.model, request)),
      signal,
    });
    body = await response.text();
  } catch (cause) {
    signal.throwIfAborted();
    const error = new AlignError('server-unreachable', `${url} cannot be reached.`, { cause, details: { url } });
    return { error, retryAfterMs: undefined };
  }
  if (response.ok) return readCompletion(body, url);
  const { status } = response;
  const message = `${url} answered ${status}: ${body.slice(0, 300)}`;
  if (status === 429 || status === 408 || status >= 500) {
    const seconds = Number(response.headers.get('retry-after') ?? NaN);
    const retryAfterMs = Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
    return { error: new AlignError('server-unreachable', message, { details: { status } }), retryAfterMs };
  }
  // 400, 413 and 422 speak of this prompt (too long, say); the others of the address or the key.
  const isAboutPrompt = [400, 413, 422].includes(status);
  throw new AlignError(isAboutPrompt ? 'invalid-request' : 'server-unreachable', message, { details: { status } });
}

function bodyOf(model: string, { prompt, maxNewTokens, sampling }: CompletionRequest): Record<string, unknown> {
  return {
    model,
    prompt,
    max_tokens: maxNewTokens,
    ...(sampling !== undefined && {
      temperature: sampling.temperature,
      seed: sampling.seed,
      // Sent only when they say something: not every server knows the last two.
      ...(sampling.topP < 1 && { top_p: sampling.topP }),
      ...(sampling.topK > 0 && { top_k: sampling.topK }),
      ...(sampling.repetitionPenalty !== 1 && { repetition_penalty: sampling.repetitionPenalty }),
    }),
  };
}

function readCompletion(body: string, url: string): EditOutcome {
  interface Completion {
    choices?: { text?: unknown; finish_reason?: unknown }[];
    usage?: { prompt_tokens?: unknown; completion_tokens?: unknown };
  }
  let value: Completion | null = null;
  try {
    value = JSON.parse(body) as Completion | null;
  } catch {
    // Told below with what came instead.
  }
  const choice = value?.choices?.[0];
  if (typeof choice?.text !== 'string') {
    throw new AlignError('server-unreachable', `${url} answered with no completion: ${body.slice(0, 300)}`);
  }
  const count = (tokens: unknown) => (Number.isSafeInteger(tokens) ? Math.max(0, tokens as number) : 0);
  return {
    edit: choice.text,
    finishReason: choice.finish_reason === 'length' ? 'length' : 'stop',
    promptTokens: count(value?.usage?.prompt_tokens),
    editTokens: count(value?.usage?.completion_tokens),
  };
}

function waitFor(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}
