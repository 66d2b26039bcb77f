import { AlignError } from '../align/errors.ts';
import { type ModelEndpoint, type PostOptions, postWithBackOff } from './post-with-back-off.ts';

export interface ChatMessage {
  role: 'system' | 'user';
  content: string;
}

/** What is sent beside the messages. */
export interface ChatContent extends Record<string, unknown> {
  model: string;
  messages: readonly ChatMessage[];
}

export interface ChatReply {
  text: string;
  /** Whether the reply ended at the limit that was asked for. */
  isCutOff?: boolean;
  /** Told by the server; 0 where it does not. */
  promptTokens: number;
  replyTokens: number;
}

/** @throws AlignError as {@link postWithBackOff}, and `server-unreachable` for a reply that is no chat completion */
export async function chat(endpoint: ModelEndpoint, content: ChatContent, options: PostOptions): Promise<ChatReply> {
  const { url, body } = await postWithBackOff(endpoint, 'chat/completions', content, options);
  interface Completion {
    choices?: { message?: { content?: unknown }; finish_reason?: unknown }[];
    usage?: { prompt_tokens?: unknown; completion_tokens?: unknown };
  }
  let value: Completion | null = null;
  try {
    value = JSON.parse(body) as Completion | null;
  } catch {
    // Told below with what came instead.
  }
  const choice = value?.choices?.[0];
  const message = choice?.message;
  // A model that thought until its limit replies with null: an empty reply.
  if (message === undefined || (typeof message.content !== 'string' && message.content !== null)) {
    throw new AlignError('server-unreachable', `${url} answered with no chat completion: ${body.slice(0, 300)}`);
  }
  const count = (tokens: unknown) => (Number.isSafeInteger(tokens) ? Math.max(0, tokens as number) : 0);
  return {
    text: message.content ?? '',
    ...(choice?.finish_reason === 'length' && { isCutOff: true }),
    promptTokens: count(value?.usage?.prompt_tokens),
    replyTokens: count(value?.usage?.completion_tokens),
  };
}
