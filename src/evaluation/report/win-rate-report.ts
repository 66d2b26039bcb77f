import type { TemplateId } from '../../align/prompt.ts';
import { type ControlledRow, difficultyControlledRate } from '../length-control.ts';
import type { Outcome } from '../judge-prompt.ts';
import { publishedAdvantage, type PublishedRates, publishedRates } from '../paper-results.ts';
import {
  type Advantage,
  advantageOf,
  agreementOf,
  type JudgedRow,
  type LengthGroup,
  lengthGroupsOf,
  majorityOf,
  outcomeOf,
  scoreOf,
  type TieValue,
  type WinRate,
  winRateOf,
} from '../win-rate.ts';
import type { Estimate } from '../win-statistics.ts';
import { groupBy } from './group-by.ts';
import type { Comparison, ContestNames, ContestTexts, JudgedContest, JudgedContestRow, PaperMode } from './contest.ts';

/** What a report depends on beside the outputs. */
export interface WinRateSettings {
  /** Address, or that it ran on this machine. */
  judge: string;
  models: readonly string[];
  family: TemplateId;
  paper: PaperMode | null;
  repeats: number;
  seed: number;
  /** Of what computed the report, by name. */
  versions: Readonly<Record<string, string>>;
}

export interface RateRow extends WinRate, ContestNames {
  comparison: Comparison;
  /** Rows that were not judged since a text is blank. */
  leftOut: number;
  /** The win rate at equal lengths given how difficult each instruction was for the other models; null as that one. */
  difficultyControlled: number | null;
  /** How many others: those that were judged against the same kind of answer, by the same judge, under the same objective. */
  difficultyModels: number;
}

export interface AdvantageRow extends Advantage, ContestNames {
  /** The paper's, for its three aligners, in percentage points; null where it has none. */
  published: Readonly<Record<string, number>> | null;
}

/** How a contest's win rate goes with length: a part of its rows. */
export interface LengthRow extends LengthGroup, ContestNames {
  comparison: Comparison;
}

/** How far two judges, or two repeats of one, agree. */
export interface AgreementRow {
  judges: readonly [string, string];
  rows: number;
  /** Cohen's. */
  kappa: number | null;
}

/** A row that was won or lost, with its texts. */
export interface ExampleRow extends ContestNames, ContestTexts {
  comparison: Comparison;
  /** From 1. */
  row: number;
  outcome: 'win' | 'loss';
}

export interface WinRateReport {
  settings: WinRateSettings;
  rates: readonly RateRow[];
  advantages: readonly AdvantageRow[];
  lengths: readonly LengthRow[];
  agreement: readonly AgreementRow[];
  /** The paper's win rates of other methods, in percent. */
  published: readonly PublishedRates[];
  /** The first wins and losses of each contest. */
  examples: readonly ExampleRow[];
}

const EXAMPLES_OF_EACH = 3;

/** A contest with each row's verdicts. */
interface CountedContest extends JudgedContest {
  judgedRows: JudgedRow[];
}

/** @param contests  each row's calls in the order in which they were planned */
export function winRateReportOf(contests: readonly JudgedContest[], settings: WinRateSettings): WinRateReport {
  const counted = contests.map((contest) => ({ ...contest, judgedRows: contest.rows.map((row) => judgedRowOf(row)) }));
  return {
    settings,
    rates: ratesOf(counted, settings),
    advantages: advantagesOf(counted, settings),
    lengths: counted.flatMap((contest) =>
      lengthGroupsOf(judgedOnly(contest), tieValueOf(settings), settings.seed).map((group) => ({
        ...namesIn(contest),
        comparison: contest.comparison,
        ...group,
      })),
    ),
    agreement: agreementsOf(counted, settings),
    published: publishedRates(settings.family),
    examples: counted.flatMap(examplesOf),
  };
}

/** @returns the rate with ties as the mode counts them */
export function headlineOf(rate: RateRow, paper: PaperMode | null): Estimate | null {
  if (paper === null) return rate.winRate;
  return paper === 'script' ? rate.tiesAsWins : rate.tiesAsLosses;
}

export function namesIn({ judge, aligner, policy, objective }: ContestNames): ContestNames {
  return { judge, aligner, policy, objective };
}

/** For each place what most repeats said. Without calls there is no verdict to be had. */
function judgedRowOf({ asked, judgedLength, otherLength }: JudgedContestRow): JudgedRow {
  const places = asked.length === 0 ? ([1] as const) : [...new Set(asked.map(({ place }) => place))];
  const verdicts = places.map((place) => {
    const here = asked.filter((one) => one.place === place);
    return { place, outcome: majorityOf(here.map(({ outcome }) => outcome)) };
  });
  return { verdicts, judgedLength, otherLength };
}

/** Without the rows of which a text is blank. */
function judgedOnly({ rows, judgedRows }: CountedContest): JudgedRow[] {
  return judgedRows.filter((_, i) => rows[i]!.asked.length > 0);
}

