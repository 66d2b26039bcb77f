import { SeededRandom } from '../align/random.ts';
import type { Outcome, Place } from './judge-prompt.ts';
import { lengthControlledRate } from './length-control.ts';
import {
  bootstrapMean,
  cohenKappa,
  DIFFERENCE_RANGE,
  type Estimate,
  SCORE_RANGE,
  signTest,
  wilson,
} from './win-statistics.ts';

/** What a tie is worth: the paper's text counts it as a loss, its script as a win. */
export type TieValue = 0 | 0.5 | 1;

/** What the judge said of one row, in one order or in both; undefined for a call that failed or a reply without a verdict. */
export interface JudgedRow {
  verdicts: readonly { place: Place; outcome: Outcome | undefined }[];
  /** Characters. */
  judgedLength: number;
  otherLength: number;
}

export interface WinRate {
  /** With a verdict in every order. */
  rows: number;
  invalid: number;
  wins: number;
  ties: number;
  losses: number;
  /** With ties at a half. */
  winRate: Estimate | null;
  /** As the published script reports it. */
  tiesAsWins: Estimate | null;
  /** As the paper's text reports it. */
  tiesAsLosses: Estimate | null;
  /** Two-sided, of wins against losses. */
  signTest: number | null;
  /** Share of the rows with the same verdict in both orders; null where there was one order. */
  positionConsistency: number | null;
  /**
   * With ties at a half, of those rows alone: a preference for a place decided none of them. It is what a fair judge would say if
   * that preference is no matter of which answer is better. Null where there was one order, or no such row.
   */
  whereConsistent: Estimate | null;
  /** Of the verdicts that chose an answer, the share that chose the first: ½ for a judge without a preference for a place. */
  firstPlaceShare: number | null;
  /** Mean length of the judged answers over that of the others. */
  lengthRatio: number | null;
  /** The win rate at equal lengths; null where the data do not determine it. */
  lengthControlled: number | null;
}

/**
 * What most verdicts on one question say, where it was asked repeatedly; those without a verdict have no vote.
 *
 * @returns a tie where no outcome leads; undefined without a verdict
 */
export function majorityOf(outcomes: readonly (Outcome | undefined)[]): Outcome | undefined {
  const votes = (['win', 'tie', 'loss'] as const)
    .map((outcome) => ({ outcome, count: outcomes.filter((one) => one === outcome).length }))
    .sort((one, other) => other.count - one.count);
  const [first, second] = votes;
  if (first!.count === 0) return undefined;
  return first!.count === second!.count ? 'tie' : first!.outcome;
}

/** @returns the row's outcome: a tie where the orders disagree; undefined where one has no verdict */
export function outcomeOf({ verdicts }: JudgedRow): Outcome | undefined {
  const outcomes = verdicts.map(({ outcome }) => outcome);
  if (outcomes.includes(undefined)) return undefined;
  return outcomes.every((outcome) => outcome === outcomes[0]) ? outcomes[0] : 'tie';
}

export function scoreOf(outcome: Outcome, tie: TieValue): number {
  return outcome === 'win' ? 1 : outcome === 'loss' ? 0 : tie;
}

/** @param seed  of the bootstrap */
export function winRateOf(judged: readonly JudgedRow[], seed: number): WinRate {
  const valid = judged.flatMap((row) => {
    const outcome = outcomeOf(row);
    return outcome === undefined ? [] : [{ ...row, outcome }];
  });
  const count = (wanted: Outcome) => valid.filter(({ outcome }) => outcome === wanted).length;
  const [wins, ties, losses] = [count('win'), count('tie'), count('loss')];
  const rows = valid.length;
  const counts = { rows, invalid: judged.length - rows, wins, ties, losses };
  if (rows === 0) {
    return {
      ...counts,
      winRate: null,
      tiesAsWins: null,
      tiesAsLosses: null,
      signTest: null,
      positionConsistency: null,
      whereConsistent: null,
      firstPlaceShare: null,
      lengthRatio: null,
      lengthControlled: null,
    };
  }
  const scores = valid.map(({ outcome }) => scoreOf(outcome, 0.5));
  const decided = valid.flatMap(({ verdicts }) => verdicts.filter(({ outcome }) => outcome !== 'tie'));
  const choseFirst = decided.filter(({ place, outcome }) => (place === 1) === (outcome === 'win')).length;
  const twice = valid.filter(({ verdicts }) => verdicts.length > 1);
  const consistent = twice.filter(({ verdicts }) => verdicts[0]?.outcome === verdicts[1]?.outcome);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const otherLength = sum(valid.map((row) => row.otherLength));
  const controlled = valid.map((row, i) => ({
    score: scores[i]!,
    lengthDifference: row.judgedLength - row.otherLength,
  }));
  return {
    ...counts,
    winRate: rateOf(valid, seed),
    tiesAsWins: wilson(wins + ties, rows),
    tiesAsLosses: wilson(wins, rows),
    signTest: signTest(wins, losses),
    positionConsistency: twice.length === 0 ? null : consistent.length / twice.length,
    whereConsistent: rateOf(consistent, seed),
    firstPlaceShare: decided.length === 0 ? null : choseFirst / decided.length,
    lengthRatio: otherLength === 0 ? null : sum(valid.map((row) => row.judgedLength)) / otherLength,
    lengthControlled: lengthControlledRate(controlled) ?? null,
  };
}

