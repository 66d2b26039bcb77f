import type { Command } from 'commander';
import { AlignError } from '../../../src/align/errors.ts';
import {
  ANNOTATED_ASPECTS,
  type AnnotatedMetric,
  type AnnotatedRow,
  type AnnotationReport,
  compareWithAnnotators,
} from '../../../src/evaluation/annotations.ts';
import type { Correlation } from '../../../src/evaluation/correlation.ts';
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
  const references = await readReferences(options.references);
  const referenceOf = (post: string) => references.find(({ query }) => query.includes(post))?.reference;
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
      reports.push({ file, report: await compareWithAnnotators(rows, referenceOf, metrics) });
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

async function readReferences(path: string): Promise<{ query: string; reference: string }[]> {
  const column = (await readColumns({ path, format: 'csv' })).find((name) => name !== 'query') ?? 'reference';
  const rows = await readCells(path, ['query', column]);
  return rows.map((row) => ({ query: row.query!, reference: row[column]! }));
}

async function readAnnotations(path: string): Promise<AnnotatedRow[]> {
  const others: readonly string[] = ['text', 'label', ...ANNOTATED_ASPECTS];
  const column = (await readColumns({ path, format: 'csv' })).find((name) => !others.includes(name)) ?? 'explanation';
  const rows = await readCells(path, ['text', column, ...ANNOTATED_ASPECTS]);
  return rows.map((row, i) => ({
    post: row.text!,
    explanation: row[column]!,
    ratings: {
      fluency: parseRatings(row.fluency!, path, i),
      completeness: parseRatings(row.completeness!, path, i),
      reliability: parseRatings(row.reliability!, path, i),
      overall: parseRatings(row.overall!, path, i),
    },
  }));
}

/** `[3, 2, 3]` */
function parseRatings(text: string, path: string, index: number): number[] {
  if (!/^\[\s*\d+(\s*,\s*\d+)+\s*\]$/.test(text.trim())) {
    throw new AlignError('invalid-request', `Row ${index + 1} of ${path} has “${text}” where ratings should be.`, {
      details: { path, row: index + 1 },
    });
  }
  return JSON.parse(text) as number[];
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
      (aspect) => `${aspect} ${agreement[aspect].toFixed(2)}`,
    ).join(', ')}.`,
    '',
  ];
  return lines.join('\n');
}
