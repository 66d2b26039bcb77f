import type { TemplateId } from '../../align/prompt.ts';
import type { Estimate } from '../win-statistics.ts';

/** What a judge gave the originals and the edits of one file, from 0 to 10. */
export interface Ratings {
  aligner: string;
  policy: string;
  objective: string;
  /** With a rating of both answers. */
  rows: number;
  invalid: number;
  leftOut: number;
  original: Estimate | null;
  aligned: Estimate | null;
  /** Aligned less original, paired. */
  difference: Estimate | null;
}

export interface RatingReport {
  settings: {
    judge: string;
    model: string;
    /** Whose texts of the objectives the judge was given; undefined in reports of before. */
    family?: TemplateId | undefined;
    seed: number;
    versions: Readonly<Record<string, string>>;
  };
  ratings: readonly Ratings[];
}
