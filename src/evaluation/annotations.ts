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

/** A text with the answer that explanations are compared with. */
export interface Reference {
  /** Holds the post, and more. */
  query: string;
  reference: string;
}

/**
 * Finds the reference of a post: that of the shortest query that quotes it, since a longer one may quote another post of which
 * this one is a part.
 *
 * @returns undefined for a blank post, and where no query quotes it
 */
export function referenceIn(references: readonly Reference[]): (post: string) => string | undefined {
  const byLength = [...references].sort((one, other) => one.query.length - other.query.length);
  return (post) => (post.trim() === '' ? undefined : byLength.find(({ query }) => query.includes(post))?.reference);
}

interface AnnotatedPair {
  row: AnnotatedRow;
  reference: string;
}

/**
 * Correlates BLEU and ROUGE with what people thought, and people with each other.
 *
 * @param rows         at least one, all with as many ratings
 * @param referenceOf  the reference for a post, undefined where there is none
 */
export function compareWithAnnotators(
  rows: readonly AnnotatedRow[],
  referenceOf: (post: string) => string | undefined,
): AnnotationReport {
  const { pairs, ...counts } = pairsOf(rows, referenceOf);
  const kappa = (aspect: AnnotatedAspect) => fleissKappa(rows.map(({ ratings }) => ratings[aspect]));
  return {
    rows: pairs.length,
    ...counts,
    correlations: Object.entries(METRICS).flatMap(([metric, score]) =>
      correlationsOf(
        metric,
        pairs,
        pairs.map(({ row, reference }) => score(row.explanation, reference)),
      ),
    ),
    agreement: {
      fluency: kappa('fluency'),
      completeness: kappa('completeness'),
      reliability: kappa('reliability'),
      overall: kappa('overall'),
    },
  };
}

/** As {@link compareWithAnnotators}, with the metrics that models make beside BLEU and ROUGE. */
export async function compareMetricsWithAnnotators(
  rows: readonly AnnotatedRow[],
  referenceOf: (post: string) => string | undefined,
  metrics: readonly AnnotatedMetric[],
): Promise<AnnotationReport> {
  const report = compareWithAnnotators(rows, referenceOf);
  const { pairs } = pairsOf(rows, referenceOf);
  const texts = pairs.map(({ row }) => row.explanation);
  const references = pairs.map(({ reference }) => reference);
  const correlations = [...report.correlations];
  for (const { name, scoreRows } of metrics) {
    // A model is not asked about nothing.
    const scores = pairs.length === 0 ? [] : await scoreRows(texts, references);
    correlations.push(...correlationsOf(name, pairs, scores));
  }
  return { ...report, correlations };
}

function pairsOf(
  rows: readonly AnnotatedRow[],
  referenceOf: (post: string) => string | undefined,
): Pick<AnnotationReport, 'withoutReference' | 'identical'> & { pairs: AnnotatedPair[] } {
  const pairs: AnnotatedPair[] = [];
  let withoutReference = 0;
  let identical = 0;
  for (const row of rows) {
    const reference = referenceOf(row.post);
    if (reference === undefined) withoutReference += 1;
    else if (reference.trim() === row.explanation.trim()) identical += 1;
    else pairs.push({ row, reference });
  }
  return { pairs, withoutReference, identical };
}

/** @param scores  one for each pair; null where it has none */
function correlationsOf(
  metric: string,
  pairs: readonly AnnotatedPair[],
  scores: readonly (number | null)[],
): MetricCorrelations[] {
  const scored = pairs.flatMap(({ row }, i) => {
    const score = scores[i] ?? null;
    return score === null ? [] : [{ row, score }];
  });
  const values = scored.map(({ score }) => score);
  return ANNOTATED_ASPECTS.map((aspect) => {
    const ratings = scored.map(({ row }) => mean(row.ratings[aspect]));
    return {
      metric,
      rows: scored.length,
      aspect,
      pearson: pearson(values, ratings),
      spearman: spearman(values, ratings),
      kendall: kendall(values, ratings),
    };
  });
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
