import { AlignError, type AlignErrorData } from '../align/errors.ts';

/** An error as plain data for the page. Anything but an AlignError is a bug of ours: it goes to the console as well. */
export function toErrorData(error: unknown): AlignErrorData {
  if (error instanceof AlignError) return error.toJSON();
  console.error(error);
  const message = error instanceof Error ? error.message : String(error);
  return new AlignError('engine-failed', `Something failed that should not: ${message}`, { cause: error }).toJSON();
}

export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}
