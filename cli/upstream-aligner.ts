import { type Aligner, localAligner } from '../src/align/aligner.ts';
import { CATALOGUE, familyOfName } from '../src/align/catalogue.ts';
import { TEMPLATE_IDS, type TemplateId } from '../src/align/prompt.ts';
import { Upstreams, upstreamUrl } from '../src/engines/upstreams.ts';
import { openTokenSide } from './token-side.ts';
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
  const tokens = options.model === undefined ? undefined : await openTokenSide(options.model);
  const told = await upstreams.discover(signal);
  // A router may not pass on what its servers tell.
  const contextLength = told.contextLength ?? CATALOGUE.find(({ id }) => id === upstreams.model)?.contextLength;
  // llama-server calls a model by its file: where that is concerns nobody.
  const id = /[^/\\]*\.gguf$/i.exec(upstreams.model)?.[0].replace(/\.gguf$/i, '') ?? upstreams.model;
  const family = options.family ?? tokens?.family ?? familyOfName(id);
  if (family === undefined) {
    throw new UsageError(`“${id}” does not tell its family; say --family with one of ${TEMPLATE_IDS.join(', ')}.`);
  }
  setInterval(() => void upstreams.probe(signal), PROBE_EVERY_MS).unref();
  const found = { id, family, upstreams };
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
