import { AlignError } from '../align/errors.ts';
import { toEngineError } from './engine-error.ts';

/** A lost device has been seen to say so within 10 ms of ORT's error. */
const LOSS_DELAY_MS = 200;

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

  /**
   * @param work  is not begun on a device that is lost: ORT would never end it
   * @throws AlignError `device-lost`, `out-of-memory` or `engine-failed` as soon as the device says so; what `work` throws
   */
  async guard<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#throwFailure();
    try {
      return await Promise.race([work(), this.#failed]);
    } catch (error) {
      // ORT notices some buffer first, the device's own word comes after.
      await Promise.race([this.#failed, delay(LOSS_DELAY_MS)]);
      throw error;
    } finally {
      // Before ORT's words, and before a result, which is noise then.
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
    const words = error instanceof GPUOutOfMemoryError ? `out of memory: ${error.message}` : error.message;
    this.#fail(toEngineError(new Error(words), 'webgpu', 'computing'));
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

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
