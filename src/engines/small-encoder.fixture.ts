import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { safetensors } from '../convert/classifier/small-classifier.fixture.ts';
import { MemoryFolder } from '../convert/small-llama.fixture.ts';

/** A small random encoder, and what bert_score makes of it. */
export interface EncoderCase {
  name: string;
  seed: number;
  layer: number;
  config: Record<string, unknown>;
  tokenizer: object;
  tokenizerConfig: Record<string, unknown>;
  /** Tensors of the checkpoint. */
  shapes: Record<string, number[]>;
  /** Of each text. */
  ids: number[][];
  /** Precision, recall, F1 of each pair. */
  equal: [number, number, number][];
  idf: [number, number, number][];
}

const path = join(import.meta.dirname, '../evaluation/fixtures/bert-score.json');
/** Made by scripts/reference/bert_score_cases.py with bert_score. */
export const BERT_SCORE_REFERENCE = JSON.parse(readFileSync(path, 'utf8')) as {
  texts: string[];
  references: string[];
  cases: EncoderCase[];
};

/** The checkpoint as published: config.json, tokenizer files and model.safetensors with the case's weights. */
export function encoderCheckpointFolder({
  config,
  tokenizer,
  tokenizerConfig,
  shapes,
  seed,
}: EncoderCase): MemoryFolder {
  const folder = new MemoryFolder();
  const texts = { 'config.json': config, 'tokenizer.json': tokenizer, 'tokenizer_config.json': tokenizerConfig };
  for (const [name, json] of Object.entries(texts)) {
    folder.files.set(name, new TextEncoder().encode(JSON.stringify(json)));
  }
  const tensors = Object.entries(shapes).map(([name, shape], i) => ({ name, shape, seed: seed + i }));
  folder.files.set('model.safetensors', safetensors(tensors));
  return folder;
}
