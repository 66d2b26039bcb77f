import { AlignError } from '../../src/align/errors.ts';
import type { SamplingOptions } from '../../src/align/engine.ts';
import { generateText } from '../../src/align/generate-text.ts';
import { GREEDY, roomToGenerate } from '../../src/align/request.ts';
import { chat } from '../../src/batch/chat-endpoint.ts';
import { complete, samplingFields } from '../../src/batch/completions-endpoint.ts';
import type { ModelEndpoint } from '../../src/batch/post-with-back-off.ts';
import type { EditOutcome } from '../../src/batch/run-batch.ts';
import type { ModelFolder } from '../../src/weights/node-model-folders.ts';
import { loadLocalModel, samplingOf, type SamplingCommandOptions } from '../generate-options.ts';

/** How long an answer may be. */
export interface AnswerLimits {
  /** Query and answer together. */
  maxLength: number;
  /** Of the answer; undefined: what `maxLength` leaves. */
  maxNewTokens: number | undefined;
}

/** Answers a query that is sent as it is, in no template. */
export interface QueryRunner {
  /** What the answers depend on, for the journal. */
  identity: Record<string, unknown>;
  concurrency: number;
  /** @throws AlignError `prompt-too-long` for a query that leaves no room; the signal's reason */
  run: (query: string, signal: AbortSignal) => Promise<EditOutcome>;
  dispose: () => Promise<void>;
}

export async function startLocalQueryRunner(
  { id, directory, manifest }: ModelFolder,
  limits: AnswerLimits,
  options: SamplingCommandOptions & { batchSize: number },
  signal: AbortSignal,
): Promise<QueryRunner> {
  const folder = { id, directory, manifest };
  const { model, variant } = await loadLocalModel(folder, { ...options, concurrency: options.batchSize }, signal);
  const { seed = model.checkpointSampling.seed } = options;
  const sampling = options.useCheckpointSettings ? { ...model.checkpointSampling, seed } : samplingOf(options);
  const files = (manifest.variants[variant] ?? []).map(({ sizeBytes, sha256 }) => sha256 ?? sizeBytes);
  return {
    identity: { name: manifest.name, source: manifest.source, variant, files, sampling },
    concurrency: model.engine.maxConcurrency,
    run: async (query, runSignal) => {
      const promptIds = model.tokenizer.encode(query);
      const maxNewTokens = newTokensOf(promptIds.length, limits);
      const { text, newTokens, ...rest } = await generateText(promptIds, model, { maxNewTokens, sampling }, runSignal);
      return { edit: text, editTokens: newTokens, ...rest };
    },
    dispose: () => model.engine.dispose(),
  };
}

/** How a server is asked: for what follows a text, or for the reply to a message. */
export const ENDPOINT_INTERFACES = ['completions', 'chat'] as const;
export type EndpointInterface = (typeof ENDPOINT_INTERFACES)[number];

/** One answer, with the server's own settings where `sampling` is undefined. */
type Ask = (
  query: string,
  request: { maxNewTokens: number; sampling: SamplingOptions | undefined },
  signal: AbortSignal,
) => Promise<EditOutcome>;

/**
 * A model behind a completions or a chat interface; in a chat the query is one user's message, which the server puts into its
 * model's own template. Only the server can count the tokens of either, so each query is sent twice: for one token first,
 * whose reply tells the length.
 */
export function createEndpointQueryRunner(
  endpoint: ModelEndpoint,
  limits: AnswerLimits,
  options: SamplingCommandOptions & { concurrency: number; api: EndpointInterface },
): QueryRunner {
  const ask = options.api === 'chat' ? chatAsk(endpoint) : completionAsk(endpoint);
  const sampling: SamplingOptions | undefined = options.useCheckpointSettings ? undefined : samplingOf(options);
  return {
    identity: {
      endpoint: endpoint.url,
      model: endpoint.model,
      sampling: sampling ?? 'checkpoint',
      // Journals of before have no word of it.
      ...(options.api === 'chat' && { api: options.api }),
    },
    concurrency: options.concurrency,
    run: async (query, signal) => {
      const first = await ask(query, { maxNewTokens: 1, sampling: GREEDY }, signal);
      if (first.promptTokens === 0) {
        throw new AlignError(
          'server-unreachable',
          `${endpoint.url} does not say how many tokens a prompt has (usage.prompt_tokens), so answers cannot end at a total length.`,
        );
      }
      const maxNewTokens = newTokensOf(first.promptTokens, limits);
      return ask(query, { maxNewTokens, sampling }, signal);
    },
    dispose: async () => undefined,
  };
}

function completionAsk(endpoint: ModelEndpoint): Ask {
  return (prompt, request, signal) => complete(endpoint, { prompt, ...request }, { signal });
}

function chatAsk(endpoint: ModelEndpoint): Ask {
  return async (query, { maxNewTokens, sampling }, signal) => {
    const content = {
      model: endpoint.model,
      messages: [{ role: 'user', content: query }] as const,
      max_tokens: maxNewTokens,
      ...samplingFields(sampling),
    };
    const { text, isCutOff, promptTokens, replyTokens } = await chat(endpoint, content, { signal });
    return { edit: text, finishReason: isCutOff ? 'length' : 'stop', promptTokens, editTokens: replyTokens };
  };
}

function newTokensOf(promptTokens: number, { maxLength, maxNewTokens }: AnswerLimits): number {
  return Math.min(roomToGenerate(promptTokens, maxLength), maxNewTokens ?? Infinity);
}
