import type { Command } from 'commander';
import { corpusBleu } from '../../../src/evaluation/bleu.ts';
import { meanRouge } from '../../../src/evaluation/rouge.ts';
import { print } from '../../terminal.ts';
import { UsageError } from '../../usage-error.ts';
import { formatTable, listOutputs, readCells } from './outputs.ts';

const METRICS = {
  bleu: (texts: readonly string[], references: readonly string[]) => ({ bleu: corpusBleu(texts, references) }),
  rouge: (texts: readonly string[], references: readonly string[]) => ({ ...meanRouge(texts, references) }),
} as const satisfies Record<string, (texts: string[], references: string[]) => Record<string, number>>;
type Metric = keyof typeof METRICS;
const METRIC_NAMES = Object.keys(METRICS) as Metric[];

export function addQualityCommand(evaluate: Command): void {
  evaluate
    .command('quality')
    .description('generated texts against their references: BLEU as sacrebleu’s, ROUGE as rouge_score’s, 0 to 1')
    .requiredOption('--outputs <folder>', 'CSV files with columns goldens, generated_text')
    .option('--metrics <names>', `comma-separated: ${METRIC_NAMES.join(', ')}`, METRIC_NAMES.join(','))
    .option('--json', 'as one JSON list')
    .action(async (options: { outputs: string; metrics: string; json?: true }) => {
      const metrics = parseMetrics(options.metrics);
      const reports: { dataset: string; rows: number; scores: Record<string, number> }[] = [];
      for (const { dataset, path } of await listOutputs(options.outputs)) {
        const rows = await readCells(path, ['goldens', 'generated_text']);
        const texts = rows.map(({ generated_text }) => generated_text);
        const references = rows.map(({ goldens }) => goldens);
        const scores = Object.assign({}, ...metrics.map((name) => METRICS[name](texts, references))) as Record<
          string,
          number
        >;
        reports.push({ dataset, rows: rows.length, scores });
      }
      if (options.json) {
        const list = reports.map(({ dataset, rows, scores }) => ({ dataset, rows, ...scores }));
        await print(`${JSON.stringify(list, undefined, 2)}\n`);
        return;
      }
      const columns = Object.keys(reports[0]?.scores ?? {});
      await print(
        formatTable(
          ['data set', 'rows', ...columns],
          reports.map(({ dataset, rows, scores }) => [
            dataset,
            String(rows),
            ...columns.map((column) => scores[column]!.toFixed(4)),
          ]),
        ),
      );
    });
}

function parseMetrics(text: string): Metric[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.filter((name) => !(name in METRICS));
  if (unknown.length > 0) {
    throw new UsageError(`There is no metric “${unknown.join(', ')}”. Known: ${METRIC_NAMES.join(', ')}.`);
  }
  return names as Metric[];
}
