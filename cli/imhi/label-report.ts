import { classificationMetrics, confusionMatrix, percent } from '../../src/evaluation/classification-metrics.ts';
import { type ImhiDataset, labelNames } from '../../src/evaluation/imhi-labels.ts';
import { formatTable } from '../commands/evaluate/outputs.ts';

/** How far the labels of a data set's outputs are those of its references. */
export interface LabelReport {
  dataset: ImhiDataset;
  /** Compared: those whose reference has a label. */
  rows: number;
  /** Percent, two decimals; null where no row is left. */
  accuracy: number | null;
  weightedF1: number | null;
  microF1: number | null;
  macroF1: number | null;
  unlabelledReferences: number;
  /** The confusion matrix's, ascending. */
  labels: number[];
  /** [reference, output] counts */
  matrix: number[][];
}

/** @param pairs  a row each; one whose reference has no label is left out and counted */
export function labelReportOf(
  dataset: ImhiDataset,
  pairs: readonly { reference: number | undefined; label: number }[],
): LabelReport {
  const compared = pairs.flatMap(({ reference, label }) => (reference === undefined ? [] : [{ reference, label }]));
  const references = compared.map(({ reference }) => reference);
  const predictions = compared.map(({ label }) => label);
  const metrics = compared.length === 0 ? undefined : classificationMetrics(references, predictions);
  const shown = (value: number | undefined) => (value === undefined ? null : percent(value));
  return {
    dataset,
    rows: compared.length,
    accuracy: shown(metrics?.accuracy),
    weightedF1: shown(metrics?.weightedF1),
    microF1: shown(metrics?.microF1),
    macroF1: shown(metrics?.macroF1),
    unlabelledReferences: pairs.length - compared.length,
    ...confusionMatrix(references, predictions),
  };
}

/** The matrices only where they are asked for. */
export function jsonOf(reports: readonly LabelReport[], hasConfusion: boolean): string {
  const list = reports.map(({ labels, matrix, ...report }) => ({
    ...report,
    ...(hasConfusion && { labels, confusion: matrix }),
  }));
  return `${JSON.stringify(list, undefined, 2)}\n`;
}

/** @param more  further columns of a report */
export function tableOf<Report extends LabelReport>(
  reports: readonly Report[],
  more: (report: Report) => Record<string, string> = () => ({}),
): string {
  const shown = (value: number | null) => value?.toFixed(2) ?? '–';
  const header = ['data set', 'rows', 'accuracy', 'weighted F1', 'micro F1', 'macro F1'];
  return formatTable(
    [...header, ...Object.keys(reports[0] === undefined ? {} : more(reports[0])), 'unlabelled references'],
    reports.map((report) => [
      report.dataset,
      String(report.rows),
      ...[report.accuracy, report.weightedF1, report.microF1, report.macroF1].map(shown),
      ...Object.values(more(report)),
      String(report.unlabelledReferences),
    ]),
  );
}

export function confusionOf({ dataset, labels, matrix }: LabelReport): string {
  const names = labelNames(dataset);
  const nameOf = (label: number) => names.get(label) ?? String(label);
  return `\n${formatTable(
    [`${dataset}: reference, then outputs`, ...labels.map(nameOf)],
    matrix.map((row, i) => [nameOf(labels[i]!), ...row.map(String)]),
  )}`;
}
