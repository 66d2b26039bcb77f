import type { SourceFolder } from '../byte-source.ts';
import { classifierTokenizerFiles } from '../tokenizer/classifier-tokenizer.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizer-files.ts';
import { readOptional } from './checkpoint-folder.ts';
import { TEXT_LIMIT_BYTES } from './read-text.ts';

/**
 * The tokenizer of a model that reads texts, from whichever files its folder has.
 *
 * @param paths  of the folder
 * @throws AlignError `weights-missing` that names what is absent; `checkpoint-corrupt`
 */
export async function readTextTokenizer(
  folder: SourceFolder,
  paths: readonly string[],
  model: Parameters<typeof classifierTokenizerFiles>[0],
): Promise<TokenizerFiles> {
  const read = (path: string, limitBytes?: number) => readOptional(folder, paths, path, limitBytes);
  return classifierTokenizerFiles(model, folder.name, {
    tokenizerJson: await read('tokenizer.json', TEXT_LIMIT_BYTES.tokenizer),
    tokenizerConfigJson: await read('tokenizer_config.json'),
    vocabularyText: await read('vocab.txt', TEXT_LIMIT_BYTES.tokenizer),
    vocabularyJson: await read('vocab.json', TEXT_LIMIT_BYTES.tokenizer),
    mergesText: await read('merges.txt', TEXT_LIMIT_BYTES.tokenizer),
  });
}
