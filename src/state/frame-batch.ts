/** Collects values and hands them over at most once per frame: a store that is set per token would draw per token. */
export class FrameBatch<Value> {
  readonly #scheduleFrame: (callback: () => void) => void;
  readonly #onBatch: (values: readonly Value[]) => void;
  #values: Value[] = [];
  #isScheduled = false;

  constructor(scheduleFrame: (callback: () => void) => void, onBatch: (values: readonly Value[]) => void) {
    this.#scheduleFrame = scheduleFrame;
    this.#onBatch = onBatch;
  }

  push(value: Value): void {
    this.#values.push(value);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#scheduleFrame(() => {
      this.#isScheduled = false;
      this.flush();
    });
  }

  /** Hands over at once what there is; nothing if there is nothing. */
  flush(): void {
    if (this.#values.length === 0) return;
    const values = this.#values;
    this.#values = [];
    this.#onBatch(values);
  }
}
