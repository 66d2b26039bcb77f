import { AlignError } from '../align/errors.ts';

export interface RowPlacesOptions {
  /** Rows at a time at most. */
  most: number;
  /** Milliseconds of a monotonic clock. */
  now: () => number;
  /** @throws the signal's reason */
  wait: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Where a busy server does not say when it may be asked again. */
const RETRY_MS = 5000;
/** A server may ask for hours; the visitor would not know why nothing happens. */
const LONGEST_WAIT_MS = 60_000;
/** Busy for so long without finishing a row, a server is given up. */
const MOST_BUSY_MS = 900_000;
/** A row that met the deadline so often may be too long for it, and not only for the queue before it. */
const MOST_DEADLINES = 3;
/** After so many rows without a refusal one more at a time is tried. */
const ROWS_TO_GROW = 16;

/**
 * Places for the rows that are at a server at a time: as many as it takes. Each refusal takes one away, so that rows wait here
 * in one line and not by asking again and again.
 */
export class RowPlaces {
  readonly #most: number;
  readonly #now: RowPlacesOptions['now'];
  readonly #wait: RowPlacesOptions['wait'];
  #places: number;
  #taken = 0;
  #rowsSinceRefusal = 0;
  /** When the server last did something. */
  #progressMs: number;
  /** Rows without a place, in the order they came. */
  readonly #line: (() => void)[] = [];

  constructor({ most, now, wait }: RowPlacesOptions) {
    this.#most = most;
    this.#now = now;
    this.#wait = wait;
    this.#places = most;
    this.#progressMs = now();
  }

  /**
   * Does a row's work in a place, and again where the server was busy.
   *
   * @throws what the work throws that is no matter of being busy; `server-busy` of a server that finishes nothing; `server-failed`
   *   of a row that met the server's deadline too often; the signal's reason
   */
  async run<Result>(work: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    for (let deadlines = 0; ;) {
      await this.#enter(signal);
      let waitMs: number;
      try {
        const result = await work();
        this.#grow();
        return result;
      } catch (error) {
        if (!(error instanceof AlignError)) throw error;
        const isLate = error.code === 'server-failed' && error.details.isDeadline === true;
        if (isLate) deadlines += 1;
        if (isLate ? deadlines >= MOST_DEADLINES : error.code !== 'server-busy') {
          this.#progressMs = this.#now();
          throw error;
        }
        if (this.#now() - this.#progressMs > MOST_BUSY_MS) throw error;
        // The others were let in.
        this.#places = Math.max(1, Math.min(this.#places, this.#taken - 1));
        this.#rowsSinceRefusal = 0;
        const { retryAfterMs } = error.details;
        waitMs = Math.min(typeof retryAfterMs === 'number' ? retryAfterMs : RETRY_MS, LONGEST_WAIT_MS);
      } finally {
        this.#taken -= 1;
        this.#admit();
      }
      await this.#wait(waitMs, signal);
    }
  }

  async #enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const leave = () => {
        this.#line.splice(this.#line.indexOf(take), 1);
        reject(signal.reason as Error);
      };
      const take = () => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#line.push(take);
      this.#admit();
    });
  }

  #admit(): void {
    while (this.#taken < this.#places) {
      const next = this.#line.shift();
      if (next === undefined) return;
      this.#taken += 1;
      next();
    }
  }

  /** A server that was full for a while, or a key that shares its requests, may take more again. */
  #grow(): void {
    this.#progressMs = this.#now();
    this.#rowsSinceRefusal += 1;
    if (this.#places === this.#most || this.#rowsSinceRefusal < ROWS_TO_GROW) return;
    this.#places += 1;
    this.#rowsSinceRefusal = 0;
  }
}
