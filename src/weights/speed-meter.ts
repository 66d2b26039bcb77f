/** How far a transfer is. */
export interface TransferProgress {
  /** `checking` reads back what arrived; `converting` goes on with the checkpoint's bytes as they come. */
  phase: 'listing' | 'downloading' | 'converting' | 'checking' | 'finishing';
  file: string;
  /** Of all files together; bytes that an earlier attempt brought count as loaded. */
  loadedBytes: number;
  totalBytes: number;
  /** Over the last ten seconds; undefined before there is anything to tell. */
  bytesPerSecond: number | undefined;
  secondsLeft: number | undefined;
}

const WINDOW_MS = 10_000;

/** Speed over the last ten seconds, from the byte counts that it is told. */
export class SpeedMeter {
  readonly #now: () => number;
  /** Oldest first; the first one is at or just before the window's start. */
  readonly #samples: { atMs: number; bytes: number }[] = [];

  constructor(now: () => number) {
    this.#now = now;
  }

  /** @param bytes  loaded so far; the first call sets the start */
  add(bytes: number): void {
    const atMs = this.#now();
    this.#samples.push({ atMs, bytes });
    while ((this.#samples[1]?.atMs ?? Infinity) <= atMs - WINDOW_MS) this.#samples.shift();
  }

  bytesPerSecond(): number | undefined {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || this.#now() - first.atMs < 200) return undefined;
    return ((last.bytes - first.bytes) * 1000) / (this.#now() - first.atMs);
  }

  secondsLeft(totalBytes: number): number | undefined {
    const speed = this.bytesPerSecond();
    const loaded = this.#samples.at(-1)?.bytes;
    return speed === undefined || speed === 0 || loaded === undefined ? undefined : (totalBytes - loaded) / speed;
  }
}
