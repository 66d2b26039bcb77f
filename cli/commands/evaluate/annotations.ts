import type { Command } from 'commander';
import {
  ANNOTATED_ASPECTS,
  type AnnotatedMetric,
  type AnnotatedRow,
  type AnnotationReport,
  compareMetricsWithAnnotators,
  type Reference,
  referenceIn,
} from '../../../src/evaluation/annotations.ts';
import type { Correlation } from '../../../src/evaluation/correlation.ts';
import {
  annotatedRows,
  ANNOTATION_COLUMNS,
  explanationColumn,
  referenceColumn,
} from '../../../src/evaluation/report/annotated-rows.ts';
import { readColumns } from '../../batch/read-rows.ts';
import { RESPONSIBLE_USE } from '../../imhi/responsible-use.ts';
import { addMetricOptions, type MetricOptions, startModelMetric } from '../../quality/metric-options.ts';
import type { TextMetric } from '../../quality/text-metric.ts';
import { interruptSignal, note, print } from '../../terminal.ts';
import { EXIT } from '../../usage-error.ts';
import { listOutputs, readCells } from './outputs.ts';

export function addAnnotationsCommand(evaluate: Command): void {
  const command = evaluate
    .command('annotations')
    .description(
      'how BLEU, ROUGE and, where a model is given, BERTScore, BARTScore and GPTScore go with what people thought of explanations, as a Markdown report',
    )
    .requiredOption(
      '--annotations <folder>',
      `CSV files with columns text, label, the explanations, ${ANNOTATED_ASPECTS.join(', ')}: the last four are lists of ratings`,
    )
    .requiredOption('--references <file>', 'CSV with a column query, which holds the text, and one of references')
    .option('--json', 'as one JSON list');
  addMetricOptions(command).action(run);
}

interface AnnotationsOptions extends MetricOptions {
  annotations: string;
  references: string;
  json?: true;
}

async function run(options: AnnotationsOptions): Promise<void> {
  const referenceOf = referenceIn(await readReferences(options.references));
  const files: { file: string; rows: AnnotatedRow[] }[] = [];
  for (const { dataset, path } of await listOutputs(options.annotations)) {
    files.push({ file: dataset, rows: await readAnnotations(path) });
  }
  const signal = interruptSignal();
  const metrics: (AnnotatedMetric & TextMetric)[] = [];
  try {
    if (options.bertscoreModel !== undefined) {
      metrics.push({ name: 'BERTScore', ...(await startModelMetric('bertscore', options, signal)) });
    }
    if (options.bartscoreModel !== undefined) {
      metrics.push({ name: 'BARTScore', ...(await startModelMetric('bartscore', options, signal)) });
    }
    if (options.endpoint !== undefined) {
      metrics.push({ name: 'GPTScore', ...(await startModelMetric('gptscore', options, signal)) });
    }
    const reports: { file: string; report: AnnotationReport }[] = [];
    for (const { file, rows } of files) {
      reports.push({ file, report: await compareMetricsWithAnnotators(rows, referenceOf, metrics) });
    }
    if (options.json) await print(`${JSON.stringify(reports, undefined, 2)}\n`);
    else await print(reports.map(({ file, report }) => markdownOf(file, report)).join('\n'));
    note(RESPONSIBLE_USE);
  } catch (error) {
    if (!signal.aborted) throw error;
    process.exitCode = EXIT.interrupted;
  } finally {
    for (const metric of metrics) await metric.dispose();
  }
}

async function readReferences(path: string): Promise<Reference[]> {
  const column = referenceColumn(await readColumns({ path, format: 'csv' })) ?? 'reference';
  const rows = await readCells(path, ['query', column]);
  return rows.map((row) => ({ query: row.query!, reference: row[column]! }));
}

async function readAnnotations(path: string): Promise<AnnotatedRow[]> {
  const column = explanationColumn(await readColumns({ path, format: 'csv' })) ?? 'explanation';
  return annotatedRows(path, column, await readCells(path, [...ANNOTATION_COLUMNS, column]));
}

function markdownOf(file: string, report: AnnotationReport): string {
  const { rows, withoutReference, identical, correlations, agreement } = report;
  const shown = ({ value, low, high }: Correlation) =>
    Number.isNaN(value) ? '–' : `${value.toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}]`;
  const lines = [
    `## ${file}`,
    '',
    `${rows} rows compared; ${withoutReference} without a reference and ${identical} identical to it left out.`,
    '',
    '| metric | aspect | Pearson | Spearman | Kendall |',
    '| --- | --- | ---: | ---: | ---: |',
    ...correlations.map(
      ({ metric, aspect, pearson, spearman, kendall }) =>
        `| ${metric} | ${aspect} | ${shown(pearson)} | ${shown(spearman)} | ${shown(kendall)} |`,
    ),
    '',
    `Agreement of the annotators (Fleiss’ kappa, all rows): ${ANNOTATED_ASPECTS.map(
      (aspect) => `${aspect} ${Number.isNaN(agreement[aspect]) ? '–' : agreement[aspect].toFixed(2)}`,
    ).join(', ')}.`,
    '',
  ];
  return lines.join('\n');
}
