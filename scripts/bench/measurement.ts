/** One generation as its runner saw it. Crosses from the browser as JSON. */
export interface Measurement {
  tokenIds: number[];
  /** From the call to the first token. */
  firstTokenMs: number;
  totalMs: number;
}

/** What is measured: an engine of ours or of transformers.js, on one device. */
export interface Runner {
  /** @param isAgain  what the last generation left may be used; otherwise each begins anew */
  generate(promptIds: readonly number[], newTokens: number, isAgain?: boolean): Promise<Measurement>;
  dispose(): Promise<void>;
}

export interface Speed {
  prefillTokensPerSecond: number;
  decodeTokensPerSecond: number;
}

export function speedOf({ tokenIds, firstTokenMs, totalMs }: Measurement, promptTokens: number): Speed {
  return {
    prefillTokensPerSecond: (promptTokens * 1000) / firstTokenMs,
    decodeTokensPerSecond: ((tokenIds.length - 1) * 1000) / (totalMs - firstTokenMs),
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}
