/** Web Locks of one name after the other, as in a browser; Node 20 has none. */
export class FakeLocks {
  readonly #tails = new Map<string, Promise<unknown>>();

  async request<Result>(name: string, options: { signal?: AbortSignal }, run: () => Promise<Result>): Promise<Result> {
    const turn = this.#tails.get(name) ?? Promise.resolve();
    const result = turn.then(() => {
      options.signal?.throwIfAborted();
      return run();
    });
    this.#tails.set(
      name,
      result.catch(() => {}),
    );
    return result;
  }
}
