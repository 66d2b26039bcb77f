/**
 * A score to one decimal, as Python's `round(score, 1)` has it: by its exact binary value, a tie to the even digit.
 * 0.15 (which is a little less) to 0.1, 0.25 to 0.2, 0.75 to 0.8.
 */
export function roundScore(score: number): number {
  const quarters = Math.abs(score) * 4;
  if (!Number.isInteger(quarters) || quarters % 2 === 0) return Number(score.toFixed(1)) + 0;
  const lower = Math.floor(Math.abs(score) * 10);
  return (Math.sign(score) * (lower + (lower % 2))) / 10;
}

/** Of all scores of one objective, chosen and rejected together. */
export interface ScoreStatistics {
  mean: number;
  /** The population's. */
  std: number;
}

/** @param scores  at least one */
export function scoreStatistics(scores: Iterable<number>): ScoreStatistics {
  const values = Float64Array.from(scores);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, std: Math.sqrt(variance) };
}

/** How many deviations a score is above the mean; 0 where all scores are one. */
export function zScore(score: number, { mean, std }: ScoreStatistics): number {
  return std === 0 ? 0 : (score - mean) / std;
}

/** NaN for what is no number: an empty cell is not 0. */
export function toScore(cell: unknown): number {
  if (typeof cell === 'number') return Number.isFinite(cell) ? cell : NaN;
  const text = typeof cell === 'string' ? cell.trim() : '';
  const value = text === '' ? NaN : Number(text);
  return Number.isFinite(value) ? value : NaN;
}
