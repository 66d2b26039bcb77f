import type { Reading } from '../align/scores.ts';

/**
 * The number that an output stands for.
 *
 * @param logits  float [labels], at least one
 * @param index   of the output
 */
export function readLogits(logits: readonly number[], index: number, reading: Reading): number {
  const value = logits[index]!;
  if (reading === 'value') return value;
  if (logits.length === 1) return 1 / (1 + Math.exp(-value));
  const highest = Math.max(...logits);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - highest), 0);
  return Math.exp(value - highest) / sum;
}
