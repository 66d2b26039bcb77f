import type { Objective } from '../../src/align/objectives.ts';
import type { TemplateId } from '../../src/align/prompt.ts';
import type { Place } from '../../src/evaluation/judge-prompt.ts';
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
  /** Characters. */
  judgedLength: number;
  otherLength: number;
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
