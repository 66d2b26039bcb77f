import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '../checkpoint/json-reader.ts';
import { classifierTensorShapes } from '../onnx/sequence-classifier-plan.ts';
import { MemoryFolder, normalValues } from '../small-llama.fixture.ts';
import { parseClassifierConfig } from './classifier-config.ts';

/** A small random classifier, and what transformers makes of it. */
export interface ClassifierCase {
  name: string;
  seed: number;
  /** config.json */
  config: JsonObject;
  tokenizer: { model: { vocab: Record<string, number>; merges?: [string, string][] } };
  tokenizerConfig: JsonObject;
  /** Pieces by id. */
  vocabulary: string[];
  rows: { texts: [text: string, pair?: string]; ids: number[]; typeIds: number[]; logits: number[] }[];
  /** Ids of the second text, cut to 12. */
  cutTo12: number[];
}

/** Made by scripts/reference/small_classifiers.py. */
export const CLASSIFIER_CASES: readonly ClassifierCase[] = (
  JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures/small-classifiers.json'), 'utf8')) as {
    cases: ClassifierCase[];
  }
).cases;

/** The checkpoint as published: config.json, tokenizer files and model.safetensors with the case's weights. */
export function classifierCheckpointFolder(classifierCase: ClassifierCase): MemoryFolder {
  const { config, tokenizer, tokenizerConfig, seed } = classifierCase;
  const folder = new MemoryFolder();
  const texts = { 'config.json': config, 'tokenizer.json': tokenizer, 'tokenizer_config.json': tokenizerConfig };
  for (const [path, json] of Object.entries(texts)) {
    folder.files.set(path, new TextEncoder().encode(JSON.stringify(json)));
  }
  const shapes = [...classifierTensorShapes(parseClassifierConfig(config, 'config.json'))];
  const byName = shapes.sort(([one], [other]) => (one < other ? -1 : 1));
  folder.files.set(
    'model.safetensors',
    safetensors(byName.map(([name, shape], i) => ({ name, shape, seed: seed + i }))),
  );
  return folder;
}

/** model.safetensors with values drawn as the reference scripts do. */
export function safetensors(tensors: readonly { name: string; shape: readonly number[]; seed: number }[]): Uint8Array {
  const header: Record<string, object> = {};
  const contents: Uint8Array[] = [];
  let end = 0;
  for (const { name, shape, seed } of tensors) {
    const values = normalValues(
      shape.reduce((product, size) => product * size, 1),
      seed,
    );
    const isNorm = /norm|ln_/.test(name.toLowerCase()) && name.endsWith('weight');
    const scale = Math.fround(Math.sqrt(shape.at(-1) ?? 1));
    for (const [i, value] of values.entries()) {
      values[i] = shape.length > 1 ? value / scale : Math.fround(value / Math.fround(10)) + (isNorm ? 1 : 0);
    }
    contents.push(new Uint8Array(values.buffer));
    header[name] = { dtype: 'F32', shape, data_offsets: [end, (end += values.byteLength)] };
  }
  const head = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(8 + head.length + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(head.length), true);
  bytes.set(head, 8);
  let offset = 8 + head.length;
  for (const content of contents) {
    bytes.set(content, offset);
    offset += content.length;
  }
  return bytes;
}
