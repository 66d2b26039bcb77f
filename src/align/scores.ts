import { isAbsent, list, number, oneOf, record, refuse, text } from './parse-fields.ts';

/** A number for one text. Plain data. */
export interface Score {
  /** Undefined where there is none: `problem` says why, or no reply had a number. */
  value: number | undefined;
  /** The lowest and the highest of a judge's replies; undefined where it was asked once, and for a classifier. */
  spread: { low: number; high: number } | undefined;
  /** Replies that the value is the mean of; 1 for a classifier. */
  replies: number;
  /** Replies without a number in range, and calls that failed. */
  invalid: number;
  /** Tokens that the classifier read of a text that it could not read to its end. */
  cutAtTokens: number | undefined;
  problem: string | undefined;
}

/** A judge's choice between a text and the original, asked in both orders: `tie` where the orders disagree. */
export interface SideBySide {
  /** Undefined where a reply had no verdict or a call failed. */
  outcome: 'win' | 'tie' | 'loss' | undefined;
  isConsistent: boolean;
}

/** How a classifier's logit is read; the probability is among its labels, or a lone logit's sigmoid. */
export const READINGS = ['value', 'probability'] as const;
export type Reading = (typeof READINGS)[number];
/** What a classifier reads: context and text as a pair, or the text alone. */
export const SCORER_INPUTS = ['pair', 'response'] as const;
export type ScorerInput = (typeof SCORER_INPUTS)[number];
const SCORER_DEVICES = ['wasm', 'webgpu'] as const;
const CLASSIFIER_VARIANTS = ['fp32', 'q8'] as const;

/** What scored, where it ran, and what its number is. */
export type ScorerUsed =
  | {
      type: 'classifier';
      name: string;
      /** A hub id with its commit, a folder's name. */
      source: string;
      variant: (typeof CLASSIFIER_VARIANTS)[number];
      device: (typeof SCORER_DEVICES)[number];
      input: ScorerInput;
      label: string;
      reading: Reading;
      isLowerBetter: boolean;
    }
  /** Rates from 0 to 10, and compares. */
  | {
      type: 'judge';
      name: string;
      /** Whom the texts were sent to; undefined: a model in this page. */
      host: string | undefined;
      /** Ratings asked for of each text: one at temperature 0, several at temperature 1. */
      repeats: number;
    };

/** One objective before and after, by one scorer. */
export interface ObjectiveScore {
  objective: { key: string; label: string };
  scorer: ScorerUsed;
  original: Score;
  edit: Score;
  /** Undefined where the reviewed text was not scored. */
  reviewed: Score | undefined;
  /** Against the original; undefined for a classifier. */
  comparison: { edit: SideBySide; reviewed: SideBySide | undefined } | undefined;
}

/** The scores of an edit, kept with it. */
export interface ScoreReport {
  /** Milliseconds since 1970. */
  scoredAt: number;
  /** What a person's decisions had left where that was scored too: the scores are of this text. */
  reviewedText: string | undefined;
  scores: readonly ObjectiveScore[];
}

/** One objective by one scorer, the same for every text. */
export function lineKey({ objective, scorer }: Pick<ObjectiveScore, 'objective' | 'scorer'>): string {
  return JSON.stringify([objective.key, scorer]);
}

/** A judge's scale. */
export const RATING_RANGE = { low: 0, high: 10 } as const;

/** @returns the ends that the number cannot leave; undefined for one that may be anything */
export function rangeOf(scorer: ScorerUsed): { low: number; high: number } | undefined {
  switch (scorer.type) {
    case 'judge':
      return RATING_RANGE;
    case 'classifier':
      return scorer.reading === 'probability' ? { low: 0, high: 1 } : undefined;
    default:
      return scorer satisfies never;
  }
}

/** @returns how much better the later text is, in the scorer's unit; undefined where one has no number */
export function gainOf(scorer: ScorerUsed, before: Score, after: Score): number | undefined {
  if (before.value === undefined || after.value === undefined) return undefined;
  const difference = after.value - before.value;
  return scorer.type === 'classifier' && scorer.isLowerBetter ? -difference : difference;
}

