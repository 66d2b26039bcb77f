import type { AlignError } from '../../align/errors.ts';
import type { ByteSource, SourceFolder } from '../byte-source.ts';
import { missing } from './checkpoint-errors.ts';
import { type JsonObject, parseJsonObject } from './json-reader.ts';
import { readText, TEXT_LIMIT_BYTES } from './read-text.ts';
import { readSafetensors } from './safetensors.ts';
import { readShards } from './shards.ts';
import type { StoredTensor } from './stored-tensor.ts';
import { readTorch } from './torch.ts';

export interface WeightFile {
  path: string;
  isIndex: boolean;
  format: 'safetensors' | 'torch';
  read: (source: ByteSource) => Promise<Map<string, StoredTensor>>;
}

/** In order of preference, which is transformers' own; a GGUF comes before torch's. */
const WEIGHT_FILES: readonly WeightFile[] = [
  { path: 'model.safetensors', isIndex: false, format: 'safetensors', read: readSafetensors },
  { path: 'model.safetensors.index.json', isIndex: true, format: 'safetensors', read: readSafetensors },
  { path: 'pytorch_model.bin', isIndex: false, format: 'torch', read: readTorch },
  { path: 'pytorch_model.bin.index.json', isIndex: true, format: 'torch', read: readTorch },
];

/** The weights of a folder of Hugging Face's, by its paths; undefined where there are none. */
export function findWeightFile(paths: readonly string[]): WeightFile | undefined {
  return WEIGHT_FILES.find(({ path }) => paths.includes(path));
}

/** @param others  what was looked for besides */
export function noWeights(folder: SourceFolder, others: readonly string[] = []): AlignError {
  const looked = [...WEIGHT_FILES.map(({ path }) => path), ...others].join(', ');
  return missing(folder.name, `no weights found; looked for ${looked}`);
}

/** All tensors of the weights, by name; headers are read, no data. */
export async function readWeights(
  folder: SourceFolder,
  paths: readonly string[],
  weights: WeightFile,
): Promise<Map<string, StoredTensor>> {
  return weights.isIndex
    ? readShards(folder, paths, weights.path, weights.read)
    : weights.read(await folder.open(weights.path));
}

/** @throws AlignError `weights-missing` where it is not there; `checkpoint-corrupt` where it is no JSON object */
export async function readJson(folder: SourceFolder, paths: readonly string[], path: string): Promise<JsonObject> {
  const text = await readOptional(folder, paths, path);
  if (text === undefined) throw missing(folder.name, `${path} is not there`);
  return parseJsonObject(text, path);
}

/** @returns undefined where it is not there */
export async function readOptional(
  folder: SourceFolder,
  paths: readonly string[],
  path: string,
  limitBytes: number = TEXT_LIMIT_BYTES.config,
): Promise<string | undefined> {
  return paths.includes(path) ? readText(await folder.open(path), limitBytes) : undefined;
}
