import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { familyOfName } from '../src/align/catalogue.ts';
import type { SamplingOptions } from '../src/align/engine.ts';
import { AlignError } from '../src/align/errors.ts';
import type { TemplateId } from '../src/align/prompt.ts';
import { loadTokenizer, type Tokenizer } from '../src/align/tokenizer.ts';
import { readText } from '../src/convert/byte-source.ts';
import type { LlamaConfig } from '../src/convert/llama-config.ts';
import { MANIFEST_PATH } from '../src/convert/manifest.ts';
import { parseCheckpointSampling } from '../src/engines/checkpoint-sampling.ts';
import { openNodeFile, openNodeFolder } from '../src/weights/node-folder.ts';
import { findModel } from './model-lookup.ts';

export interface TokenSide {
  family: TemplateId | undefined;
  config: LlamaConfig;
  tokenizer: Tokenizer;
  checkpointSampling: SamplingOptions;
}

/** What is needed of a model whose weights are elsewhere: of a checkpoint's folder, a GGUF or a converted model. */
export async function openTokenSide(folderOrId: string): Promise<TokenSide> {
  const status = await stat(folderOrId).catch(() => undefined);
  const isConverted = await stat(join(folderOrId, MANIFEST_PATH)).then(
    () => true,
    () => false,
  );
  if (status !== undefined && !isConverted) {
    const { openCheckpoint, openGgufFile } = await import('../src/convert/checkpoint/open-checkpoint.ts');
    const { config, sidecars } = status.isDirectory()
      ? await openCheckpoint(await openNodeFolder(folderOrId))
      : await openGgufFile(await openNodeFile(folderOrId));
    const read = async (path: string) => sidecars.get(path) ?? '{}';
    return readTokenSide(folderOrId, familyOfName(folderOrId), config, read);
  }
  const { directory, manifest } = await findModel(folderOrId);
  const folder = await openNodeFolder(directory);
  const read = async (path: string) => readText(await folder.open(path));
  return readTokenSide(folderOrId, manifest.family, manifest.config, read);
}

export async function readTokenSide(
  name: string,
  family: TemplateId | undefined,
  config: LlamaConfig,
  read: (path: string) => Promise<string>,
): Promise<TokenSide> {
  const parse = async (path: string): Promise<unknown> => {
    const text = await read(path);
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new AlignError('weights-corrupt', `${name}/${path} is not JSON.`, { cause, details: { path } });
    }
  };
  return {
    family,
    config,
    tokenizer: loadTokenizer(await parse('tokenizer.json'), await parse('tokenizer_config.json')),
    checkpointSampling: parseCheckpointSampling(
      await parse('generation_config.json'),
      `${name}/generation_config.json`,
    ),
  };
}
