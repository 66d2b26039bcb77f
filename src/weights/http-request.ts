import { AlignError } from '../align/errors.ts';

export interface HttpRequestOptions {
  method?: 'GET' | 'HEAD';
  headers?: Record<string, string>;
  /** What the browser's own cache may do; its default unless given. */
  cache?: RequestCache;
  /** The request rejects with the reason of the one that aborts. */
  signals: readonly (AbortSignal | undefined)[];
  /** A request that brings no byte for this long has failed. */
  stallMs: number;
}

/**
 * One request whose every failure is an AlignError `weights-unreachable` with the address, or the abort's reason.
 * `close` must be called at its end, whatever the end was: it drops the connection of a body that was not read out.
 */
export class HttpRequest {
  readonly url: URL;
  readonly #options: HttpRequestOptions;
  readonly #closing = new AbortController();
  readonly #signal: AbortSignal;
  #stallTimer: ReturnType<typeof setTimeout> | undefined;
  #hasStalled = false;

  constructor(url: URL, options: HttpRequestOptions) {
    this.url = url;
    this.#options = options;
    const signals = options.signals.filter((signal) => signal !== undefined);
    this.#signal = AbortSignal.any([...signals, this.#closing.signal]);
  }

  /** The answer whatever its status. */
  async response(): Promise<Response> {
    const { method = 'GET', headers = {}, cache = 'default' } = this.#options;
    return this.#watch(() => fetch(this.url, { method, headers, cache, signal: this.#signal }));
  }

  /** @throws AlignError `weights-missing` for 404 and 410, `weights-unreachable` for another status that is no success */
  async answer(): Promise<Response> {
    const response = await this.response();
    if (response.ok) return response;
    const { status, statusText } = response;
    throw new AlignError(
      status === 404 || status === 410 ? 'weights-missing' : 'weights-unreachable',
      `${this.url.href} answered ${status}${statusText === '' ? '' : ` ${statusText}`}.`,
      { details: { url: this.url.href, status } },
    );
  }

  /** The body in pieces as they come. */
  async *body(response: Response): AsyncGenerator<Uint8Array, void, void> {
    const reader = response.body?.getReader();
    if (reader === undefined) return;
    for (;;) {
      const { value, done } = await this.#watch(() => reader.read());
      if (done) return;
      yield value;
    }
  }

  close(): void {
    clearTimeout(this.#stallTimer);
    this.#closing.abort();
  }

  async #watch<T>(step: () => Promise<T>): Promise<T> {
    this.#stallTimer = setTimeout(() => {
      this.#hasStalled = true;
      this.#closing.abort();
    }, this.#options.stallMs);
    try {
      return await step();
    } catch (cause) {
      for (const signal of this.#options.signals) signal?.throwIfAborted();
      const why = this.#hasStalled ? `sent nothing for ${this.#options.stallMs / 1000} s` : 'could not be reached';
      throw new AlignError('weights-unreachable', `${this.url.href} ${why}.`, {
        cause,
        details: { url: this.url.href, hasStalled: this.#hasStalled },
      });
    } finally {
      clearTimeout(this.#stallTimer);
    }
  }
}
