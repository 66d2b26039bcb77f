import type { Objective } from '../../src/align/objectives.ts';
import type { TemplateId } from '../../src/align/prompt.ts';
import type { Place } from '../../src/evaluation/judge-prompt.ts';
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
  policy: string;
  objective: Objective;
  comparison: Comparison;
  rows: ContestRow[];
}

/** A row with a blank text has no calls: there is nothing to judge, or nothing to judge it against. */
export interface ContestRow {
  calls: readonly { call: JudgeCall; place: Place }[];
  query: string;
  judged: string;
  other: string;
}

/** What a report depends on beside the outputs. */
export interface WinRateSettings {
  /** Address. */
  judge: string;
  models: readonly string[];
  family: TemplateId;
  paper: PaperMode | null;
  seed: number;
}

interface ContestNames {
  judge: string;
  policy: string;
  objective: string;
}

export interface RateRow extends WinRate, ContestNames {
  comparison: Comparison;
  /** Rows that were not judged since a text is blank. */
  leftOut: number;
}

export interface AdvantageRow extends Advantage, ContestNames {}

export interface WinRateReport {
  settings: WinRateSettings;
  rates: readonly RateRow[];
  advantages: readonly AdvantageRow[];
  agreement: readonly { judges: readonly string[]; rows: number; kappa: number | null }[];
}

/** @returns the rate with ties as the mode counts them */
export function headlineOf(rate: RateRow, paper: PaperMode | null): Estimate | null {
  if (paper === null) return rate.winRate;
  return paper === 'script' ? rate.tiesAsWins : rate.tiesAsLosses;
}

export function titleOf({ judge, policy, objective, comparison }: ContestNames & { comparison: Comparison }): string {
  return `${policy}, ${objective}: ${comparison.replace('-', ' against ')} (${judge})`;
}

/** `52.0 [45.1, 58.9]` */
export function percentOf(estimate: Estimate | null): string {
  if (estimate === null) return '–';
  const [value, low, high] = [estimate.value, estimate.low, estimate.high].map((one) => (100 * one).toFixed(1));
  return `${value} [${low}, ${high}]`;
}
