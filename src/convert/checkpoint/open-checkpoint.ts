import type { ByteSource, SourceFolder } from '../byte-source.ts';
import { missing } from './checkpoint-errors.ts';
import type { Checkpoint } from './checkpoint.ts';
import { type JsonObject, parseJsonObject } from './json-reader.ts';
import { selectLlamaTensors } from './llama-tensors.ts';
import { parseConfig } from './parse-config.ts';
import { readText, TEXT_LIMIT_BYTES } from './read-text.ts';
import { readSafetensors } from './safetensors.ts';
import { readShards } from './shards.ts';
import type { StoredTensor } from './stored-tensor.ts';

/**
 * Opens the checkpoint of a folder as published on Hugging Face.
 *
 * @throws AlignError `weights-missing` if a file that is needed is not there, `checkpoint-corrupt` if one is damaged,
 *   `unsupported-model` if the model asks for something we do not do
 */
export async function openCheckpoint(folder: SourceFolder): Promise<Checkpoint> {
  const paths = await folder.list();
  const weights = WEIGHT_FILES.find(({ path }) => paths.includes(path));
  if (weights === undefined) {
    throw missing(folder.name, `no weights found; looked for ${WEIGHT_FILES.map(({ path }) => path).join(', ')}`);
  }
  const generationText = await readOptional(folder, paths, 'generation_config.json');
  const generationConfig =
    generationText === undefined ? undefined : parseJsonObject(generationText, 'generation_config.json');
  const config = parseConfig(await readJson(folder, paths, 'config.json'), 'config.json', generationConfig);
  const stored = weights.isIndex
    ? await readShards(folder, paths, weights.path, weights.read)
    : await weights.read(await folder.open(weights.path));
  return {
    format: weights.format,
    config,
    ...selectLlamaTensors(config, stored, weights.path),
    sidecars: await readSidecars(folder, paths, generationText),
  };
}

interface WeightFile {
  path: string;
  isIndex: boolean;
  format: Checkpoint['format'];
  read: (source: ByteSource) => Promise<Map<string, StoredTensor>>;
}

/** In order of preference, which is transformers' own. */
const WEIGHT_FILES: readonly WeightFile[] = [
  { path: 'model.safetensors', isIndex: false, format: 'safetensors', read: readSafetensors },
  { path: 'model.safetensors.index.json', isIndex: true, format: 'safetensors', read: readSafetensors },
];

async function readSidecars(
  folder: SourceFolder,
  paths: readonly string[],
  generationText: string | undefined,
): Promise<Map<string, string>> {
  const sidecars = new Map<string, string>();
  for (const path of ['tokenizer.json', 'tokenizer_config.json']) {
    const text = await readOptional(folder, paths, path, TEXT_LIMIT_BYTES.tokenizer);
    if (text === undefined) throw missing(folder.name, `${path} is not there`);
    sidecars.set(path, text);
  }
  if (generationText !== undefined) sidecars.set('generation_config.json', generationText);
  return sidecars;
}

async function readJson(folder: SourceFolder, paths: readonly string[], path: string): Promise<JsonObject> {
  const text = await readOptional(folder, paths, path);
  if (text === undefined) throw missing(folder.name, `${path} is not there`);
  return parseJsonObject(text, path);
}

async function readOptional(
  folder: SourceFolder,
  paths: readonly string[],
  path: string,
  limitBytes: number = TEXT_LIMIT_BYTES.config,
): Promise<string | undefined> {
  return paths.includes(path) ? readText(await folder.open(path), limitBytes) : undefined;
}
