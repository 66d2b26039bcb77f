import type { SeededRandom } from '../align/random.ts';

/** An estimate with its 95 % confidence interval. */
export interface Estimate {
  value: number;
  low: number;
  high: number;
}

/** The standard normal distribution's 0.975 quantile. */
const Z_95 = 1.959963984540054;

/**
 * A share of yes among all, with Wilson's interval.
 *
 * @throws RangeError unless 0 ≤ successes ≤ count and count ≥ 1
 * @see statsmodels.stats.proportion.proportion_confint(method='wilson')
 */
export function wilson(successes: number, count: number): Estimate {
  if (!(count >= 1 && successes >= 0 && successes <= count)) {
    throw new RangeError(`${successes} of ${count} is no share.`);
  }
  const value = successes / count;
  const z2 = Z_95 ** 2;
  const centre = (value + z2 / (2 * count)) / (1 + z2 / count);
  const half = (Z_95 / (1 + z2 / count)) * Math.sqrt((value * (1 - value)) / count + z2 / (4 * count ** 2));
  return { value, low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}

/** Between which values lie, whatever was seen of them. */
export interface ValueRange {
  min: number;
  max: number;
}

/** Of scores: a loss, a win. */
export const SCORE_RANGE: ValueRange = { min: 0, max: 1 };
/** Of the difference of two scores. */
export const DIFFERENCE_RANGE: ValueRange = { min: -1, max: 1 };

const RESAMPLES = 10_000;

/**
 * The mean of values with the bootstrap's percentile interval. Given each row's difference of two scores, this is the
 * paired bootstrap: a row is drawn with both of its scores.
 *
 * A bootstrap draws only what it has seen: 30 wins in 30 rows would be a rate of 100 % with an interval of no width. With a
 * range the interval is at least as wide as the rule of three demands: what is not among n rows is, at 95 %, rarer than
 * 1 - 0.05^(1/n), and may have any value of the range.
 *
 * @param range      of a value; undefined where it has no bounds
 * @throws RangeError without a value
 */
export function bootstrapMean(
  values: readonly number[],
  random: SeededRandom,
  { range, resamples = RESAMPLES }: { range?: ValueRange; resamples?: number } = {},
): Estimate {
  const count = values.length;
  if (count === 0) throw new RangeError('No values have no mean.');
  const means = new Float64Array(resamples);
  for (let resample = 0; resample < resamples; resample++) {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += values[Math.floor((random.nextUint32() / 2 ** 32) * count)]!;
    means[resample] = sum / count;
  }
  means.sort();
  const value = values.reduce((sum, one) => sum + one, 0) / count;
  const drawn = { value, low: quantile(means, 0.025), high: quantile(means, 0.975) };
  if (range === undefined) return drawn;
  // 1 - 0.05^(1/count). Powers were seen to differ in their last digit between Chromium and Node, these functions not.
  const unseen = -Math.expm1(Math.log(0.05) / count);
  return {
    value,
    low: Math.min(drawn.low, value - unseen * (value - range.min)),
    high: Math.max(drawn.high, value + unseen * (range.max - value)),
  };
}

/** Between the two nearest values, as numpy.quantile does. */
function quantile(sorted: Float64Array, fraction: number): number {
  const place = fraction * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (place - below) * (sorted[above]! - sorted[below]!);
}

/**
 * The exact two-sided probability of a split at least as uneven as this one, were both sides equally likely. With wins
 * and losses it is the sign test; with the two kinds of discordant rows it is McNemar's exact test.
 *
 * @returns 1 where there is nothing to compare
 * @see scipy.stats.binomtest, statsmodels.stats.contingency_tables.mcnemar(exact=True)
 */
export function signTest(wins: number, losses: number): number {
  const count = wins + losses;
  const fewer = Math.min(wins, losses);
  // In logarithms: 2^-count underflows from 1,075 rows on.
  let logTerm = -count * Math.LN2;
  let tail = 0;
  for (let i = 0; i <= fewer; i++) {
    tail += Math.exp(logTerm);
    logTerm += Math.log((count - i) / (i + 1));
  }
  return Math.min(1, 2 * tail);
}

/**
 * How far two judges agree beyond chance on the same rows.
 *
 * @throws RangeError for lists of unequal length or without a row
 * @returns NaN where both gave one and the same verdict throughout: there is no chance to measure against
 * @see sklearn.metrics.cohen_kappa_score
 */
export function cohenKappa<Verdict>(ones: readonly Verdict[], others: readonly Verdict[]): number {
  const count = ones.length;
  if (count === 0 || count !== others.length) {
    throw new RangeError(`${count} and ${others.length} verdicts are not two judges on the same rows.`);
  }
  let observed = 0;
  let expected = 0;
  for (const verdict of new Set([...ones, ...others])) {
    const share = (list: readonly Verdict[]) => list.filter((one) => one === verdict).length / count;
    expected += share(ones) * share(others);
    observed += ones.filter((one, i) => one === verdict && others[i] === verdict).length / count;
  }
  return (observed - expected) / (1 - expected);
}
