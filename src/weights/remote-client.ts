import { AlignError } from '../align/errors.ts';
import { HttpRequest } from './http-request.ts';
import { type Pace, parseRetryAfterMs, realPace, retryDelayMs } from './pace.ts';
import type { RemoteFile } from './remote-repository.ts';

export interface RemoteClientOptions {
  pace?: Pace;
  /** A request that brings no byte for this long has failed. */
  stallMs?: number;
  /** Sent to this origin only; a redirect to another one goes without. */
  access?: { origin: string; token: string } | undefined;
  /** A request failed and is sent again after the pause. */
  onRetry?: (error: AlignError, delayMs: number) => void;
}

const STALL_MS = 30_000;
/** In a row, without progress: about half a minute with the pauses between. */
const MAX_FAILURES = 7;
/** Fewer bytes than this from one request are no progress: a host that drips would be asked for ever. */
const PROGRESS_BYTES = 64 << 10;

/**
 * HTTP that does not give up at once. What may pass (no answer, a cut connection, a stall, 408, 425, 429, 5xx) is tried
 * again after a pause; ranges go on at the byte where they stopped. A file that is another one than at first (size,
 * ETag) is refused.
 *
 * @throws (all of it) AlignError: `access-denied` (401, 403), `weights-missing` (404, 410), `weights-changed`,
 *   `offline`, `weights-unreachable` for the rest; details hold `url` and `status`. The signal's reason on abort.
 */
export class RemoteClient {
  readonly #pace: Pace;
  readonly #stallMs: number;
  readonly #options: RemoteClientOptions;
  /**
   * Where the hub's redirect led, so that later ranges save the way. Such addresses are signed and run out: a refusal
   * there only sends the next request back to the hub.
   */
  readonly #redirects = new Map<string, string>();
  /** By file and answering origin: two mirrors of one file may name it differently. */
  readonly #etags = new Map<string, string>();
  readonly #withoutRanges = new Set<string>();

  constructor(options: RemoteClientOptions = {}) {
    this.#options = options;
    this.#pace = options.pace ?? realPace;
    this.#stallMs = options.stallMs ?? STALL_MS;
  }

  /** A whole small body; beyond `maxBytes` it is `weights-corrupt`. */
  async smallFile(
    url: string,
    maxBytes: number,
    signal: AbortSignal | undefined,
  ): Promise<{ bytes: Uint8Array; headers: Headers }> {
    for (let failures = 1; ; failures += 1) {
      const request = this.#request(url, {}, signal);
      try {
        const response = await request.response();
        if (!response.ok) throw refusal(url, response);
        const pieces: Uint8Array[] = [];
        let length = 0;
        for await (const piece of request.body(response)) {
          length += piece.length;
          if (length > maxBytes) {
            throw new AlignError('weights-corrupt', `${url} is longer than ${format(maxBytes)} bytes.`, {
              details: { url, maxBytes },
            });
          }
          pieces.push(piece);
        }
        return { bytes: concatenate(pieces, length), headers: response.headers };
      } catch (error) {
        await this.#pauseOrThrow(error, failures, signal);
      } finally {
        request.close();
      }
    }
  }

  /** Whether the file's host answered a range with the whole file: then one request brings it, several would not pay. */
  lacksRanges(file: RemoteFile): boolean {
    return this.#withoutRanges.has(file.url);
  }

