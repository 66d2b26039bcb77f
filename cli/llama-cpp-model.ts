import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { AlignerModel } from '../src/align/align.ts';
import { familyOfName } from '../src/align/catalogue.ts';
import type { TemplateId } from '../src/align/prompt.ts';
import { describeGguf } from '../src/convert/checkpoint/open-gguf.ts';
import type { LlamaCppDevice } from '../src/engines/llama-cpp-engine.ts';
import { openNodeFile, openNodeFolder } from '../src/weights/node-folder.ts';
import { readTokenSide } from './token-side.ts';
import { UsageError } from './usage-error.ts';

export interface LlamaCppModelOptions {
  device?: LlamaCppDevice;
  threads?: number;
  /** Generations at a time; each takes memory for a whole context. */
  concurrency?: number;
  /** Tokens; by default the model's own length. */
  contextLength?: number;
}

/**
 * Loads a GGUF with llama.cpp.
 *
 * @param path  the file, the first part of a split one, or a folder with one model
 * @throws UsageError; AlignError as `describeGguf` and `createLlamaCppEngine`
 */
export async function loadLlamaCppModel(
  path: string,
  { contextLength, ...options }: LlamaCppModelOptions,
  signal: AbortSignal,
): Promise<{ id: string; family: TemplateId | undefined; model: AlignerModel }> {
  const file = await ggufOf(path);
  const { config, sidecars } = await describeGguf(await openNodeFile(file));
  if (contextLength !== undefined && contextLength > config.contextLength) {
    throw new UsageError(`--context-length is ${contextLength}; the model reads ${config.contextLength} tokens.`);
  }
  const id = basename(file).replace(/(-\d{5}-of-\d{5})?\.gguf$/i, '');
  const side = await readTokenSide(file, familyOfName(id), config, async (name) => sidecars.get(name) ?? '{}');
  const { createLlamaCppEngine } = await import('../src/engines/llama-cpp-engine.ts');
  const engine = await createLlamaCppEngine({
    ...options,
    path: file,
    config: { ...config, contextLength: contextLength ?? config.contextLength },
    signal,
  });
  const { family, tokenizer, checkpointSampling } = side;
  return { id, family, model: { tokenizer, checkpointSampling, engine } };
}

async function ggufOf(path: string): Promise<string> {
  const status = await stat(path).catch(() => undefined);
  if (status?.isDirectory() !== true) {
    // What is no file says so when it is opened.
    if (status === undefined || path.toLowerCase().endsWith('.gguf')) return path;
    throw new UsageError(
      `${path} is no GGUF: --engine llama-cpp runs those (llama.cpp’s convert_hf_to_gguf.py makes them).`,
    );
  }
  const names = (await (await openNodeFolder(path)).list()).filter((name) => /^[^/]*\.gguf$/i.test(name));
  const firsts = names.filter((name) => !/-\d{5}-of-\d{5}\.gguf$/i.test(name) || /-00001-of-/.test(name)).sort();
  const [first] = firsts;
  if (first === undefined) throw new UsageError(`${path} holds no GGUF.`);
  if (firsts.length > 1) throw new UsageError(`${path} holds several GGUFs: give one of ${firsts.join(', ')}.`);
  return join(path, first);
}
