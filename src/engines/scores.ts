/** What of a step's scores must be known to choose its tokens as if all were. A device that holds them gives no more. */
export type ScoresNeeded =
  /** Only which is the largest, the lowest token id among equals. */
  | { type: 'largest' }
  /** The largest ones, and all that equal the last of them. */
  | { type: 'top'; count: number }
  | { type: 'all' };

/** Scores of one position, at least what was needed. */
export type RowScores =
  | { type: 'largest'; tokenId: number }
  /** `logits[i]` of `tokenIds[i]`, which rise. The caller may change the logits. */
  | { type: 'top'; tokenIds: Int32Array; logits: Float32Array }
  /** float32 [vocabulary]. The caller may change them. */
  | { type: 'all'; logits: Float32Array };

/** @param logits  float32 [rows, vocabulary] */
export function allScores(logits: Float32Array, rows: number): RowScores[] {
  const vocabularySize = logits.length / Math.max(1, rows);
  return Array.from({ length: rows }, (_, row) => ({
    type: 'all',
    logits: logits.subarray(row * vocabularySize, (row + 1) * vocabularySize),
  }));
}

/**
 * How far the largest score is above the next, in logits. NaN where a score is none, so that nothing is above it.
 *
 * @param scores  not `largest` alone
 */
export function lead(scores: RowScores): number {
  if (scores.type === 'largest') throw new Error('The largest score alone leads by nobody knows what; this is a bug.');
  const { logits } = scores;
  let first = -Infinity;
  let second = -Infinity;
  // By index, as in `argmax`: an iterator takes several times as long.
  for (let i = 0; i < logits.length; i++) {
    const logit = logits[i]!;
    if (logit > first) {
      second = first;
      first = logit;
    } else if (logit > second) second = logit;
    else if (Number.isNaN(logit)) return NaN;
  }
  return first - second;
}
