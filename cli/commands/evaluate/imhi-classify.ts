import { mkdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { AlignError } from '../../../src/align/errors.ts';
import { formatHeader, formatRow } from '../../../src/batch/row-format.ts';
import { CLASSIFIER_LABELS, IMHI_DATASETS, type ImhiDataset } from '../../../src/evaluation/imhi-labels.ts';
import { classifierReportOf, type LabelReport } from '../../../src/evaluation/report/label-report.ts';
import { writeWhole } from '../../batch/output-files.ts';
import { readColumns } from '../../batch/read-rows.ts';
import { listImhiOutputs } from '../../imhi/imhi-outputs.ts';
import { confusionOf, jsonOf, tableOf } from '../../imhi/label-report.ts';
import { RESPONSIBLE_USE } from '../../imhi/responsible-use.ts';
import { addClassifierOptions, type ClassifierOptions, openClassifier } from '../../open-classifier.ts';
import { interruptSignal, note, print, ProgressLine } from '../../terminal.ts';
import { EXIT, UsageError } from '../../usage-error.ts';
import { readCells } from './outputs.ts';

const TEXT_COLUMN = 'generated_text';
const LABELS_COLUMN = 'labels';

interface ClassifyOptions extends ClassifierOptions {
  outputs: string;
  to: string;
  from: string;
  calculate?: true;
  confusion?: true;
  json?: true;
}

export function addImhiClassifyCommand(imhi: Command): void {
  const command = imhi
    .command('classify')
    .description('labels by the ten classifiers, written in a column beside the texts')
    .requiredOption(
      '--outputs <folder>',
      `CSV files with a column ${TEXT_COLUMN}, each named after its data set: ${IMHI_DATASETS.join(', ')}`,
    )
    .requiredOption('--to <folder>', `for the files with a column ${LABELS_COLUMN}`)
    .option('--from <owner|folder>', 'whose the classifiers are, each named after its data set', 'Tianlin668')
    .option('--calculate', 'accuracy and F1 against the labels of the column goldens')
    .option('--confusion', 'with --calculate, a confusion matrix for each data set')
    .option('--json', 'with --calculate, as one JSON list');
  addClassifierOptions(command).action(run);
}

async function run(options: ClassifyOptions): Promise<void> {
  if (resolve(options.to) === resolve(options.outputs)) {
    throw new UsageError('--to is the folder of --outputs: its files would be replaced.');
  }
  const signal = interruptSignal();
  try {
    const reports: LabelReport[] = [];
    await mkdir(options.to, { recursive: true });
    for (const { dataset, path } of await listImhiOutputs(options.outputs)) {
      const columns = (await readColumns({ path, format: 'csv' })).filter((name) => name !== LABELS_COLUMN);
      const wanted = options.calculate ? [TEXT_COLUMN, 'goldens'] : [TEXT_COLUMN];
      const rows = await readCells(path, [...new Set([...columns, ...wanted])]);
      const names = await classify(
        dataset,
        rows.map((row) => row[TEXT_COLUMN]!),
        options,
        signal,
      );
      await writeWhole(join(options.to, `${dataset}.csv`), async (write) => {
        const written = [...columns, LABELS_COLUMN];
        await write(formatHeader('csv', written));
        for (const [i, row] of rows.entries()) {
          await write(formatRow('csv', written, [...columns.map((column) => row[column]!), names[i]!]));
        }
      });
      if (options.calculate)
        reports.push(
          classifierReportOf(
            dataset,
            rows.map((row, i) => ({ golden: row.goldens!, label: names[i]! })),
          ),
        );
    }
    if (options.calculate) await printReports(reports, options);
    note(RESPONSIBLE_USE);
  } catch (error) {
    if (!signal.aborted) throw error;
    process.exitCode = EXIT.interrupted;
  }
}

/** @returns the name of each text's likeliest label */
async function classify(
  dataset: ImhiDataset,
  texts: readonly string[],
  options: ClassifyOptions,
  signal: AbortSignal,
): Promise<string[]> {
  const { classifier, source } = await openClassifier(await referenceOf(dataset, options), options, signal);
  const progress = new ProgressLine();
  try {
    const labels = CLASSIFIER_LABELS[dataset];
    if (classifier.labels.length !== labels.length) {
      throw new AlignError(
        'unsupported-model',
        `${source} tells ${classifier.labels.length} labels apart; ${dataset} has ${labels.length} (${labels.map(([name]) => name).join(', ')}).`,
        { details: { source, dataset } },
      );
    }
    const inputs = texts.map((text) => classifier.encodeStart(text));
    const logits = await classifier.classify(inputs, {
      signal,
      onProgress: (done) => progress.show(dataset, done / texts.length, `${done} of ${texts.length} texts`),
    });
    return logits.map((row) => labels[row.indexOf(Math.max(...row))]![0]);
  } finally {
    progress.end();
    await classifier.dispose();
  }
}

/** A folder of classifiers on this machine, else their owner on the hub. */
async function referenceOf(dataset: ImhiDataset, { from }: ClassifyOptions): Promise<string> {
  const isFolder = (path: string) =>
    stat(path).then(
      (status) => status.isDirectory(),
      () => false,
    );
  if (!(await isFolder(from))) return `${from}/${dataset}`;
  const folder = join(from, dataset);
  if (await isFolder(folder)) return folder;
  throw new UsageError(`${from} holds no classifier for ${dataset}: there is no folder of this name in it.`);
}

async function printReports(reports: readonly LabelReport[], { json, confusion }: ClassifyOptions): Promise<void> {
  if (json) {
    await print(jsonOf(reports, confusion === true));
    return;
  }
  await print(tableOf(reports));
  if (confusion) for (const report of reports) await print(confusionOf(report));
}
