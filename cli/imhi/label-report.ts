import { labelNames } from '../../src/evaluation/imhi-labels.ts';
import type { LabelReport } from '../../src/evaluation/report/label-report.ts';
import { formatTable } from '../commands/evaluate/outputs.ts';

/** The matrices only where they are asked for. */
export function jsonOf(reports: readonly LabelReport[], hasConfusion: boolean): string {
  const list = reports.map(({ labels, confusion, ...report }) => ({
    ...report,
    ...(hasConfusion && { labels, confusion }),
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

export function confusionOf({ dataset, labels = [], confusion = [] }: LabelReport): string {
  const names = labelNames(dataset);
  const nameOf = (label: number) => names.get(label) ?? String(label);
  return `\n${formatTable(
    [`${dataset}: reference, then outputs`, ...labels.map(nameOf)],
    confusion.map((row, i) => [nameOf(labels[i]!), ...row.map(String)]),
  )}`;
}
