import type { Objective } from '../../src/align/objectives.ts';
import type { Place } from '../../src/evaluation/judge-prompt.ts';
import type { Comparison, ContestNames, ContestTexts } from '../../src/evaluation/report/contest.ts';
import type { AgreementRow } from '../../src/evaluation/report/win-rate-report.ts';
import type { Estimate } from '../../src/evaluation/win-statistics.ts';
import type { JudgeCall } from './ask-judge.ts';

/** One list of rows under one judge, objective and comparison. */
export interface Contest extends Omit<ContestNames, 'objective'> {
  objective: Objective;
  comparison: Comparison;
  rows: ContestRow[];
}

/** A row with a blank text has no calls: there is nothing to judge, or nothing to judge it against. */
export interface ContestRow extends ContestTexts {
  calls: readonly PlannedCall[];
}

export interface PlannedCall {
  call: JudgeCall;
  place: Place;
  /** From 0; each is a call of its own. */
  repeat: number;
}

export function namesOf({ judge, aligner, policy, objective }: ContestNames): string {
  return `${aligner} on ${policy}, ${objective}, ${judge}`;
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
