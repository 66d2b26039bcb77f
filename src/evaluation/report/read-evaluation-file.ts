import { z } from 'zod';
import { AlignError } from '../../align/errors.ts';
import { cellText, requireColumns, type SourceRow } from '../../batch/row-format.ts';
import type { AnnotatedRow, Reference } from '../annotations.ts';
import { isImhiDataset } from '../imhi-labels.ts';
import { annotatedRows, ANNOTATION_COLUMNS, explanationColumn, referenceColumn } from './annotated-rows.ts';
import { COMPARISONS } from './contest.ts';
import { EMPTY_REPORT, type EvaluationReport } from './evaluation-report.ts';
import { classifierReportOf, type LabelReport, ruleReportOf } from './label-report.ts';
import {
  annotationListSchema,
  evaluationReportSchema,
  flatQualityListSchema,
  labelListSchema,
  ratingReportSchema,
  winRateReportSchema,
} from './report-schema.ts';
import { PLAIN_METRICS, type QualityReport } from './text-quality.ts';
import { parseVerdicts, VERDICT_COLUMNS, type Verdicts } from './verdict-rows.ts';

/** What one file adds to a report. */
export interface EvaluationPart {
  report: EvaluationReport;
  /** Of a file of verdicts. */
  verdicts?: Verdicts;
  /** Of a batch's output, for the texts of verdicts. */
  outputs?: { policy: string; rows: OutputRow[] };
  /** Explanations that people rated. Their references are in another file. */
  annotated?: { file: string; rows: AnnotatedRow[] };
  /** Of a test set: what annotated explanations are compared with. */
  references?: Reference[];
}

export type OutputRow = Record<(typeof OUTPUT_COLUMNS)[number], string>;

const OUTPUT_COLUMNS = ['query', 'goldens', 'origin_responses', 'aligned_responses'] as const;
const IMHI_COLUMNS = ['goldens', 'generated_text'] as const;

/**
 * A report that the command line wrote as JSON.
 *
 * @param name  the file's
 * @throws AlignError `invalid-request` for JSON that is none of them
 */
export function readReportJson(name: string, value: unknown): EvaluationPart {
  const source = stem(name);
  const parse = <Schema extends z.ZodType>(schema: Schema, kind: string): z.output<Schema> => {
    const found = schema.safeParse(value);
    if (found.success) return found.data;
    const issue = found.error.issues[0];
    const place = issue?.path.map(String).join('.') ?? '';
    throw unusable(`${name} looks like ${kind} but is none: ${place || 'it'}: ${issue?.message ?? 'is wrong'}.`, name);
  };
  const part = (report: Partial<EvaluationReport>): EvaluationPart => ({ report: { ...EMPTY_REPORT, ...report } });
  if (has(value, 'winRates')) return part(parse(evaluationReportSchema, 'an evaluation report'));
  if (has(value, 'rates')) return part({ winRates: [parse(winRateReportSchema, 'a report of win rates')] });
  if (has(value, 'ratings')) return part({ ratings: [parse(ratingReportSchema, 'a report of ratings')] });
  const [first] = Array.isArray(value) ? (value as unknown[]) : [];
  if (has(first, 'accuracy')) return part({ labels: [{ source, reports: parse(labelListSchema, 'labels of IMHI') }] });
  if (has(first, 'report')) return part({ annotations: parse(annotationListSchema, 'correlations with annotators') });
  if (has(first, 'dataset')) {
    return part({ quality: [{ source, reports: parse(flatQualityListSchema, 'scores of texts') }] });
  }
  throw unusable(
    `${name} is JSON but no report of “evaluate win-rate”, “rate”, “imhi”, “quality” or “annotations”.`,
    name,
  );
}

/**
 * Rows to evaluate: a judge's verdicts, a batch's output, texts beside their references, explanations that people rated, or
 * the test set with the references of these. The columns tell which.
 *
 * @param name    the file's: it names a policy model, or a data set of IMHI
 * @param source  what the report calls the file
 * @throws AlignError `invalid-request` for columns that are none of them, no rows, or a row that cannot be read
 */
export function readEvaluationRows(
  name: string,
  columns: readonly string[],
  rows: readonly SourceRow[],
  source = name,
): EvaluationPart {
  if (rows.length === 0) throw unusable(`${name} has no rows.`, name);
  const hasAll = (wanted: readonly string[]) => wanted.every((column) => columns.includes(column));
  if (hasAll(['comparison', 'outcome'])) {
    requireColumns(name, columns, VERDICT_COLUMNS);
    return { report: EMPTY_REPORT, verdicts: parseVerdicts(name, cellsOf(name, rows, VERDICT_COLUMNS)) };
  }
  if (hasAll(OUTPUT_COLUMNS)) return outputPart(name, source, cellsOf(name, rows, OUTPUT_COLUMNS));
  if (hasAll(IMHI_COLUMNS)) return imhiPart(name, source, columns, rows);
  const explanations = explanationColumn(columns);
  if (hasAll(ANNOTATION_COLUMNS) && explanations !== undefined) {
    const cells = cellsOf(name, rows, [...ANNOTATION_COLUMNS, explanations]);
    return { report: EMPTY_REPORT, annotated: { file: source, rows: annotatedRows(name, explanations, cells) } };
  }
  const references = referenceColumn(columns);
  if (columns.length === 2 && references !== undefined) {
    const cells = cellsOf<string>(name, rows, ['query', references]);
    return {
      report: EMPTY_REPORT,
      references: cells.map((row) => ({ query: row.query!, reference: row[references]! })),
    };
  }
  throw unusable(
    `${name} has the columns ${columns.join(', ') || 'none'}. Evaluated are files with ${IMHI_COLUMNS.join(', ')} (texts), ${OUTPUT_COLUMNS.join(', ')} (a batch’s output), ${ANNOTATION_COLUMNS.join(', ')} (people’s ratings), or verdicts.csv of “evaluate win-rate”.`,
    name,
  );
}

