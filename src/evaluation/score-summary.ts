import { SeededRandom } from '../align/random.ts';
import { gainOf, lineKey, type ObjectiveScore, type ScorerUsed } from '../align/scores.ts';
import { bootstrapMean, type Estimate } from './win-statistics.ts';

/** One objective over many rows, by one scorer. */
export interface ScoreSummary {
  objective: ObjectiveScore['objective'];
  scorer: ScorerUsed;
  /** With a number for both texts. */
  rows: number;
  /** Scored, but without a number for one of them. */
  without: number;
  /** Means over `rows`; undefined where there are none. */
  original: number | undefined;
  edit: number | undefined;
  /** How much better the edits are, with the paired bootstrap's 95 % interval; undefined below two rows. */
  gain: Estimate | undefined;
  /** Side by side; undefined for a classifier. */
  comparison: { wins: number; ties: number; losses: number; invalid: number } | undefined;
}

/** Of the bootstrap: the same rows give the same interval. */
const SEED = 0;
/** Of one bootstrap, so that a hundred thousand rows do not hold a page up. */
const MAX_DRAWS = 4e7;
const RESAMPLES = { most: 10_000, least: 400 };

/** One line for each objective and scorer, in the order in which they first appear. */
export function summarizeScores(rows: Iterable<readonly ObjectiveScore[]>): ScoreSummary[] {
  const groups = new Map<string, ObjectiveScore[]>();
  for (const scores of rows) {
    for (const score of scores) {
      const key = lineKey(score);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [score]);
      else group.push(score);
    }
  }
  return [...groups.values()].map(summarize);
}

function resamplesFor(rows: number): number {
  return Math.max(RESAMPLES.least, Math.min(RESAMPLES.most, Math.floor(MAX_DRAWS / rows)));
}

function summarize(group: readonly ObjectiveScore[]): ScoreSummary {
  const { objective, scorer } = group[0]!;
  const pairs = group.flatMap(({ original, edit }) => {
    const gain = gainOf(scorer, original, edit);
    return gain === undefined ? [] : [{ original: original.value!, edit: edit.value!, gain }];
  });
  const mean = (name: 'original' | 'edit') =>
    pairs.length === 0 ? undefined : pairs.reduce((sum, pair) => sum + pair[name], 0) / pairs.length;
  const gains = pairs.map(({ gain }) => gain);
  const outcomes = group.flatMap(({ comparison }) => (comparison === undefined ? [] : [comparison.edit.outcome]));
  const count = (wanted: (typeof outcomes)[number]) => outcomes.filter((outcome) => outcome === wanted).length;
  return {
    objective,
    scorer,
    rows: pairs.length,
    without: group.length - pairs.length,
    original: mean('original'),
    edit: mean('edit'),
    gain:
      gains.length < 2
        ? undefined
        : bootstrapMean(gains, new SeededRandom(SEED), { resamples: resamplesFor(gains.length) }),
    comparison:
      outcomes.length === 0
        ? undefined
        : { wins: count('win'), ties: count('tie'), losses: count('loss'), invalid: count(undefined) },
  };
}