  /** The bytes from `start` to before `end`, in order. */
  async *bytes(
    file: RemoteFile,
    start: number,
    end: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array, void, void> {
    let position = start;
    let failures = 0;
    while (position < end) {
      const startedAt = position;
      const redirect = this.#redirects.get(file.url);
      try {
        for await (const piece of this.#bytesOfOneRequest(file, redirect, position, end, signal)) {
          position += piece.length;
          yield piece;
        }
        if (position < end) throw cutShort(file, position, end);
      } catch (error) {
        failures = position - startedAt >= PROGRESS_BYTES ? 1 : failures + 1;
        if (redirect !== undefined && isRefusal(error)) {
          // Its signature ran out: the hub gives a new one.
          if (this.#redirects.get(file.url) === redirect) this.#redirects.delete(file.url);
          continue;
        }
        await this.#pauseOrThrow(error, failures, signal);
      }
    }
  }

  async *#bytesOfOneRequest(
    file: RemoteFile,
    redirect: string | undefined,
    start: number,
    end: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array, void, void> {
    const url = redirect ?? file.url;
    const isWhole = start === 0 && end === file.sizeBytes;
    const request = this.#request(url, isWhole ? {} : { range: `bytes=${start}-${end - 1}` }, signal);
    try {
      const response = await request.response();
      if (response.status === 416) throw changed(file, `has no byte ${format(start)} any more`);
      if (!response.ok) throw refusal(url, response);
      this.#checkIdentity(file, response, start);
      if (response.redirected && new URL(response.url).origin !== new URL(file.url).origin) {
        this.#redirects.set(file.url, response.url);
      }
      if (response.status !== 206 && !isWhole) this.#withoutRanges.add(file.url);
      // A host without ranges sends the file from its start.
      let position = response.status === 206 ? start : 0;
      for await (const piece of request.body(response)) {
        const from = Math.max(start - position, 0);
        const to = Math.min(end - position, piece.length);
        position += piece.length;
        if (to > from) yield piece.subarray(from, to);
        if (position > file.sizeBytes) throw changed(file, `has more than ${format(file.sizeBytes)} bytes now`);
        if (position >= end && !isWhole) return;
      }
    } finally {
      request.close();
    }
  }

  /** Headers that a foreign origin does not expose read as null; then only the bytes tell. */
  #checkIdentity(file: RemoteFile, response: Response, start: number): void {
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
    const length = response.headers.get('content-length');
    if (response.status === 206 && range !== null) {
      const [, first, total] = range;
      if (total !== '*' && Number(total) !== file.sizeBytes)
        throw changed(file, `has ${format(Number(total))} bytes now`);
      if (Number(first) !== start) {
        throw new AlignError(
          'weights-unreachable',
          `${file.url} was asked for byte ${format(start)} and sent byte ${format(Number(first))}.`,
          { details: { url: file.url, status: response.status } },
        );
      }
    }
    // A length is the file's where nothing may have compressed it on the way.
    const isPlain = response.type !== 'cors' && !response.headers.has('content-encoding');
    if (response.status === 200 && isPlain && length !== null && Number(length) !== file.sizeBytes) {
      throw changed(file, `has ${format(Number(length))} bytes now`);
    }
    const etag = response.headers.get('etag')?.replace(/^W\//, '');
    if (etag === undefined) return;
    const key = `${file.url} ${new URL(response.url).origin}`;
    const known = this.#etags.get(key);
    if (known === undefined) this.#etags.set(key, etag);
    else if (known !== etag) throw changed(file, 'has another ETag than before');
  }

  async #pauseOrThrow(error: unknown, failures: number, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (!(error instanceof AlignError) || !isTransient(error)) throw error;
    if (globalThis.navigator?.onLine === false) {
      throw new AlignError('offline', `There is no network; ${String(error.details.url)} could not be reached.`, {
        cause: error,
        details: error.details,
      });
    }
    const retryAfterMs = error.details.retryAfterMs as number | undefined;
    const delayMs = retryDelayMs(failures, retryAfterMs, this.#pace.random());
    if (failures >= MAX_FAILURES || delayMs === undefined) throw error;
    this.#options.onRetry?.(error, delayMs);
    await this.#pace.sleep(delayMs, signal);
  }

  #request(url: string, headers: Record<string, string>, signal: AbortSignal | undefined): HttpRequest {
    const address = new URL(url);
    const { access } = this.#options;
    const authorization = access?.origin === address.origin ? { authorization: `Bearer ${access.token}` } : {};
    return new HttpRequest(address, {
      headers: { ...headers, ...authorization },
      // What is to stay is stored by us. Chromium's cache would keep the checkpoint as well, and asks for a third more
      // bytes than the ranges have.
      cache: 'no-store',
      signals: [signal],
      stallMs: this.#stallMs,
    });
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof AlignError && (error.code === 'access-denied' || error.code === 'weights-missing');
}

function isTransient(error: AlignError): boolean {
  if (error.code !== 'weights-unreachable') return false;
  const status = error.details.status as number | undefined;
  return status === undefined || status < 400 || [408, 425, 429].includes(status) || status >= 500;
}

function refusal(url: string, response: Response): AlignError {
  const { status, headers } = response;
  const code =
    status === 401 || status === 403
      ? 'access-denied'
      : status === 404 || status === 410
        ? 'weights-missing'
        : 'weights-unreachable';
  // The hub says what is the matter in these; a page sees them because the hub exposes them.
  const hubCode = headers.get('x-error-code') ?? undefined;
  const hubMessage = headers.get('x-error-message') ?? undefined;
  const retryAfterMs = parseRetryAfterMs(headers.get('retry-after'), Date.now());
  // A signed address is a secret for as long as it is valid.
  const address = new URL(url);
  const shown = `${address.origin}${address.pathname}`;
  return new AlignError(code, `${shown} answered ${status}${hubMessage === undefined ? '' : ` (${hubMessage})`}.`, {
    details: {
      url: shown,
      status,
      ...(hubCode !== undefined && { hubCode }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    },
  });
}

function changed(file: RemoteFile, what: string): AlignError {
  return new AlignError('weights-changed', `${file.path} changed at its host: ${file.url} ${what}.`, {
    details: { url: file.url, path: file.path, sizeBytes: file.sizeBytes },
  });
}

function cutShort(file: RemoteFile, position: number, end: number): AlignError {
  return new AlignError(
    'weights-unreachable',
    `${file.url} ended at byte ${format(position)} where ${format(end)} were asked for.`,
    { details: { url: file.url, position, end } },
  );
}

function concatenate(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.length;
  }
  return bytes;
}

function format(count: number): string {
  return count.toLocaleString('en-US');
}
