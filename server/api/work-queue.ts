import { AlignError } from '../../src/align/errors.ts';

/** A request that found no place: it may come again. */
export class BusyError extends Error {
  override readonly name = 'BusyError';
}

/** Runs a few jobs at a time, in the order in which they came; a bounded number of others wait. */
export class WorkQueue {
  readonly atATime: number;
  readonly #maxWaiting: number;
  #running = 0;
  readonly #waiting: { start: () => void }[] = [];

  constructor({ atATime, maxWaiting }: { atATime: number; maxWaiting: number }) {
    this.atATime = atATime;
    this.#maxWaiting = maxWaiting;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Waits for a place.
   *
   * @returns gives the place back; only the first call counts
   * @throws BusyError when as many as may wait do already; the signal's reason
   */
  async enter(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#running >= this.atATime) {
      if (this.#waiting.length >= this.#maxWaiting) {
        throw new BusyError(`${this.#running} requests run and ${this.#waiting.length} wait; try again in a moment.`);
      }
      // The place of a request that ended is handed on: nobody can take it in between.
      await this.#turn(signal);
    } else this.#running += 1;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next.start();
    };
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(place), 1);
        reject(signal.reason instanceof Error ? signal.reason : new AlignError('engine-failed', 'The wait ended.'));
      };
      const place = {
        start: () => {
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      this.#waiting.push(place);
      signal.addEventListener('abort', leave, { once: true });
    });
  }
}
