import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Aligner, localAligner } from '../src/align/aligner.ts';
import { CATALOGUE, familyOfName } from '../src/align/catalogue.ts';
import type { SamplingOptions } from '../src/align/engine.ts';
import { AlignError } from '../src/align/errors.ts';
import { TEMPLATE_IDS, type TemplateId } from '../src/align/prompt.ts';
import { loadTokenizer, type Tokenizer } from '../src/align/tokenizer.ts';
import { readText } from '../src/convert/byte-source.ts';
import type { LlamaConfig } from '../src/convert/llama-config.ts';
import { MANIFEST_PATH } from '../src/convert/manifest.ts';
import { parseCheckpointSampling } from '../src/engines/checkpoint-sampling.ts';
import { Upstreams, upstreamUrl } from '../src/engines/upstreams.ts';
import { openNodeFile, openNodeFolder } from '../src/weights/node-folder.ts';
import { findModel } from './model-lookup.ts';
import { asUsage, UsageError } from './usage-error.ts';

/** The variable that holds the upstreams' key, so that it stands in no shell history. */
export const UPSTREAM_KEY_VARIABLE = 'METAALIGNER_UPSTREAM_KEY';

export interface UpstreamOptions {
  upstream: readonly string[];
  upstreamModel?: string;
  /** Folder, GGUF or id whose tokenizer is used. Undefined: texts are exchanged. */
  model?: string;
  family?: TemplateId;
  /** Requests at a time; by default so many for each upstream as vLLM batches well. */
  concurrency?: number;
  /** Seconds without a byte. */
  stall: number;
}

const CONCURRENCY_PER_UPSTREAM = 64;
const PROBE_EVERY_MS = 1_000;

/**
 * An aligner whose model is behind OpenAI-compatible servers, which are watched until the signal aborts.
 *
 * @throws UsageError; AlignError as `Upstreams.discover` and what opening the model throws
 */
export async function openUpstreamAligner(
  options: UpstreamOptions,
  signal: AbortSignal,
): Promise<{ id: string; family: TemplateId; aligner: Aligner; upstreams: Upstreams }> {
  const upstreams = new Upstreams({
    urls: options.upstream.map((text) => asUsage(() => upstreamUrl(text))),
    apiKey: process.env[UPSTREAM_KEY_VARIABLE],
    model: options.upstreamModel,
    stallMs: options.stall * 1000,
  });
  const maxConcurrency = options.concurrency ?? CONCURRENCY_PER_UPSTREAM * options.upstream.length;
  const tokens = options.model === undefined ? undefined : await openTokenizer(options.model);
  const told = await upstreams.discover(signal);
  // A router may not pass on what its servers tell.
  const contextLength = told.contextLength ?? CATALOGUE.find(({ id }) => id === upstreams.model)?.contextLength;
  const family = options.family ?? tokens?.family ?? familyOfName(upstreams.model);
  if (family === undefined) {
    throw new UsageError(
      `“${upstreams.model}” does not tell its family; say --family with one of ${TEMPLATE_IDS.join(', ')}.`,
    );
  }
  setInterval(() => void upstreams.probe(signal), PROBE_EVERY_MS).unref();
  const found = { id: upstreams.model, family, upstreams };
  if (tokens === undefined) {
    const { OpenAiAligner } = await import('../src/engines/openai-aligner.ts');
    return { ...found, aligner: new OpenAiAligner(upstreams, { maxConcurrency, contextLength }) };
  }
  const { OpenAiEngine } = await import('../src/engines/openai-engine.ts');
  const shortest = Math.min(tokens.config.contextLength, contextLength ?? Infinity);
  const engine = new OpenAiEngine(upstreams, { ...tokens.config, contextLength: shortest, maxConcurrency });
  const { tokenizer, checkpointSampling } = tokens;
  return { ...found, aligner: localAligner({ tokenizer, checkpointSampling, engine }) };
}

interface TokenSide {
  family: TemplateId | undefined;
  config: LlamaConfig;
  tokenizer: Tokenizer;
  checkpointSampling: SamplingOptions;
}

/** What is needed of a model whose weights are elsewhere: of a checkpoint's folder, a GGUF or a converted model. */
async function openTokenizer(folderOrId: string): Promise<TokenSide> {
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

async function readTokenSide(
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
