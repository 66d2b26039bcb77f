import { z } from 'zod';
import { TEMPLATE_IDS } from '../../align/prompt.ts';
import { ANNOTATED_ASPECTS } from '../annotations.ts';
import { IMHI_DATASETS } from '../imhi-labels.ts';
import { COMPARISON_NAMES, PAPER_MODES } from './contest.ts';
import type { AnnotationFile, EvaluationReport } from './evaluation-report.ts';
import type { LabelReport } from './label-report.ts';
import type { RatingReport } from './rating-report.ts';
import type { QualityReport } from './text-quality.ts';
import type { WinRateReport } from './win-rate-report.ts';

// Checked without code made from text, which the page's Content-Security-Policy forbids.
z.config({ jitless: true });

const estimate = z.object({ value: z.number(), low: z.number(), high: z.number() });
const optionalEstimate = estimate.nullable();
const count = z.int().min(0);
const versions = z.record(z.string(), z.string());
const names = { judge: z.string(), aligner: z.string(), policy: z.string(), objective: z.string() };
const comparison = z.enum(COMPARISON_NAMES);

export const winRateReportSchema = z.object({
  settings: z.object({
    judge: z.string(),
    models: z.array(z.string()),
    family: z.enum(TEMPLATE_IDS),
    paper: z.enum(PAPER_MODES).nullable(),
    repeats: z.int().min(1),
    seed: z.int().min(0),
    versions: versions.default({}),
  }),
  rates: z.array(
    z.object({
      ...names,
      comparison,
      leftOut: count,
      rows: count,
      invalid: count,
      wins: count,
      ties: count,
      losses: count,
      winRate: optionalEstimate,
      tiesAsWins: optionalEstimate,
      tiesAsLosses: optionalEstimate,
      signTest: z.number().nullable(),
      positionConsistency: z.number().nullable(),
      whereConsistent: optionalEstimate.default(null),
      firstPlaceShare: z.number().nullable(),
      lengthRatio: z.number().nullable(),
      lengthControlled: z.number().nullable(),
      difficultyControlled: z.number().nullable().default(null),
      difficultyModels: count.default(0),
    }),
  ),
  advantages: z.array(
    z.object({
      ...names,
      rows: count,
      difference: optionalEstimate,
      mcnemar: z.number().nullable(),
      signTest: z.number().nullable().default(null),
      published: z.record(z.string(), z.number()).nullable(),
    }),
  ),
  agreement: z.array(
    z.object({ judges: z.tuple([z.string(), z.string()]), rows: count, kappa: z.number().nullable() }),
  ),
  published: z.array(
    z.object({
      method: z.string(),
      policy: z.string(),
      rates: z.record(z.string(), z.number()),
      average: z.number(),
    }),
  ),
  // Reports of before lack these.
  lengths: z
    .array(z.object({ ...names, comparison, group: count, rows: count, meanDifference: z.number(), winRate: estimate }))
    .default([]),
  examples: z
    .array(
      z.object({
        ...names,
        comparison,
        row: z.int().min(1),
        outcome: z.enum(['win', 'loss']),
        query: z.string(),
        judged: z.string(),
        other: z.string(),
      }),
    )
    .default([]),
}) satisfies z.ZodType<WinRateReport>;

export const ratingReportSchema = z.object({
  settings: z.object({
    judge: z.string(),
    model: z.string(),
    family: z.enum(TEMPLATE_IDS).optional(),
    seed: z.int().min(0),
    versions: versions.default({}),
  }),
  ratings: z.array(
    z.object({
      aligner: z.string(),
      policy: z.string(),
      objective: z.string(),
      rows: count,
      invalid: count,
      leftOut: count,
      original: optionalEstimate,
      aligned: optionalEstimate,
      difference: optionalEstimate,
    }),
  ),
}) satisfies z.ZodType<RatingReport>;

const percent = z.number().nullable();
const labelReportSchema = z
  .object({
    dataset: z.enum(IMHI_DATASETS),
    rows: count,
    accuracy: percent,
    weightedF1: percent,
    microF1: percent,
    macroF1: percent,
    unlabelledReferences: count,
    outOfDomain: count.optional(),
    labels: z.array(z.number()).optional(),
    confusion: z.array(z.array(count)).optional(),
  })
  .refine(
    ({ labels = [], confusion = [] }) =>
      confusion.length === labels.length && confusion.every((row) => row.length === labels.length),
    { message: 'The confusion matrix has not a row and a column for each label.' },
  ) satisfies z.ZodType<LabelReport>;
/** What `evaluate imhi rule --json` and `imhi classify --calculate --json` print. */
export const labelListSchema = z.array(labelReportSchema).min(1);

/** What `evaluate quality --json` prints: the scores stand beside the names. */
export const flatQualityListSchema = z
  .array(
    z
      .looseObject({ dataset: z.string(), rows: count })
      .transform(({ dataset, rows, ...scores }, context): QualityReport => {
        const found = z.record(z.string(), z.number().nullable()).safeParse(scores);
        if (found.success) return { dataset, rows, scores: found.data };
        context.addIssue({ code: 'custom', message: found.error.issues[0]?.message ?? 'A score is no number.' });
        return z.NEVER;
      }),
  )
  .min(1);

/** JSON has no NaN: where a correlation is not defined stands null. */
const maybeNumber = z
  .number()
  .nullable()
  .transform((value) => value ?? NaN);
const correlation = z.object({ value: maybeNumber, low: maybeNumber, high: maybeNumber });
const agreement = z.object(
  Object.fromEntries(ANNOTATED_ASPECTS.map((aspect) => [aspect, maybeNumber])) as Record<
    (typeof ANNOTATED_ASPECTS)[number],
    typeof maybeNumber
  >,
);
/** What `evaluate annotations --json` prints. */
export const annotationListSchema = z
  .array(
    z.object({
      file: z.string(),
      report: z.object({
        rows: count,
        withoutReference: count,
        identical: count,
        correlations: z.array(
          z.object({
            metric: z.string(),
            rows: count,
            aspect: z.enum(ANNOTATED_ASPECTS),
            pearson: correlation,
            spearman: correlation,
            kendall: correlation,
          }),
        ),
        agreement,
      }),
    }),
  )
  .min(1) satisfies z.ZodType<AnnotationFile[]>;

/** What a report as a whole is saved as. */
export const evaluationReportSchema = z.object({
  winRates: z.array(winRateReportSchema),
  ratings: z.array(ratingReportSchema),
  labels: z.array(z.object({ source: z.string(), reports: z.array(labelReportSchema) })),
  quality: z.array(
    z.object({
      source: z.string(),
      reports: z.array(
        z.object({ dataset: z.string(), rows: count, scores: z.record(z.string(), z.number().nullable()) }),
      ),
    }),
  ),
  annotations: z.array(annotationListSchema.element),
  versions,
}) satisfies z.ZodType<EvaluationReport>;
