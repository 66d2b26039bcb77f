import { AlignError } from '../align/errors.ts';

/**
 * @param what  what would be kept, in the plural
 * @throws AlignError `storage-full` or `storage-unavailable` in the place of the browser's own errors
 */
export async function guardStorage<Result>(what: string, call: () => Promise<Result>): Promise<Result> {
  try {
    return await call();
  } catch (cause) {
    const isFull = cause instanceof DOMException && cause.name === 'QuotaExceededError';
    throw new AlignError(
      isFull ? 'storage-full' : 'storage-unavailable',
      isFull ? `The browser has no room for its ${what}.` : `The browser keeps no ${what} for this page.`,
      { cause },
    );
  }
}