/**
 * What a part lacks beside the others: ratings without references, or references that nothing is compared with.
 *
 * @param name  the part's file's
 * @returns AlignError `invalid-request`
 */
export function faultBeside(
  part: EvaluationPart,
  name: string,
  all: readonly EvaluationPart[],
): AlignError | undefined {
  if (part.annotated !== undefined && !all.some(({ references }) => references !== undefined)) {
    return unusable(
      `${name} holds people’s ratings of explanations. Add the CSV file with the references too: its columns are query, which quotes the posts, and the answers (test_instruction/DR.csv).`,
      name,
    );
  }
  if (part.references !== undefined && !all.some(({ annotated }) => annotated !== undefined)) {
    return unusable(
      `${name} holds queries and references, but no answers to compare. Add the CSV file with people’s ratings of them (${ANNOTATION_COLUMNS.join(', ')}), or open the answers themselves: ${IMHI_COLUMNS.join(', ')}.`,
      name,
    );
  }
  return undefined;
}

/** Originals and edits against the references. Rows with a blank text are left out of their comparison. */
function outputPart(name: string, source: string, rows: OutputRow[]): EvaluationPart {
  const policy = stem(name);
  const reportOf = (column: 'origin_responses' | 'aligned_responses', dataset: string): QualityReport[] => {
    const kept = rows.filter((row) => row[column].trim() !== '' && row.goldens.trim() !== '');
    if (kept.length === 0) return [];
    return [
      qualityOf(
        dataset,
        kept.map((row) => row[column]),
        kept.map(({ goldens }) => goldens),
      ),
    ];
  };
  const [[aligned], [original]] = [COMPARISONS['aligned-goldens'], COMPARISONS['original-goldens']];
  const reports = [...reportOf(original, 'origin_responses'), ...reportOf(aligned, 'aligned_responses')];
  if (reports.length === 0) throw unusable(`No row of ${name} has an answer and a reference.`, name);
  return { report: { ...EMPTY_REPORT, quality: [{ source, reports }] }, outputs: { policy, rows } };
}

/** Text quality; for a file named after a data set its labels too, by rules and, in a column `labels`, by a classifier. */
function imhiPart(
  name: string,
  source: string,
  columns: readonly string[],
  rows: readonly SourceRow[],
): EvaluationPart {
  const dataset = stem(name);
  const cells = cellsOf(name, rows, IMHI_COLUMNS);
  const quality = qualityOf(
    dataset,
    cells.map(({ generated_text }) => generated_text),
    cells.map(({ goldens }) => goldens),
  );
  const labels: LabelReport[] = [];
  if (isImhiDataset(dataset)) {
    labels.push(
      ruleReportOf(
        dataset,
        cells.map(({ goldens, generated_text }) => ({ golden: goldens, text: generated_text })),
      ),
    );
    if (columns.includes('labels')) {
      const labelled = cellsOf(name, rows, ['goldens', 'labels']);
      try {
        labels.push(
          classifierReportOf(
            dataset,
            labelled.map(({ goldens, labels: label }) => ({ golden: goldens, label })),
          ),
        );
      } catch (error) {
        if (error instanceof RangeError) throw unusable(`${name}: ${error.message}`, name);
        throw error;
      }
    }
  }
  return {
    report: {
      ...EMPTY_REPORT,
      labels: labels.map((report) => ({ source, reports: [report] })),
      quality: [{ source, reports: [quality] }],
    },
  };
}

function qualityOf(dataset: string, texts: readonly string[], references: readonly string[]): QualityReport {
  const scores = { ...PLAIN_METRICS.bleu(texts, references), ...PLAIN_METRICS.rouge(texts, references) };
  return { dataset, rows: texts.length, scores };
}

function cellsOf<Column extends string>(
  name: string,
  rows: readonly SourceRow[],
  columns: readonly Column[],
): Record<Column, string>[] {
  return rows.map(({ index, cells, problem }) => {
    if (problem !== undefined) throw unusable(`Row ${index + 1} of ${name} cannot be read: ${problem}`, name);
    return Object.fromEntries(columns.map((column) => [column, cellText(cells[column])])) as Record<Column, string>;
  });
}

/** `DR` of `DR.csv` */
function stem(name: string): string {
  return name.replace(/\.[^.]+$/, '');
}

function has(value: unknown, key: string): boolean {
  return typeof value === 'object' && value !== null && key in value;
}

function unusable(message: string, name: string): AlignError {
  return new AlignError('invalid-request', message, { details: { file: name } });
}
