import { corpusBleu } from '../bleu.ts';
import { meanRouge } from '../rouge.ts';

/** Scores of one file's texts against its references. */
export interface QualityReport {
  dataset: string;
  rows: number;
  /** By name; null where there is none. */
  scores: Readonly<Record<string, number | null>>;
}

/** Measures that need no model. */
export const PLAIN_METRICS = {
  bleu: (texts: readonly string[], references: readonly string[]) => ({ bleu: corpusBleu(texts, references) }),
  rouge: (texts: readonly string[], references: readonly string[]) => ({ ...meanRouge(texts, references) }),
} as const satisfies Record<string, (texts: string[], references: string[]) => Record<string, number>>;

/** What `evaluate quality --json` prints of a report. */
export function flatQuality({ dataset, rows, scores }: QualityReport): Record<string, string | number | null> {
  return { dataset, rows, ...scores };
}