function tieValueOf({ paper }: WinRateSettings): TieValue {
  return paper === 'script' ? 1 : paper === 'text' ? 0 : 0.5;
}

function ratesOf(counted: readonly CountedContest[], { seed }: WinRateSettings): RateRow[] {
  const models = counted.map(controlledRowsOf);
  const pools = groupBy(
    counted.map((_, i) => i),
    (i) => JSON.stringify(poolOf(counted[i]!)),
  );
  return counted.map((contest, i) => {
    const judged = judgedOnly(contest);
    // What the originals are worth does not depend on the aligner: each is one model.
    const others = new Map(
      pools.get(JSON.stringify(poolOf(contest)))!.map((j) => [modelOf(counted[j]!), models[j]!] as const),
    );
    others.delete(modelOf(contest));
    const controlled = difficultyControlledRate(models[i]!, [...others.values()]);
    return {
      ...namesIn(contest),
      comparison: contest.comparison,
      leftOut: contest.rows.length - judged.length,
      ...winRateOf(judged, seed),
      difficultyControlled: controlled ?? null,
      difficultyModels: others.size,
    };
  });
}

/** Contests of which the instructions are comparable: against references, or against originals. */
function poolOf({ judge, objective, comparison }: CountedContest): unknown {
  return { judge, objective, isAgainstReference: comparison !== 'aligned-original' };
}

function modelOf({ aligner, policy, comparison }: CountedContest): string {
  return JSON.stringify(comparison === 'original-goldens' ? [policy] : [policy, aligner]);
}

function controlledRowsOf({ rows, judgedRows }: CountedContest): ControlledRow[] {
  return rows.flatMap(({ asked, instruction, judgedLength, otherLength }, i) => {
    const outcome = outcomeOf(judgedRows[i]!);
    if (asked.length === 0 || outcome === undefined) return [];
    return [{ instruction, score: scoreOf(outcome, 0.5), lengthDifference: judgedLength - otherLength }];
  });
}

function advantagesOf(counted: readonly CountedContest[], settings: WinRateSettings): AdvantageRow[] {
  const { seed, family } = settings;
  return counted.flatMap((contest) => {
    if (contest.comparison !== 'aligned-goldens') return [];
    const names = namesIn(contest);
    const key = JSON.stringify(names);
    const original = counted.find(
      (one) => one.comparison === 'original-goldens' && JSON.stringify(namesIn(one)) === key,
    );
    if (original === undefined) return [];
    return [
      {
        ...names,
        ...advantageOf(contest.judgedRows, original.judgedRows, tieValueOf(settings), seed),
        published: publishedAdvantage(contest.policy, family, contest.objective) ?? null,
      },
    ];
  });
}

/** Of every two judges, and of every two repeats of each. */
function agreementsOf(counted: readonly CountedContest[], { models, repeats }: WinRateSettings): AgreementRow[] {
  // What the originals are worth does not depend on the aligner: asked once, it counts once.
  const seen = new Set<string>();
  const distinct = counted.filter((contest) => {
    const names = namesIn(contest);
    const key = JSON.stringify({ ...names, ...(contest.comparison === 'original-goldens' && { aligner: null }) });
    const name = `${contest.comparison} ${key}`;
    return !seen.has(name) && seen.add(name);
  });
  const by = (judge: string) => distinct.filter((contest) => contest.judge === judge);
  const rowsBy = (judge: string) => by(judge).flatMap(({ judgedRows }) => judgedRows);
  const repeatBy = (judge: string, repeat: number) =>
    by(judge).flatMap(({ rows }) =>
      rows.map((row) => judgedRowOf({ ...row, asked: row.asked.filter((call) => call.repeat === repeat) })),
    );
  const numbers = Array.from({ length: repeats }, (_, i) => i);
  return [
    ...pairsOf(models).map(([one, other]) => ({
      judges: [one, other] as const,
      ...agreementOf(rowsBy(one), rowsBy(other)),
    })),
    ...models.flatMap((judge) =>
      pairsOf(numbers).map(([one, other]) => ({
        judges: [`${judge}, call ${one + 1}`, `${judge}, call ${other + 1}`] as const,
        ...agreementOf(repeatBy(judge, one), repeatBy(judge, other)),
      })),
    ),
  ];
}

function pairsOf<Item>(items: readonly Item[]): [Item, Item][] {
  return items.flatMap((one, i) => items.slice(i + 1).map((other): [Item, Item] => [one, other]));
}

function examplesOf(contest: CountedContest): ExampleRow[] {
  const outcomes = contest.judgedRows.map(outcomeOf);
  const first = (outcome: Outcome & ExampleRow['outcome']) =>
    contest.rows
      .flatMap(({ texts }, i): ExampleRow[] => {
        if (outcomes[i] !== outcome || texts === undefined) return [];
        return [{ ...namesIn(contest), comparison: contest.comparison, row: i + 1, outcome, ...texts }];
      })
      .slice(0, EXAMPLES_OF_EACH);
  return [...first('win'), ...first('loss')];
}
