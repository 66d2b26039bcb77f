import { AlignError } from '../align/errors.ts';

/** A server that speaks OpenAI's interface: vLLM, llama.cpp, TGI, Ollama and many more. */
export interface ModelEndpoint {
  /** Up to and without `/completions` or `/chat/completions`: `http://127.0.0.1:8000/v1`. */
  url: string;
  /** The model's name on that server. */
  model: string;
  apiKey: string | undefined;
}

export interface PostOptions {
  signal: AbortSignal;
  /** Waits between attempts; rejects with the signal's reason. Tests pass their own. */
  wait?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

interface ReplyOptions extends PostOptions {
  /** What is wrong with a reply of status 200, as “no chat completion”: gateways answer so when the model behind them failed. */
  faultOf?: (body: string) => string | undefined;
}

export interface Reply {
  /** Where it came from. */
  url: string;
  body: string;
}

const ATTEMPTS = 6;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 60_000;

/**
 * Posts JSON. Too many requests, a server's failure, a reply with a fault and a lost connection are tried again, with growing
 * waits.
 *
 * @param path  below the endpoint's address, without a slash in front
 * @throws AlignError `server-unreachable` after the last attempt, or for an address or key that cannot work;
 *   `key-refused` for a key that no header takes, before anything is sent; `invalid-request` for a prompt that the server refuses; the signal's reason. `details.attempts` is there where
 *   the server itself answered and the attempts ran out.
 */
export async function postWithBackOff(
  endpoint: ModelEndpoint,
  path: string,
  content: Record<string, unknown>,
  { signal, wait = waitFor, faultOf = () => undefined }: ReplyOptions,
): Promise<Reply> {
  const url = `${endpoint.url.replace(/\/+$/, '')}/${path}`;
  throwIfUnfit(endpoint);
  for (let attempt = 1; ; attempt++) {
    const outcome = withoutFault(await attemptOnce(url, endpoint.apiKey, content, signal), faultOf);
    if ('body' in outcome) return outcome;
    if (attempt === ATTEMPTS) throw outcome.error;
    const backOffMs = FIRST_WAIT_MS * 2 ** (attempt - 1);
    await wait(Math.min(outcome.retryAfterMs ?? backOffMs, LONGEST_WAIT_MS), signal);
  }
}

/** @throws AlignError for what fetch refuses as if nobody were there; the message repeats no secret */
function throwIfUnfit({ url, apiKey }: ModelEndpoint): void {
  const parsed = URL.parse(url);
  if (parsed !== null && (parsed.username !== '' || parsed.password !== '')) {
    const message = `The address of ${parsed.host} holds a name or password; the key is given by itself.`;
    throw new AlignError('server-unreachable', message, { details: { host: parsed.host } });
  }
  if (apiKey !== undefined && !isSendableKey(apiKey)) throw new AlignError('key-refused', UNSENDABLE_KEY);
}

export const UNSENDABLE_KEY = 'The key holds blanks or letters that no key has; copy it anew.';

/** Whether a header takes a key. Blanks around it are left out. */
export function isSendableKey(key: string): boolean {
  return /^[\x21-\x7e]*$/.test(key.trim());
}

interface Retry {
  error: AlignError;
  retryAfterMs: number | undefined;
}

function withoutFault(outcome: Reply | Retry, faultOf: (body: string) => string | undefined): Reply | Retry {
  const fault = 'body' in outcome ? faultOf(outcome.body) : undefined;
  if (!('body' in outcome) || fault === undefined) return outcome;
  const message = `${outcome.url} answered with ${fault}: ${outcome.body.slice(0, 300)}`;
  const details = { attempts: ATTEMPTS };
  return { error: new AlignError('server-unreachable', message, { details }), retryAfterMs: undefined };
}

async function attemptOnce(
  url: string,
  apiKey: string | undefined,
  content: Record<string, unknown>,
  signal: AbortSignal,
): Promise<Reply | Retry> {
  let response: Response;
  let body: string;
  // fetch leaves its listener on the signal until it is collected: one signal for thousands of calls would hold them all.
  const ownAborter = new AbortController();
  const stop = () => ownAborter.abort(signal.reason);
  signal.throwIfAborted();
  signal.addEventListener('abort', stop, { once: true });
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
      },
      body: JSON.stringify(content),
      signal: ownAborter.signal,
      // The key and the texts are for this host alone. Not “error”, which looks like nobody there.
      redirect: 'manual',
      credentials: 'omit',
    });
    body = await response.text();
  } catch (cause) {
    signal.throwIfAborted();
    const error = new AlignError('server-unreachable', `${url} cannot be reached.`, { cause, details: { url } });
    return { error, retryAfterMs: undefined };
  } finally {
    signal.removeEventListener('abort', stop);
  }
  if (response.ok) return { url, body };
  const { status } = response;
  if (response.type === 'opaqueredirect' || (status >= 300 && status < 400)) {
    const message = `${url} sends calls on to another address, where nothing was sent. Give that address itself.`;
    throw new AlignError('server-unreachable', message, { details: { url } });
  }
  const message = `${url} answered ${status}: ${body.slice(0, 300)}`;
  if (status === 429 || status === 408 || status >= 500) {
    const seconds = Number(response.headers.get('retry-after') ?? NaN);
    const retryAfterMs = Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
    const details = { status, attempts: ATTEMPTS };
    return { error: new AlignError('server-unreachable', message, { details }), retryAfterMs };
  }
  // 400, 413 and 422 speak of this prompt (too long, say); the others of the address or the key.
  const isAboutPrompt = [400, 413, 422].includes(status);
  throw new AlignError(isAboutPrompt ? 'invalid-request' : 'server-unreachable', message, { details: { status } });
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

/** Whether a call failed for what it sent, or after the last attempt: others may do better. */
export function isOfOneCall(error: unknown): boolean {
  if (!(error instanceof AlignError)) return false;
  const isOfPrompt = error.code === 'invalid-request' || error.code === 'prompt-too-long';
  return isOfPrompt || error.details.attempts !== undefined;
}
