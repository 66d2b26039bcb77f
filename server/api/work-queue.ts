import { AlignError } from '../../src/align/errors.ts';

/** A request that found no place: it may come again. */
export class BusyError extends Error {
  override readonly name = 'BusyError';
}

/** Whose a request is: those of one wait in one line. */
export type Client = object | string | undefined;

interface Place {
  start: () => void;
  refuse: (error: Error) => void;
}

interface QueueLimits {
  /** Jobs that run at a time. */
  atATime: number;
  /** Jobs that run at a time for one client, the rest of the places being left to others; at least 1. By default all. */
  perClient?: number;
  /** Of all clients together. */
  maxWaiting: number;
}

/**
 * Runs a few jobs at a time; a bounded number of others wait, in a line for each client. The lines take turns, each in the
 * order in which its requests came: who sends many slows down none but himself.
 */
export class WorkQueue {
  readonly atATime: number;
  readonly #perClient: number;
  readonly #maxWaiting: number;
  #running = 0;
  #waiting = 0;
  /** How many run for each client; none is 0. */
  readonly #held = new Map<Client, number>();
  /** The line whose turn it is comes first; none is empty. */
  readonly #lines = new Map<Client, Place[]>();

  constructor({ atATime, perClient = atATime, maxWaiting }: QueueLimits) {
    this.atATime = atATime;
    this.#perClient = perClient;
    this.#maxWaiting = maxWaiting;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Waits for a place.
   *
   * @returns gives the place back; only the first call counts
   * @throws BusyError when as many as may wait do already, or when the place is needed for a client with a shorter line;
   *   the signal's reason
   */
  async enter(signal: AbortSignal, client?: Client): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#running >= this.atATime || this.#hasAll(client)) {
      if (this.#waiting >= this.#maxWaiting) this.#makeRoomFor(client);
      // The place of a request that ended is handed on: nobody can take it in between.
      await this.#turn(signal, client);
    } else this.#count(client, 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#count(client, -1);
      this.#startNext();
    };
  }

  #hasAll(client: Client): boolean {
    return (this.#held.get(client) ?? 0) >= this.#perClient;
  }

  #count(client: Client, change: 1 | -1): void {
    this.#running += change;
    const held = (this.#held.get(client) ?? 0) + change;
    if (held > 0) this.#held.set(client, held);
    else this.#held.delete(client);
  }

  /** Else a client that fills the queue would keep the others out of it. */
  #makeRoomFor(client: Client): void {
    const own = this.#lines.get(client)?.length ?? 0;
    let longest: [Client, Place[]] | undefined;
    for (const line of this.#lines) if (line[1].length > (longest?.[1].length ?? own + 1)) longest = line;
    const busy = () => new BusyError(`${this.#running} requests run and ${this.#waiting} wait; try again in a moment.`);
    if (longest === undefined) throw busy();
    const last = longest[1].at(-1) as Place;
    this.#remove(longest[0], last);
    last.refuse(busy());
  }

  #startNext(): void {
    for (const [client, line] of this.#lines) {
      if (this.#hasAll(client)) continue;
      const place = line[0] as Place;
      this.#remove(client, place);
      // To the end: the others' turns come first.
      if (this.#lines.delete(client)) this.#lines.set(client, line);
      this.#count(client, 1);
      place.start();
      return;
    }
  }

  #remove(client: Client, place: Place): void {
    const line = this.#lines.get(client);
    const at = line?.indexOf(place) ?? -1;
    if (line === undefined || at < 0) return;
    line.splice(at, 1);
    this.#waiting -= 1;
    if (line.length === 0) this.#lines.delete(client);
  }

  #turn(signal: AbortSignal, client: Client): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#remove(client, place);
        reject(signal.reason instanceof Error ? signal.reason : new AlignError('engine-failed', 'The wait ended.'));
      };
      const place = {
        start: () => {
          signal.removeEventListener('abort', leave);
          resolve();
        },
        refuse: (error: Error) => {
          signal.removeEventListener('abort', leave);
          reject(error);
        },
      };
      const line = this.#lines.get(client);
      if (line === undefined) this.#lines.set(client, [place]);
      else line.push(place);
      this.#waiting += 1;
      signal.addEventListener('abort', leave, { once: true });
    });
  }
}
