import type { Command } from 'commander';
import { ENDPOINT_HELP, readApiKey } from '../api-key.ts';
import { parseCount, parseNumber } from '../generate-options.ts';
import { UsageError } from '../usage-error.ts';
import { startBartScore } from './bart-score-metric.ts';
import { startBertScore } from './bert-score-metric.ts';
import { createGptScore } from './gpt-score-metric.ts';
import type { TextMetric } from './text-metric.ts';

/** Measures that a model makes. */
export const MODEL_METRICS = ['bertscore', 'bartscore', 'gptscore'] as const;
export type ModelMetric = (typeof MODEL_METRICS)[number];

export interface MetricOptions {
  bertscoreModel?: string;
  bertscoreLayer?: number;
  bertscoreIdf?: true;
  bertscoreBaseline?: string;
  bartscoreModel?: string;
  threads?: number;
  endpoint?: string;
  model?: string;
  concurrency: number;
}

export function addMetricOptions(command: Command): Command {
  return command
    .option('--bertscore-model <folder>', 'a BERT’s or RoBERTa’s checkpoint as published')
    .option(
      '--bertscore-layer <number>',
      'whose states are compared; by default bert_score’s for the name',
      parseNumber,
    )
    .option('--bertscore-idf', 'rare tokens of the references count more')
    .option(
      '--bertscore-baseline <file>',
      'rescale with the layer’s baseline, as bert_score’s rescale_with_baseline: its LAYER,P,R,F file for the model',
    )
    .option(
      '--bartscore-model <folder>',
      'a BART’s checkpoint as published: bart-large-cnn, with the weights that BARTScore released or its own',
    )
    .option('--threads <number>', 'for bertscore and bartscore; by default one for each core', parseCount)
    .option('--endpoint <url>', `for gptscore: ${ENDPOINT_HELP}; it must know echo and logprobs`)
    .option('--model <name>', 'for gptscore: its name there')
    .option('--concurrency <number>', 'requests at a time to it', parseCount, 8);
}

/** @throws UsageError where an option lacks; AlignError of what is loaded */
export async function startModelMetric(
  name: ModelMetric,
  options: MetricOptions,
  signal: AbortSignal,
): Promise<TextMetric> {
  switch (name) {
    case 'bertscore': {
      const { bertscoreModel: folder, bertscoreLayer: layer, threads } = options;
      if (folder === undefined) throw new UsageError('bertscore needs --bertscore-model FOLDER.');
      if (layer !== undefined && !(Number.isInteger(layer) && layer >= 0)) {
        throw new UsageError(`--bertscore-layer is ${layer}; it must be a whole number, 0 for the embeddings.`);
      }
      const isWeightedByRarity = options.bertscoreIdf === true;
      const { bertscoreBaseline: baselinePath } = options;
      return startBertScore({ folder, layer, threads, isWeightedByRarity, baselinePath }, signal);
    }
    case 'bartscore': {
      const { bartscoreModel: folder, threads } = options;
      if (folder === undefined) throw new UsageError('bartscore needs --bartscore-model FOLDER.');
      return startBartScore({ folder, threads }, signal);
    }
    case 'gptscore': {
      const { endpoint: url, model, concurrency } = options;
      if (url === undefined || model === undefined)
        throw new UsageError('gptscore needs --endpoint URL and --model NAME.');
      if (!URL.canParse(url)) throw new UsageError(`--endpoint ${url} is no address.`);
      return createGptScore({ url, model, apiKey: readApiKey() }, concurrency, signal);
    }
    default:
      return name satisfies never;
  }
}