/** With ties at a half. @returns null without a row */
function rateOf(rows: readonly { outcome: Outcome }[], seed: number): Estimate | null {
  if (rows.length === 0) return null;
  const scores = rows.map(({ outcome }) => scoreOf(outcome, 0.5));
  return bootstrapMean(scores, new SeededRandom(seed), { range: SCORE_RANGE });
}

/** Rows whose answers differ about as much in length. */
export interface LengthGroup {
  /** From 1: the judged answer is shortest beside the other one. */
  group: number;
  rows: number;
  /** Mean length of the judged answers less that of the others, in characters. */
  meanDifference: number;
  winRate: Estimate;
}

const LENGTH_GROUPS = 5;

/** The win rate in fifths of the rows, by how much longer the judged answer is; fewer parts than five of fewer rows. */
export function lengthGroupsOf(judged: readonly JudgedRow[], tie: TieValue, seed: number): LengthGroup[] {
  const rows = judged
    .flatMap((row) => {
      const outcome = outcomeOf(row);
      return outcome === undefined
        ? []
        : [{ score: scoreOf(outcome, tie), difference: row.judgedLength - row.otherLength }];
    })
    .sort((one, other) => one.difference - other.difference);
  const count = Math.min(LENGTH_GROUPS, rows.length);
  return Array.from({ length: count }, (_, i) => {
    const part = rows.slice(Math.floor((i * rows.length) / count), Math.floor(((i + 1) * rows.length) / count));
    return {
      group: i + 1,
      rows: part.length,
      meanDifference: part.reduce((sum, { difference }) => sum + difference, 0) / part.length,
      winRate: bootstrapMean(
        part.map(({ score }) => score),
        new SeededRandom(seed),
        { range: SCORE_RANGE },
      ),
    };
  });
}

export interface Advantage {
  /** Judged in both comparisons. */
  rows: number;
  /** Win rate of the first less that of the second, with the paired bootstrap's interval. */
  difference: Estimate | null;
  /** McNemar's exact two-sided probability, of rows that only one of them won; ties are wins where they are worth 1. */
  mcnemar: number | null;
  /** Two-sided, of rows where the first did better against those where it did worse: from a loss to a tie counts too. */
  signTest: number | null;
}

/** The paper's measure: how much more often aligned answers win against the reference than the original ones. */
export function advantageOf(
  aligned: readonly JudgedRow[],
  original: readonly JudgedRow[],
  tie: TieValue,
  seed: number,
): Advantage {
  const pairs = aligned.flatMap((row, i) => {
    const ours = outcomeOf(row);
    const theirs = outcomeOf(original[i]!);
    return ours === undefined || theirs === undefined ? [] : [{ ours, theirs }];
  });
  if (pairs.length === 0) return { rows: 0, difference: null, mcnemar: null, signTest: null };
  const differences = pairs.map(({ ours, theirs }) => scoreOf(ours, tie) - scoreOf(theirs, tie));
  const won = (outcome: Outcome) => scoreOf(outcome, tie) === 1;
  const gained = pairs.filter(({ ours, theirs }) => won(ours) && !won(theirs)).length;
  const lost = pairs.filter(({ ours, theirs }) => !won(ours) && won(theirs)).length;
  return {
    rows: pairs.length,
    difference: bootstrapMean(differences, new SeededRandom(seed), { range: DIFFERENCE_RANGE }),
    mcnemar: signTest(gained, lost),
    signTest: signTest(differences.filter((one) => one > 0).length, differences.filter((one) => one < 0).length),
  };
}

/** Cohen's kappa of two judges over the rows of which both have a verdict; null where it is not defined. */
export function agreementOf(
  ones: readonly JudgedRow[],
  others: readonly JudgedRow[],
): { rows: number; kappa: number | null } {
  const pairs = ones.flatMap((row, i) => {
    const [one, other] = [outcomeOf(row), outcomeOf(others[i]!)];
    return one === undefined || other === undefined ? [] : [{ one, other }];
  });
  if (pairs.length === 0) return { rows: 0, kappa: null };
  const kappa = cohenKappa(
    pairs.map(({ one }) => one),
    pairs.map(({ other }) => other),
  );
  return { rows: pairs.length, kappa: Number.isNaN(kappa) ? null : kappa };
}
