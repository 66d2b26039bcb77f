/** A measure of generated texts against references. */
export interface TextMetric {
  /** @returns scores of all rows together, by name; null where there is none */
  score: (texts: readonly string[], references: readonly string[]) => Promise<Record<string, number | null>>;
  /** For each row the score that is compared with people's ratings; null where it has none. */
  scoreRows: (texts: readonly string[], references: readonly string[]) => Promise<(number | null)[]>;
  dispose: () => Promise<void>;
}

/** @returns null where there is no value */
export function meanOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}
