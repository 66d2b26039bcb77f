/**
 * How far annotators agree beyond chance. 1 is full agreement, 0 is chance.
 *
 * @param ratings  one list for each subject: what each annotator chose; all of one length, at least two
 * @throws RangeError for lists of other lengths or no subject
 * @returns NaN where everyone chose the same throughout: there is no chance to measure against
 * @see Fleiss 1971, doi:10.1037/h0031619; statsmodels.stats.inter_rater.fleiss_kappa
 */
export function fleissKappa(ratings: readonly (readonly number[])[]): number {
  const raters = ratings[0]?.length ?? 0;
  const odd = ratings.find(({ length }) => length !== raters);
  if (raters < 2 || odd !== undefined) {
    throw new RangeError(`Every subject needs ${Math.max(raters, 2)} ratings; one has ${odd?.length ?? raters}.`);
  }
  const totals = new Map<number, number>();
  let agreement = 0;
  for (const subject of ratings) {
    const counts = new Map<number, number>();
    for (const rating of subject) {
      counts.set(rating, (counts.get(rating) ?? 0) + 1);
      totals.set(rating, (totals.get(rating) ?? 0) + 1);
    }
    const pairs = [...counts.values()].reduce((sum, count) => sum + count * (count - 1), 0);
    agreement += pairs / (raters * (raters - 1));
  }
  const observed = agreement / ratings.length;
  const shares = [...totals.values()].map((count) => count / (ratings.length * raters));
  const expected = shares.reduce((sum, share) => sum + share ** 2, 0);
  return (observed - expected) / (1 - expected);
}
