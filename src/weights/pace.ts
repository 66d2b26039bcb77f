/** Time and chance, passed in so that a test decides both. */
export interface Pace {
  /** Milliseconds from any fixed point. */
  now(): number;
  /** @throws the signal's reason when it aborts */
  sleep(durationMs: number, signal: AbortSignal | undefined): Promise<void>;
  /** From 0 up to, not including, 1. */
  random(): number;
}

export const realPace: Pace = {
  now: () => performance.now(),
  random: () => Math.random(),
  sleep(durationMs, signal) {
    return new Promise((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer);
        // Whatever the caller aborted with is what it expects back.
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', stop);
        resolve();
      }, durationMs);
      if (signal?.aborted === true) stop();
      else signal?.addEventListener('abort', stop, { once: true });
    });
  },
};

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 30_000;
/** A host that asks for a longer pause has said no for now: the visitor resumes when it suits. */
const MAX_RETRY_AFTER_MS = 5 * 60_000;

/**
 * Pause before a request is sent again: 0.5 s, 1 s, 2 s … 30 s, each between half and all of it, so that clients that
 * failed together do not come back together. Never shorter than the host asked for.
 *
 * @param failures      in a row, from 1
 * @param retryAfterMs  what the host asked for
 * @returns undefined if the host asked for more than five minutes: give up
 */
export function retryDelayMs(failures: number, retryAfterMs: number | undefined, random: number): number | undefined {
  if (retryAfterMs !== undefined && retryAfterMs > MAX_RETRY_AFTER_MS) return undefined;
  const full = Math.min(FIRST_DELAY_MS * 2 ** (failures - 1), MAX_DELAY_MS);
  return Math.max(full * (0.5 + random / 2), retryAfterMs ?? 0);
}

/**
 * @param header  `Retry-After`: seconds, or an HTTP date
 * @param wallMs  milliseconds since 1970, to which a date is compared
 * @returns undefined if there is none that can be read
 */
export function parseRetryAfterMs(header: string | null, wallMs: number): number | undefined {
  if (header === null) return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(date - wallMs, 0);
}