/** Whether a judge's replies about the two texts overlap: then their difference is no more than its own spread. */
export function isWithinSpread(before: Score, after: Score): boolean {
  if (before.spread === undefined || after.spread === undefined) return false;
  return before.spread.low <= after.spread.high && after.spread.low <= before.spread.high;
}

const MAX_SCORES = 500;

/**
 * Scores that were stored or came in a file. Nothing in them is trusted.
 *
 * @returns undefined where there are none
 * @throws AlignError `invalid-request` that names the field
 */
export function parseScoreReport(value: unknown): ScoreReport | undefined {
  if (isAbsent(value)) return undefined;
  const { scoredAt, reviewedText, scores } = record(value, 'scores');
  return {
    scoredAt: number(scoredAt, 'scores.scoredAt'),
    reviewedText: isAbsent(reviewedText) ? undefined : text(reviewedText, 'scores.reviewedText'),
    scores: list(scores, 'scores.scores', MAX_SCORES).map(parseObjectiveScore),
  };
}

function parseObjectiveScore(value: unknown): ObjectiveScore {
  const { objective, scorer, original, edit, reviewed, comparison } = record(value, 'A score');
  const { key, label } = record(objective, 'score.objective');
  return {
    objective: { key: text(key, 'objective.key'), label: text(label, 'objective.label') },
    scorer: parseScorer(scorer),
    original: parseScore(original),
    edit: parseScore(edit),
    reviewed: isAbsent(reviewed) ? undefined : parseScore(reviewed),
    comparison: isAbsent(comparison) ? undefined : parseComparison(comparison),
  };
}

function parseScorer(value: unknown): ScorerUsed {
  const fields = record(value, 'score.scorer');
  const name = text(fields.name, 'scorer.name');
  if (fields.type === 'judge') {
    const host = isAbsent(fields.host) ? undefined : text(fields.host, 'scorer.host');
    return { type: 'judge', name, host, repeats: number(fields.repeats, 'scorer.repeats') };
  }
  if (fields.type !== 'classifier') refuse('scorer.type is neither classifier nor judge.');
  return {
    type: 'classifier',
    name,
    source: text(fields.source, 'scorer.source'),
    variant: oneOf(fields.variant, CLASSIFIER_VARIANTS, 'scorer.variant'),
    device: oneOf(fields.device, SCORER_DEVICES, 'scorer.device'),
    input: oneOf(fields.input, SCORER_INPUTS, 'scorer.input'),
    label: text(fields.label, 'scorer.label'),
    reading: oneOf(fields.reading, READINGS, 'scorer.reading'),
    isLowerBetter: fields.isLowerBetter === true,
  };
}

function parseScore(value: unknown): Score {
  const { value: number_, spread, replies, invalid, cutAtTokens, problem } = record(value, 'A score');
  const parseSpread = () => {
    const { low, high } = record(spread, 'score.spread');
    return { low: number(low, 'spread.low'), high: number(high, 'spread.high') };
  };
  return {
    value: isAbsent(number_) ? undefined : number(number_, 'score.value'),
    spread: isAbsent(spread) ? undefined : parseSpread(),
    replies: number(replies, 'score.replies'),
    invalid: number(invalid, 'score.invalid'),
    cutAtTokens: isAbsent(cutAtTokens) ? undefined : number(cutAtTokens, 'score.cutAtTokens'),
    problem: isAbsent(problem) ? undefined : text(problem, 'score.problem'),
  };
}

function parseComparison(value: unknown): ObjectiveScore['comparison'] {
  const side = (one: unknown): SideBySide => {
    const { outcome, isConsistent } = record(one, 'score.comparison');
    return {
      outcome: isAbsent(outcome) ? undefined : oneOf(outcome, ['win', 'tie', 'loss'] as const, 'comparison.outcome'),
      isConsistent: isConsistent === true,
    };
  };
  const { edit, reviewed } = record(value, 'score.comparison');
  return { edit: side(edit), reviewed: isAbsent(reviewed) ? undefined : side(reviewed) };
}
