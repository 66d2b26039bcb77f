import type { Outcome, Place } from '../judge-prompt.ts';

/** Judged answer, then the other one, as columns of a batch's output. The first two are the paper's. */
export const COMPARISONS = {
  'aligned-goldens': ['aligned_responses', 'goldens'],
  'original-goldens': ['origin_responses', 'goldens'],
  'aligned-original': ['aligned_responses', 'origin_responses'],
} as const;
export type Comparison = keyof typeof COMPARISONS;
export const COMPARISON_NAMES = Object.keys(COMPARISONS) as Comparison[];

export const PAPER_MODES = ['script', 'text'] as const;
export type PaperMode = (typeof PAPER_MODES)[number];

export interface ContestNames {
  judge: string;
  aligner: string;
  policy: string;
  /** Its key. */
  objective: string;
}

/** A call to a judge with what came of it. */
export interface AskedCall {
  place: Place;
  /** From 0; each is a call of its own. */
  repeat: number;
  /** Undefined where the call failed. */
  reply: string | undefined;
  /** Undefined also where the reply has no verdict. */
  outcome: Outcome | undefined;
}

/** A row with a blank text has no calls: there is nothing to judge, or nothing to judge it against. */
export interface JudgedContestRow {
  /** The same for all contests with this query and this other answer. */
  instruction: string;
  asked: readonly AskedCall[];
  /** Characters. */
  judgedLength: number;
  otherLength: number;
  /** Undefined where only the verdicts are at hand. */
  texts: ContestTexts | undefined;
}

export interface ContestTexts {
  query: string;
  judged: string;
  other: string;
}

/** One list of rows under one judge, objective and comparison, with what the judge said. */
export interface JudgedContest extends ContestNames {
  comparison: Comparison;
  rows: readonly JudgedContestRow[];
}
