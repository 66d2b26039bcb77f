import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { safetensors } from '../convert/classifier/small-classifier.fixture.ts';
import { MemoryFolder } from '../convert/small-llama.fixture.ts';

/** A checkpoint whose weights are drawn here as a reference script drew them. */
interface SmallCheckpoint {
  name: string;
  seed: number;
  config: Record<string, unknown>;
  tokenizer: object;
  tokenizerConfig: Record<string, unknown>;
  /** Tensors of the checkpoint. */
  shapes: Record<string, number[]>;
}

/** A small random encoder, and what bert_score makes of it. */
export interface EncoderCase extends SmallCheckpoint {
  layer: number;
  /** Of each text. */
  ids: number[][];
  /** Precision, recall, F1 of each pair. */
  equal: [number, number, number][];
  idf: [number, number, number][];
  /** With the baselines; of a BERT only. */
  rescaled?: [number, number, number][];
}

const FIXTURES = join(import.meta.dirname, '../evaluation/fixtures');
/** Made by scripts/reference/bert_score_cases.py with bert_score. */
export const BERT_SCORE_REFERENCE = JSON.parse(readFileSync(join(FIXTURES, 'bert-score.json'), 'utf8')) as {
  texts: string[];
  references: string[];
  /** A file of baselines. */
  baseline: string;
  cases: EncoderCase[];
};

/** Made by scripts/reference/bart_score_cases.py with transformers: the BARTScore of each pair. */
export const BART_SCORE_REFERENCE = JSON.parse(readFileSync(join(FIXTURES, 'bart-score.json'), 'utf8')) as {
  sources: string[];
  targets: string[];
  cases: (SmallCheckpoint & { scores: number[] })[];
};

/** The checkpoint as published: config.json, tokenizer files and model.safetensors with the case's weights. */
export function smallCheckpointFolder({
  config,
  tokenizer,
  tokenizerConfig,
  shapes,
  seed,
}: SmallCheckpoint): MemoryFolder {
  const folder = new MemoryFolder();
  const texts = { 'config.json': config, 'tokenizer.json': tokenizer, 'tokenizer_config.json': tokenizerConfig };
  for (const [name, json] of Object.entries(texts)) {
    folder.files.set(name, new TextEncoder().encode(JSON.stringify(json)));
  }
  const tensors = Object.entries(shapes).map(([name, shape], i) => ({ name, shape, seed: seed + i }));
  folder.files.set('model.safetensors', safetensors(tensors));
  return folder;
}
