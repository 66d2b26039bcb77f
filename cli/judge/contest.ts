import type { Objective } from '../../src/align/objectives.ts';
import type { TemplateId } from '../../src/align/prompt.ts';
import type { Outcome, Place } from '../../src/evaluation/judge-prompt.ts';
import type { PublishedRates } from '../../src/evaluation/paper-results.ts';
import type { Advantage, WinRate } from '../../src/evaluation/win-rate.ts';
import type { Estimate } from '../../src/evaluation/win-statistics.ts';
import type { JudgeCall } from './ask-judge.ts';

/** Judged answer, then the other one, as columns of a batch's output. The first two are the paper's. */
export const COMPARISONS = {
  'aligned-goldens': ['aligned_responses', 'goldens'],
  'original-goldens': ['origin_responses', 'goldens'],
  'aligned-original': ['aligned_responses', 'origin_responses'],
} as const;
export type Comparison = keyof typeof COMPARISONS;

export const PAPER_MODES = ['script', 'text'] as const;
export type PaperMode = (typeof PAPER_MODES)[number];

/** One list of rows under one judge, objective and comparison. */
export interface Contest {
  judge: string;
  aligner: string;
  policy: string;
  objective: Objective;
  comparison: Comparison;
  rows: ContestRow[];
}

/** A row with a blank text has no calls: there is nothing to judge, or nothing to judge it against. */
export interface ContestRow {
  calls: readonly PlannedCall[];
  query: string;
  judged: string;
  other: string;
}

export interface PlannedCall {
  call: JudgeCall;
  place: Place;
  /** From 0; each is a call of its own. */
  repeat: number;
}

/** A call with what came of it. */
export interface AskedCall extends Omit<PlannedCall, 'call'> {
  /** Undefined where the call failed. */
  reply: string | undefined;
  /** Undefined also where the reply has no verdict. */
  outcome: Outcome | undefined;
}

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

export interface ContestNames {
  judge: string;
  aligner: string;
  policy: string;
  objective: string;
}

export interface RateRow extends WinRate, ContestNames {
  comparison: Comparison;
  /** Rows that were not judged since a text is blank. */
  leftOut: number;
}

export interface AdvantageRow extends Advantage, ContestNames {
  /** The paper's, for its three aligners, in percentage points; null where it has none. */
  published: Readonly<Record<string, number>> | null;
}

/** How far two judges, or two repeats of one, agree. */
export interface AgreementRow {
  judges: readonly [string, string];
  rows: number;
  /** Cohen's. */
  kappa: number | null;
}

export interface WinRateReport {
  settings: WinRateSettings;
  rates: readonly RateRow[];
  advantages: readonly AdvantageRow[];
  agreement: readonly AgreementRow[];
  /** The paper's win rates of other methods, in percent. */
  published: readonly PublishedRates[];
}

/** @returns the rate with ties as the mode counts them */
export function headlineOf(rate: RateRow, paper: PaperMode | null): Estimate | null {
  if (paper === null) return rate.winRate;
  return paper === 'script' ? rate.tiesAsWins : rate.tiesAsLosses;
}

export function namesOf({ judge, aligner, policy, objective }: ContestNames): string {
  return `${aligner} on ${policy}, ${objective}, ${judge}`;
}

export function titleOf(names: ContestNames & { comparison: Comparison }): string {
  const { judge, aligner, policy, objective, comparison } = names;
  return `${aligner} on ${policy}, ${objective}: ${comparison.replace('-', ' against ')} (${judge})`;
}

export function agreementText({ judges, rows, kappa }: AgreementRow): string {
  return `${judges.join(' and ')} agree with Cohen’s kappa ${kappa?.toFixed(2) ?? '–'} on ${rows} rows.`;
}

/** `52.0 [45.1, 58.9]` */
export function percentOf(estimate: Estimate | null): string {
  if (estimate === null) return '–';
  const [value, low, high] = [estimate.value, estimate.low, estimate.high].map((one) => (100 * one).toFixed(1));
  return `${value} [${low}, ${high}]`;
}
