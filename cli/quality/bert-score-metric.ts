import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { openEncoderCheckpoint } from '../../src/convert/checkpoint/open-encoder.ts';
import { parseJsonObject } from '../../src/convert/checkpoint/json-reader.ts';
import { convertEncoder } from '../../src/convert/encoder/convert-encoder.ts';
import type { Encoder } from '../../src/engines/encoder.ts';
import {
  baselineOf,
  type BertScore,
  bertScore,
  equalWeights,
  idfWeights,
  rescaled,
  type ScoredText,
} from '../../src/evaluation/bert-score.ts';
import { openNodeFolder } from '../../src/weights/node-folder.ts';
import { ProgressLine } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';
import { startConvertedSession } from './converted-session.ts';
import { meanOf, type TextMetric } from './text-metric.ts';

export interface BertScoreOptions {
  /** A BERT's or RoBERTa's folder as published. */
  folder: string;
  /** By default bert_score's choice for the folder's name. */
  layer: number | undefined;
  /** Rare tokens of the references count more. */
  isWeightedByRarity: boolean;
  /** A file of baselines as bert_score's; undefined: scores stay as they are. */
  baselinePath: string | undefined;
  threads: number | undefined;
}

/** @see bert_score 0.3.13, utils.py, model2layers */
const DEFAULT_LAYERS: Readonly<Record<string, number>> = {
  'bert-base-uncased': 9,
  'bert-large-uncased': 18,
  'bert-base-multilingual-cased': 9,
  'bert-base-chinese': 8,
  'roberta-base': 10,
  'roberta-large': 17,
  'roberta-large-mnli': 19,
  scibert_scivocab_uncased: 8,
  scibert_scivocab_cased: 9,
};

/** States of so many pairs are in memory at a time. */
const PAIRS_AT_A_TIME = 64;

/** BERTScore with an encoder that is converted for this run. */
export async function startBertScore(options: BertScoreOptions, signal: AbortSignal): Promise<TextMetric> {
  const { folder, isWeightedByRarity } = options;
  const layer = options.layer ?? DEFAULT_LAYERS[basename(resolve(folder))];
  if (layer === undefined) {
    throw new UsageError(
      `Which layer of ${folder} is meant? Say --bertscore-layer N; known are those of ${Object.keys(DEFAULT_LAYERS).join(', ')}.`,
    );
  }
  const baseline = options.baselinePath === undefined ? undefined : await readBaseline(options.baselinePath, layer);
  const { encoder, remove } = await startEncoder(folder, layer, options.threads, signal);
  const scoreAll = async (texts: readonly string[], references: readonly string[]) => {
    const surrounding = new Set(encoder.tokenize('').ids);
    const weights = isWeightedByRarity
      ? idfWeights(references.map((reference) => encoder.tokenize(reference).ids))
      : equalWeights(surrounding);
    const scores: BertScore[] = [];
    const progress = new ProgressLine();
    for (let start = 0; start < texts.length; start += PAIRS_AT_A_TIME) {
      const some = [texts, references].map((list) => list.slice(start, start + PAIRS_AT_A_TIME));
      const count = some[0]!.length;
      const encoded = new Array<ScoredText>(2 * count);
      const tokenized = some.flat().map((text) => encoder.tokenize(text));
      await encoder.encode(tokenized, (i, one) => (encoded[i] = one), { signal });
      for (let i = 0; i < count; i++) {
        const score = bertScore(encoded[i]!, encoded[count + i]!, weights);
        scores.push(baseline === undefined ? score : rescaled(score, baseline));
      }
      progress.show('BERTScore', scores.length / texts.length, `${scores.length} of ${texts.length}`);
    }
    progress.end();
    return scores;
  };
  return {
    score: async (texts, references) => {
      const scores = await scoreAll(texts, references);
      const mean = (key: keyof BertScore) => meanOf(scores.map((score) => score[key]));
      return { bertScorePrecision: mean('precision'), bertScoreRecall: mean('recall'), bertScoreF1: mean('f1') };
    },
    scoreRows: async (texts, references) => (await scoreAll(texts, references)).map(({ f1 }) => f1),
    dispose: async () => {
      await encoder.dispose();
      await remove();
    },
  };
}

async function readBaseline(path: string, layer: number): Promise<BertScore> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new UsageError(`The baselines ${path} cannot be read.`, { cause });
  });
  try {
    return baselineOf(text, layer);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new UsageError(`${path} is no file of baselines for layer ${layer}. ${cause.message}`, { cause });
  }
}

async function startEncoder(
  path: string,
  layer: number,
  threads: number | undefined,
  signal: AbortSignal,
): Promise<{ encoder: Encoder; remove: () => Promise<void> }> {
  const { Encoder } = await import('../../src/engines/encoder.ts');
  const checkpoint = await openEncoderCheckpoint(await openNodeFolder(path), layer);
  const { tokenizerJson, tokenizerConfigJson } = checkpoint.tokenizer;
  const tokenizer = {
    tokenizerJson: parseJsonObject(tokenizerJson, 'tokenizer.json'),
    tokenizerConfigJson: parseJsonObject(tokenizerConfigJson, 'tokenizer_config.json'),
  };
  const { remove, ...started } = await startConvertedSession(
    (target) => convertEncoder(checkpoint, target, { signal }),
    threads,
  );
  return { encoder: new Encoder({ config: checkpoint.config, ...tokenizer, ...started }), remove };
}
