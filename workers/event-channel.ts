import { type Remote, releaseProxy } from 'comlink';

/**
 * The page's callback, called in order. Its messages and the call's own answer travel by different ports, so the answer
 * waits until all of them have arrived.
 */
export class EventChannel<Event> {
  readonly #onEvent: (event: Event) => unknown;
  #arrived: Promise<unknown> = Promise.resolve();
  #isReleased = false;

  constructor(onEvent: (event: Event) => unknown) {
    this.#onEvent = onEvent;
  }

  /** Of no effect once released: an event that was held back may come late. */
  send(event: Event): void {
    if (this.#isReleased) return;
    this.#arrived = Promise.all([this.#arrived, this.#onEvent(event)]);
    // Its failure is `allArrived`'s to report.
    this.#arrived.catch(() => {});
  }

  async allArrived(): Promise<void> {
    await this.#arrived;
  }

  /** Every proxied callback holds a port open until it is released. */
  release(): void {
    this.#isReleased = true;
    const { [releaseProxy]: release } = this.#onEvent as Partial<Remote<() => void>>;
    release?.();
  }
}
