import type { KeyEntry } from '../keys.ts';

/**
 * Counts the requests that are being answered, bodies that still arrive included: those that are too many are turned away
 * before they are read, so that memory is bounded whatever comes.
 */
export class Admission {
  readonly #maxRequests: number;
  readonly #byKey = new Map<KeyEntry, number>();
  #count = 0;
  #isClosed = false;
  #onEmpty: (() => void) | undefined;

  constructor(maxRequests: number) {
    this.#maxRequests = maxRequests;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** @returns called when the request has been answered; or why it may not come in */
  enter(key: KeyEntry | undefined): (() => void) | 'stopped' | 'busy' | 'limit' {
    if (this.#isClosed) return 'stopped';
    if (this.#count >= this.#maxRequests) return 'busy';
    const ofKey = key === undefined ? 0 : (this.#byKey.get(key) ?? 0);
    if (key?.maxRequests !== undefined && ofKey >= key.maxRequests) return 'limit';
    this.#count += 1;
    if (key !== undefined) this.#byKey.set(key, ofKey + 1);
    return () => {
      this.#count -= 1;
      if (key !== undefined) this.#byKey.set(key, this.#byKey.get(key)! - 1);
      if (this.#count === 0) this.#onEmpty?.();
    };
  }

  /**
   * Lets nobody in any more, and waits for those who are.
   *
   * @returns how many were not answered in time
   */
  async close(graceMs: number): Promise<number> {
    this.#isClosed = true;
    if (this.#count > 0 && graceMs > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, graceMs);
        this.#onEmpty = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#count;
  }
}
