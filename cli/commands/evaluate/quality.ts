import type { Command } from 'commander';
import { isImhiDataset } from '../../../src/evaluation/imhi-labels.ts';
import { flatQuality, PLAIN_METRICS, type QualityReport } from '../../../src/evaluation/report/text-quality.ts';
import { RESPONSIBLE_USE } from '../../imhi/responsible-use.ts';
import {
  addMetricOptions,
  type MetricOptions,
  MODEL_METRICS,
  type ModelMetric,
  startModelMetric,
} from '../../quality/metric-options.ts';
import type { TextMetric } from '../../quality/text-metric.ts';
import { interruptSignal, note, print } from '../../terminal.ts';
import { EXIT, UsageError } from '../../usage-error.ts';
import { formatTable, listOutputs, readCells } from './outputs.ts';

const METRIC_NAMES = [...(Object.keys(PLAIN_METRICS) as (keyof typeof PLAIN_METRICS)[]), ...MODEL_METRICS] as const;
type Metric = (typeof METRIC_NAMES)[number];

interface QualityOptions extends MetricOptions {
  outputs: string;
  metrics: string;
  json?: true;
}

export function addQualityCommand(evaluate: Command): void {
  const command = evaluate
    .command('quality')
    .description(
      'generated texts against their references: BLEU as sacrebleu’s, ROUGE as rouge_score’s, BERTScore as bert_score’s, 0 to 1; BARTScore and GPTScore are mean log-probabilities',
    )
    .requiredOption('--outputs <folder>', 'CSV files with columns goldens, generated_text')
    .option('--metrics <names>', `comma-separated: ${METRIC_NAMES.join(', ')}`, Object.keys(PLAIN_METRICS).join(','))
    .option('--json', 'as one JSON list');
  addMetricOptions(command).action(run);
}

async function run(options: QualityOptions): Promise<void> {
  const names = parseMetrics(options.metrics);
  // All are read before anything is scored: a faulty one would otherwise be found when others have taken their time.
  const files: { dataset: string; texts: string[]; references: string[] }[] = [];
  for (const { dataset, path } of await listOutputs(options.outputs)) {
    const rows = await readCells(path, ['goldens', 'generated_text']);
    const texts = rows.map(({ generated_text }) => generated_text);
    files.push({ dataset, texts, references: rows.map(({ goldens }) => goldens) });
  }
  const signal = interruptSignal();
  const metrics: Pick<TextMetric, 'score' | 'dispose'>[] = [];
  try {
    for (const name of names) metrics.push(await startMetric(name, options, signal));
    const reports: QualityReport[] = [];
    for (const { dataset, texts, references } of files) {
      const scores: Record<string, number | null> = {};
      for (const metric of metrics) Object.assign(scores, await metric.score(texts, references));
      reports.push({ dataset, rows: texts.length, scores });
    }
    await print(options.json ? jsonOf(reports) : tableOf(reports));
    if (files.some(({ dataset }) => isImhiDataset(dataset))) note(RESPONSIBLE_USE);
  } catch (error) {
    if (!signal.aborted) throw error;
    process.exitCode = EXIT.interrupted;
  } finally {
    for (const metric of metrics) await metric.dispose();
  }
}

async function startMetric(
  name: Metric,
  options: MetricOptions,
  signal: AbortSignal,
): Promise<Pick<TextMetric, 'score' | 'dispose'>> {
  if (isModelMetric(name)) return startModelMetric(name, options, signal);
  return {
    score: async (texts, references) => PLAIN_METRICS[name](texts, references),
    dispose: async () => undefined,
  };
}

function isModelMetric(name: Metric): name is ModelMetric {
  return (MODEL_METRICS as readonly string[]).includes(name);
}

function jsonOf(reports: readonly QualityReport[]): string {
  return `${JSON.stringify(reports.map(flatQuality), undefined, 2)}\n`;
}

function tableOf(reports: readonly QualityReport[]): string {
  const columns = Object.keys(reports[0]?.scores ?? {});
  return formatTable(
    ['data set', 'rows', ...columns],
    reports.map(({ dataset, rows, scores }) => [
      dataset,
      String(rows),
      ...columns.map((column) => scores[column]?.toFixed(4) ?? '–'),
    ]),
  );
}

function parseMetrics(text: string): Metric[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.filter((name) => !(METRIC_NAMES as readonly string[]).includes(name));
  if (unknown.length > 0) {
    throw new UsageError(`There is no metric “${unknown.join(', ')}”. Known: ${METRIC_NAMES.join(', ')}.`);
  }
  return names as Metric[];
}
