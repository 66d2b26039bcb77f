import { fleissKappa } from './agreement.ts';
import { corpusBleu } from './bleu.ts';
import { type Correlation, kendall, pearson, spearman } from './correlation.ts';
import { rouge } from './rouge.ts';

/** What three annotators rated from 0 to 3. */
export const ANNOTATED_ASPECTS = ['fluency', 'completeness', 'reliability', 'overall'] as const;
export type AnnotatedAspect = (typeof ANNOTATED_ASPECTS)[number];

/** One explanation with its ratings. */
export interface AnnotatedRow {
  post: string;
  explanation: string;
  /** One rating of each annotator. */
  ratings: Record<AnnotatedAspect, readonly number[]>;
}

/** An automatic metric of one text against one reference. */
const METRICS = {
  BLEU: (text: string, reference: string) => corpusBleu([text], [reference]),
  'ROUGE-1': (text: string, reference: string) => rouge(text, reference).rouge1,
  'ROUGE-2': (text: string, reference: string) => rouge(text, reference).rouge2,
  'ROUGE-L': (text: string, reference: string) => rouge(text, reference).rougeL,
} as const;

/** One that is not computed here: a model makes its scores. */
export interface AnnotatedMetric {
  name: string;
  /** @returns a score for each row; null where it has none: the row is left out for this metric */
  scoreRows: (texts: readonly string[], references: readonly string[]) => Promise<(number | null)[]>;
}

export interface MetricCorrelations {
  metric: string;
  /** Rows that have a score. */
  rows: number;
  aspect: AnnotatedAspect;
  pearson: Correlation;
  spearman: Correlation;
  kendall: Correlation;
}

export interface AnnotationReport {
  /** Rows that were compared. */
  rows: number;
  withoutReference: number;
  /** Rows whose explanation is the reference, word for word: any metric would be right about them. */
  identical: number;
  correlations: MetricCorrelations[];
  /** Fleiss' kappa by aspect, over all rows that were read. */
  agreement: Record<AnnotatedAspect, number>;
}

/**
 * Correlates automatic metrics with what people thought, and people with each other.
 *
 * @param referenceOf  the reference for a post, undefined where there is none
 * @param more         metrics beside BLEU and ROUGE
 */
export async function compareWithAnnotators(
  rows: readonly AnnotatedRow[],
  referenceOf: (post: string) => string | undefined,
  more: readonly AnnotatedMetric[] = [],
): Promise<AnnotationReport> {
  const pairs: { row: AnnotatedRow; reference: string }[] = [];
  let withoutReference = 0;
  let identical = 0;
  for (const row of rows) {
    const reference = referenceOf(row.post);
    if (reference === undefined) withoutReference += 1;
    else if (reference.trim() === row.explanation.trim()) identical += 1;
    else pairs.push({ row, reference });
  }
  const correlations: MetricCorrelations[] = [];
  const correlate = (metric: string, scores: readonly (number | null)[]) => {
    const scored = pairs.flatMap(({ row }, i) => {
      const score = scores[i] ?? null;
      return score === null ? [] : [{ row, score }];
    });
    const values = scored.map(({ score }) => score);
    for (const aspect of ANNOTATED_ASPECTS) {
      const ratings = scored.map(({ row }) => mean(row.ratings[aspect]));
      correlations.push({
        metric,
        rows: scored.length,
        aspect,
        pearson: pearson(values, ratings),
        spearman: spearman(values, ratings),
        kendall: kendall(values, ratings),
      });
    }
  };
  for (const [name, score] of Object.entries(METRICS)) {
    correlate(
      name,
      pairs.map(({ row, reference }) => score(row.explanation, reference)),
    );
  }
  const texts = pairs.map(({ row }) => row.explanation);
  const references = pairs.map(({ reference }) => reference);
  for (const { name, scoreRows } of more) correlate(name, await scoreRows(texts, references));
  const kappa = (aspect: AnnotatedAspect) => fleissKappa(rows.map(({ ratings }) => ratings[aspect]));
  return {
    rows: pairs.length,
    withoutReference,
    identical,
    correlations,
    agreement: {
      fluency: kappa('fluency'),
      completeness: kappa('completeness'),
      reliability: kappa('reliability'),
      overall: kappa('overall'),
    },
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
