/** A correlation with its 95 % confidence interval. */
export interface Correlation {
  /** -1 to 1; NaN where one of the lists is constant, or there are fewer than {@link MIN_PAIRS}: no interval then. */
  value: number;
  low: number;
  high: number;
}

/** Fewer have no interval. */
const MIN_PAIRS = 5;
/** The standard normal distribution's 0.975 quantile. */
const Z_95 = 1.959963984540054;

/** @see scipy.stats.pearsonr; the interval is Fisher's */
export function pearson(xs: readonly number[], ys: readonly number[]): Correlation {
  const value = linearCorrelation(xs, ys);
  return withInterval(value, 1 / Math.sqrt(xs.length - 3));
}

/** @see scipy.stats.spearmanr; the interval is that of Bonett and Wright 2000, doi:10.1007/BF02294183 */
export function spearman(xs: readonly number[], ys: readonly number[]): Correlation {
  const value = linearCorrelation(ranks(xs), ranks(ys));
  return withInterval(value, Math.sqrt((1 + value ** 2 / 2) / (xs.length - 3)));
}

/** Tau-b. @see scipy.stats.kendalltau; the interval is that of Fieller, Hartley and Pearson 1957 */
export function kendall(xs: readonly number[], ys: readonly number[]): Correlation {
  if (!haveEnough(xs, ys)) return withInterval(NaN, NaN);
  let [concordant, discordant, tiedX, tiedY] = [0, 0, 0, 0];
  for (let i = 0; i < xs.length; i++) {
    for (let j = i + 1; j < xs.length; j++) {
      const x = Math.sign(xs[i]! - xs[j]!);
      const y = Math.sign(ys[i]! - ys[j]!);
      if (x === 0) tiedX += 1;
      if (y === 0) tiedY += 1;
      if (x * y > 0) concordant += 1;
      else if (x * y < 0) discordant += 1;
    }
  }
  const pairs = (xs.length * (xs.length - 1)) / 2;
  const value = (concordant - discordant) / (Math.sqrt(pairs - tiedX) * Math.sqrt(pairs - tiedY));
  return withInterval(value, Math.sqrt(0.437 / (xs.length - 4)));
}

function linearCorrelation(xs: readonly number[], ys: readonly number[]): number {
  if (!haveEnough(xs, ys)) return NaN;
  const meanX = mean(xs);
  const meanY = mean(ys);
  let [products, squaresX, squaresY] = [0, 0, 0];
  for (const [i, x] of xs.entries()) {
    const dx = x - meanX;
    const dy = ys[i]! - meanY;
    products += dx * dy;
    squaresX += dx * dx;
    squaresY += dy * dy;
  }
  return products / Math.sqrt(squaresX * squaresY);
}

/** 1 for the least; equal values share the mean of their ranks. */
function ranks(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((one, other) => values[one]! - values[other]!);
  const result = new Array<number>(values.length);
  for (let start = 0; start < order.length;) {
    let end = start + 1;
    while (end < order.length && values[order[end]!] === values[order[start]!]) end += 1;
    for (let i = start; i < end; i++) result[order[i]!] = (start + 1 + end) / 2;
    start = end;
  }
  return result;
}

/** Symmetric on Fisher's scale. */
function withInterval(value: number, standardError: number): Correlation {
  const z = Math.atanh(value);
  return { value, low: Math.tanh(z - Z_95 * standardError), high: Math.tanh(z + Z_95 * standardError) };
}

/** @returns whether they have a correlation with an interval @throws RangeError for lists of unequal length */
function haveEnough(xs: readonly number[], ys: readonly number[]): boolean {
  if (xs.length !== ys.length) throw new RangeError(`${xs.length} and ${ys.length} values are no pairs.`);
  return xs.length >= MIN_PAIRS;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
