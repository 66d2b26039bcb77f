import { AlignError } from '../../align/errors.ts';
import type { ByteSource, SourceFolder } from '../byte-source.ts';
import { corrupt, missing } from './checkpoint-errors.ts';
import type { Checkpoint } from './checkpoint.ts';
import { tokenizerFromSentencePiece } from '../tokenizer/sentencepiece.ts';
import { type TokenizerFiles, withChatTemplate } from '../tokenizer/tokenizer-files.ts';
import { findWeightFile, noWeights, readJson, readOptional, readWeights } from './checkpoint-folder.ts';
import { parseJsonObject } from './json-reader.ts';
import { selectLlamaTensors } from './llama-tensors.ts';
import { openGguf } from './open-gguf.ts';
import { generationConfigText, parseConfig } from './parse-config.ts';
import { TEXT_LIMIT_BYTES } from './read-text.ts';

/**
 * Opens the checkpoint of a folder as published on Hugging Face.
 *
 * @throws AlignError `weights-missing` if a file that is needed is not there, `checkpoint-corrupt` if one is damaged,
 *   `unsupported-model` if the model asks for something we do not do
 */
export async function openCheckpoint(folder: SourceFolder): Promise<Checkpoint> {
  const paths = await folder.list();
  const weights = findWeightFile(paths);
  const ggufPaths = paths.filter((path) => /^[^/]*\.gguf$/i.test(path)).sort();
  if (weights?.format !== 'safetensors' && ggufPaths.length > 0) return openGgufFolder(folder, ggufPaths);
  if (weights === undefined) throw noWeights(folder, ['*.gguf']);
  const generationText = await readOptional(folder, paths, 'generation_config.json');
  const generationConfig =
    generationText === undefined ? undefined : parseJsonObject(generationText, 'generation_config.json');
  const config = parseConfig(await readJson(folder, paths, 'config.json'), 'config.json', generationConfig);
  const stored = await readWeights(folder, paths, weights);
  return {
    format: weights.format,
    config,
    ...selectLlamaTensors(config, stored, weights.path),
    sidecars: await readSidecars(folder, paths, generationText ?? generationConfigText(config)),
  };
}

/** One GGUF, or all parts of one. */
async function openGgufFolder(folder: SourceFolder, paths: readonly string[]): Promise<Checkpoint> {
  const [first = ''] = paths;
  const part = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/i.exec(first);
  const isOneModel = paths.every((path, i) => {
    const [, name, number, count] = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/i.exec(path) ?? [];
    return part === null ? paths.length === 1 : name === part[1] && Number(number) === i + 1 && count === part[3];
  });
  if (!isOneModel || (part !== null && paths.length !== Number(part[3]))) {
    throw new AlignError(
      'invalid-request',
      `${folder.name} holds ${paths.length} GGUF files (${paths.slice(0, 10).join(', ')}) that are not all parts of ` +
        'one model: open one of them as a file.',
      { details: { folder: folder.name, paths } },
    );
  }
  const [source, ...rest] = await Promise.all(paths.map((path) => folder.open(path)));
  return openGguf([source!, ...rest]);
}

/** A single GGUF file outside a folder. */
export function openGgufFile(source: ByteSource): Promise<Checkpoint> {
  return openGguf(source);
}

async function readSidecars(
  folder: SourceFolder,
  paths: readonly string[],
  generationText: string,
): Promise<Map<string, string>> {
  const sidecars = new Map<string, string>();
  const template = await readOptional(folder, paths, 'chat_template.jinja');
  const tokenizer = withChatTemplate(await readTokenizer(folder, paths), template);
  sidecars.set('tokenizer.json', tokenizer.tokenizerJson);
  sidecars.set('tokenizer_config.json', tokenizer.tokenizerConfigJson);
  sidecars.set('generation_config.json', generationText);
  return sidecars;
}

/** Hugging Face's two files as they are; made from SentencePiece's where there is only that. */
async function readTokenizer(folder: SourceFolder, paths: readonly string[]): Promise<TokenizerFiles> {
  const tokenizerJson = await readOptional(folder, paths, 'tokenizer.json', TEXT_LIMIT_BYTES.tokenizer);
  const tokenizerConfigJson = await readOptional(folder, paths, 'tokenizer_config.json');
  if (tokenizerJson !== undefined && tokenizerConfigJson !== undefined) return { tokenizerJson, tokenizerConfigJson };
  if (!paths.includes('tokenizer.model')) {
    const absent = tokenizerJson === undefined ? 'tokenizer.json' : 'tokenizer_config.json';
    throw missing(folder.name, `there is neither ${absent} nor tokenizer.model`);
  }
  const source = await folder.open('tokenizer.model');
  if (source.sizeBytes > TEXT_LIMIT_BYTES.tokenizer) {
    throw corrupt(source.name, `${source.sizeBytes} bytes are too many (at most ${TEXT_LIMIT_BYTES.tokenizer})`);
  }
  const made = tokenizerFromSentencePiece(await source.read(0, source.sizeBytes));
  // A tokenizer.json is the more exact of the two even without its companion.
  return { ...made, ...(tokenizerJson === undefined ? {} : { tokenizerJson }) };
}
