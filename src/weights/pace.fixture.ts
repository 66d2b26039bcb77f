import type { Pace } from './pace.ts';

/** Pauses pass at once and are recorded. */
export interface RecordedPace extends Pace {
  readonly pausesMs: number[];
  advance(durationMs: number): void;
}

export function recordedPace(random = 0.5): RecordedPace {
  let nowMs = 0;
  const pausesMs: number[] = [];
  return {
    pausesMs,
    now: () => nowMs,
    random: () => random,
    advance(durationMs) {
      nowMs += durationMs;
    },
    async sleep(durationMs, signal) {
      signal?.throwIfAborted();
      pausesMs.push(durationMs);
      nowMs += durationMs;
    },
  };
}
