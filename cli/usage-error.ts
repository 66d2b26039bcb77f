import { AlignError } from '../src/align/errors.ts';

/** The command was called wrongly: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** 0 went well, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C (128 + SIGINT, as shells have it). */
export const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** @returns the exit code of a command that ended with this */
export function exitCodeOf(error: unknown): number {
  if (isInterrupt(error)) return EXIT.interrupted;
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof AlignError && error.code === 'unknown-name') return EXIT.usage;
  return EXIT.failed;
}

/** Whether this is the reason of `interruptSignal`. */
export function isInterrupt(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

/** Runs a check of what the user wrote: what it refuses is wrong usage. */
export function asUsage<Result>(check: () => Result): Result {
  try {
    return check();
  } catch (error) {
    if (error instanceof AlignError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}
