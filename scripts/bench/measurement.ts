/** What a runner writes, and how. Crosses to the browser as JSON. */
export interface Generation {
  promptIds: readonly number[];
  /** The same, for those that take no token ids. */
  promptText?: string;
  newTokens: number;
  /** Where the answer stands in the prompt, as `GenerateOptions.answerRange`. */
  answerRange?: readonly [start: number, end: number];
  /** A replay: these tokens are written whatever the model would; it computes their scores all the same. */
  forcedIds?: readonly number[];
  /** What the last generation left may be used; otherwise each begins anew. */
  isAgain?: boolean;
  /** Ours alone: without drafts. */
  isPlain?: boolean;
}

/** Above any that a model gives; finite, also in float32. */
export const FORCED_SCORE = 1e30;

/** One generation as its runner saw it. Crosses from the browser as JSON. */
export interface Measurement {
  tokenIds: number[];
  /** From the call to the first token. */
  firstTokenMs: number;
  totalMs: number;
  /** After the first token; undefined where the runner does not tell. */
  steps?: number;
}

/** What is measured: an engine of ours or another's, on one device. */
export interface Runner {
  generate(generation: Generation): Promise<Measurement>;
  dispose(): Promise<void>;
}

export function decodeSpeed({ tokenIds, firstTokenMs, totalMs }: Measurement): number {
  return ((tokenIds.length - 1) * 1000) / (totalMs - firstTokenMs);
}

export function prefillSpeed({ firstTokenMs }: Measurement, promptTokens: number): number {
  return (promptTokens * 1000) / firstTokenMs;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}
