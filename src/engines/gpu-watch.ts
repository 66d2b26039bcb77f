import { AlignError } from '../align/errors.ts';

/**
 * Listens to what a GPU device says by events only: that it is lost, and that an allocation failed. ORT logs these and
 * goes on, so a step would wait for ever or give noise.
 */
export class GpuWatch {
  readonly device: GPUDevice;
  #failure: AlignError | undefined;
  #isEnded = false;
  #reject: (error: AlignError) => void = () => {};
  readonly #failed = new Promise<never>((_resolve, reject) => (this.#reject = reject));

  constructor(device: GPUDevice) {
    this.device = device;
    // Heard by those that wait; nobody may be waiting.
    this.#failed.catch(() => {});
    void device.lost.then(({ reason, message }) => {
      this.#fail(
        new AlignError('device-lost', `The GPU device was lost: ${message === '' ? reason : message}`, {
          details: { device: 'webgpu', reason: message },
        }),
      );
    });
    device.addEventListener('uncapturederror', this.#onError);
  }

  /** @throws AlignError `device-lost`, `out-of-memory` or `engine-failed` as soon as the device says so */
  async guard<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await Promise.race([work, this.#failed]);
    } finally {
      // Before the result, which is noise then, and before ORT's own words.
      this.#throwFailure();
    }
  }

  /** Ends the device, and with it all of its memory. */
  end(): void {
    this.#isEnded = true;
    this.device.removeEventListener('uncapturederror', this.#onError);
    this.device.destroy();
  }

  readonly #onError = ({ error }: GPUUncapturedErrorEvent) => {
    const isMemory = error instanceof GPUOutOfMemoryError;
    this.#fail(
      new AlignError(
        isMemory ? 'out-of-memory' : 'engine-failed',
        `${isMemory ? 'The GPU’s memory ran out' : 'The GPU refused a command'}: ${error.message}`,
        { details: { device: 'webgpu', reason: error.message } },
      ),
    );
  };

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #fail(error: AlignError): void {
    if (this.#isEnded) return;
    this.#failure ??= error;
    this.#reject(this.#failure);
  }
}
