/** Times as long as drawing took, the page rests after it: the engine's threads need the processor too. */
const REST = 3;
/** Text that stands still for longer looks stuck. */
const MAX_REST_MS = 200;

/** What the browser gives; a test gives its own. */
export interface FrameClock {
  /** Milliseconds of a monotonic clock. */
  now: () => number;
  requestFrame: (callback: () => void) => void;
  setTimer: (callback: () => void, ms: number) => void;
  isHidden: () => boolean;
}

const BROWSER: FrameClock = {
  now: () => performance.now(),
  requestFrame: (callback) => void requestAnimationFrame(callback),
  setTimer: (callback, ms) => void setTimeout(callback, ms),
  isHidden: () => document.hidden,
};

/**
 * Frames at the display's pace where drawing is quick, and fewer where it is not: a long text that is drawn anew 60 times a
 * second would take a core from the model that writes it.
 */
export class PacedFrames {
  readonly #clock: FrameClock;
  #restsUntilMs = 0;

  constructor(clock: FrameClock = BROWSER) {
    this.#clock = clock;
  }

  /** Runs the callback before a frame is drawn; once a second in a hidden tab, which has a title and a batch that go on. */
  schedule(callback: () => void): void {
    const { now, requestFrame, setTimer, isHidden } = this.#clock;
    if (isHidden()) return setTimer(callback, 1000);
    const draw = () => {
      const startMs = now();
      callback();
      // React draws in a microtask of its own, which was queued before this one.
      queueMicrotask(() => (this.#restsUntilMs = now() + Math.min(REST * (now() - startMs), MAX_REST_MS)));
    };
    const restMs = this.#restsUntilMs - now();
    // Asked again then: the tab may be hidden by that time.
    if (restMs > 0) setTimer(() => this.schedule(callback), restMs);
    else requestFrame(draw);
  }
}
