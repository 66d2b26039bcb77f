import type { Command } from 'commander';
import { classificationMetrics, confusionMatrix, percent } from '../../../src/evaluation/classification-metrics.ts';
import {
  IMHI_DATASETS,
  type ImhiDataset,
  isImhiDataset,
  labelNames,
  labelOfOutput,
  labelOfReference,
} from '../../../src/evaluation/imhi-labels.ts';
import { RESPONSIBLE_USE } from '../../imhi/responsible-use.ts';
import { note, print } from '../../terminal.ts';
import { UsageError } from '../../usage-error.ts';
import { addImhiGenerateCommand } from './imhi-generate.ts';
import { formatTable, listOutputs, readCells } from './outputs.ts';

export function addImhiCommand(evaluate: Command): void {
  const imhi = evaluate.command('imhi').description('mental health data sets; for research, not for diagnosis');
  addImhiGenerateCommand(imhi);
  imhi
    .command('rule')
    .description('labels found in the text by rules, against those of the references')
    .requiredOption(
      '--outputs <folder>',
      `CSV files with columns goldens, generated_text, each named after its data set: ${IMHI_DATASETS.join(', ')}`,
    )
    .option('--json', 'as one JSON list')
    .option('--confusion', 'a confusion matrix for each data set beside the table')
    .action(async (options: { outputs: string; json?: true; confusion?: true }) => {
      const files = await listOutputs(options.outputs);
      const known = files.filter(({ dataset }) => isImhiDataset(dataset));
      for (const { path } of files.filter(({ dataset }) => !isImhiDataset(dataset))) {
        note(`${path} is left out: its name is no data set of IMHI.`);
      }
      if (known.length === 0) {
        throw new UsageError(`${options.outputs} has no file named after a data set: ${IMHI_DATASETS.join(', ')}.`);
      }
      const reports: RuleReport[] = [];
      for (const { dataset, path } of known) {
        reports.push(labelRows(dataset as ImhiDataset, await readCells(path, ['goldens', 'generated_text'])));
      }
      if (options.json) {
        const list = reports.map(({ labels: _, matrix: __, ...report }) => ({
          ...report,
          ...(options.confusion && { labels: _, confusion: __ }),
        }));
        await print(`${JSON.stringify(list, undefined, 2)}\n`);
        return;
      }
      await print(tableOf(reports));
      if (options.confusion) for (const report of reports) await print(confusionOf(report));
      note(RESPONSIBLE_USE);
    });
}

interface RuleReport {
  dataset: ImhiDataset;
  /** Compared: those whose reference has a label. */
  rows: number;
  /** Percent, two decimals; null where no row is left. */
  accuracy: number | null;
  weightedF1: number | null;
  microF1: number | null;
  macroF1: number | null;
  /** Of the rows compared, those whose output has no label. */
  outOfDomain: number;
  unlabelledReferences: number;
  labels: number[];
  matrix: number[][];
}

function labelRows(dataset: ImhiDataset, rows: readonly { goldens: string; generated_text: string }[]): RuleReport {
  const references: number[] = [];
  const predictions: number[] = [];
  let outOfDomain = 0;
  for (const { goldens, generated_text } of rows) {
    const reference = labelOfReference(dataset, goldens);
    if (reference === undefined) continue;
    const { label, isOutOfDomain } = labelOfOutput(dataset, generated_text);
    references.push(reference);
    predictions.push(label);
    if (isOutOfDomain) outOfDomain += 1;
  }
  const metrics = references.length === 0 ? undefined : classificationMetrics(references, predictions);
  const shown = (value: number | undefined) => (value === undefined ? null : percent(value));
  return {
    dataset,
    rows: references.length,
    accuracy: shown(metrics?.accuracy),
    weightedF1: shown(metrics?.weightedF1),
    microF1: shown(metrics?.microF1),
    macroF1: shown(metrics?.macroF1),
    outOfDomain,
    unlabelledReferences: rows.length - references.length,
    ...confusionMatrix(references, predictions),
  };
}

function tableOf(reports: readonly RuleReport[]): string {
  const shown = (value: number | null) => value?.toFixed(2) ?? '–';
  return formatTable(
    ['data set', 'rows', 'accuracy', 'weighted F1', 'micro F1', 'macro F1', 'out of domain', 'unlabelled references'],
    reports.map((report) => [
      report.dataset,
      String(report.rows),
      ...[report.accuracy, report.weightedF1, report.microF1, report.macroF1].map(shown),
      String(report.outOfDomain),
      String(report.unlabelledReferences),
    ]),
  );
}

function confusionOf({ dataset, labels, matrix }: RuleReport): string {
  const names = labelNames(dataset);
  const nameOf = (label: number) => names.get(label) ?? String(label);
  return `\n${formatTable(
    [`${dataset}: reference, then outputs`, ...labels.map(nameOf)],
    matrix.map((row, i) => [nameOf(labels[i]!), ...row.map(String)]),
  )}`;
}
