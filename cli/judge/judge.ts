import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chatTemplateOf } from '../../src/align/chat-format.ts';
import { encodeChat } from '../../src/align/chat-sections.ts';
import { generateText } from '../../src/align/generate-text.ts';
import { GREEDY } from '../../src/align/request.ts';
import type { Variant } from '../../src/align/variant.ts';
import { chat, type ChatReply } from '../../src/batch/chat-endpoint.ts';
import type { ModelFolder } from '../../src/weights/node-model-folders.ts';
import { loadLocalModel } from '../generate-options.ts';
import { note } from '../terminal.ts';
import type { JudgeCall } from './ask-judge.ts';
import { digestOf } from './verdict-cache.ts';

/** What answers a judge's calls. */
export interface Judge {
  /** @throws AlignError; the signal's reason */
  ask: (call: JudgeCall, signal: AbortSignal) => Promise<ChatReply>;
  dispose: () => Promise<void>;
}

/** A verdict is a digit; a model that reasons first has this much room for it. */
const MAX_REPLY_TOKENS = 256;
/** Rows of one forward pass; their caches are all in memory. */
const MAX_LOCAL_CONCURRENCY = 4;

export function endpointJudge(url: string, apiKey: string | undefined): Judge {
  return {
    ask: ({ content }, signal) => chat({ url, model: content.model, apiKey }, content, { signal }),
    dispose: async () => undefined,
  };
}

export interface LocalJudgeOptions {
  variant?: Variant;
  threads?: number;
  concurrency: number;
}

/** What its replies depend on, in place of an address. */
export function localAddress({ manifest }: ModelFolder, { variant }: LocalJudgeOptions): string {
  return `local:${digestOf([manifest.variants, manifest.sidecars, variant ?? 'auto'])}`;
}

/**
 * A converted model on this machine, asked in its own chat template; without one, in the bare text. Greedy at temperature
 * 0, else as the checkpoint says, with the repeat's number as the seed.
 */
export async function startLocalJudge(
  folder: ModelFolder,
  options: LocalJudgeOptions,
  signal: AbortSignal,
): Promise<Judge> {
  const { directory, id } = folder;
  const concurrency = Math.min(options.concurrency, MAX_LOCAL_CONCURRENCY);
  const config = JSON.parse(await readFile(join(directory, 'tokenizer_config.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  const template = (await readOptional(join(directory, 'chat_template.jinja'))) ?? chatTemplateOf(config);
  if (template === undefined) note(`${id} has no chat template; it is asked in the bare text.`);
  const { model } = await loadLocalModel(folder, { ...options, concurrency }, signal);
  const { tokenizer, checkpointSampling } = model;
  return {
    ask: async ({ content, repeat }, askSignal) => {
      const { messages, temperature } = content;
      const promptIds = encodeChat(messages, { template, tokenizerConfig: config }, tokenizer);
      const sampling = temperature === 0 ? GREEDY : { ...checkpointSampling, seed: repeat };
      const generateOptions = { maxNewTokens: MAX_REPLY_TOKENS, sampling };
      const { text, promptTokens, newTokens } = await generateText(promptIds, model, generateOptions, askSignal);
      return { text, promptTokens, replyTokens: newTokens };
    },
    dispose: () => model.engine.dispose(),
  };
}

async function readOptional(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}
