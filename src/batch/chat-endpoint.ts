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

/** @throws AlignError as {@link postWithBackOff}; a reply that is no chat completion is tried again too */
export async function chat(endpoint: ModelEndpoint, content: ChatContent, options: PostOptions): Promise<ChatReply> {
  const faultOf = (text: string) => (readReply(text) === undefined ? 'no chat completion' : undefined);
  const { body } = await postWithBackOff(endpoint, 'chat/completions', content, { ...options, faultOf });
  return readReply(body)!;
}

/** @returns undefined for what is no chat completion */
function readReply(body: string): ChatReply | undefined {
  interface Completion {
    choices?: { message?: { content?: unknown } | null; finish_reason?: unknown }[];
    usage?: { prompt_tokens?: unknown; completion_tokens?: unknown };
  }
  let value: Completion | null;
  try {
    value = JSON.parse(body) as Completion | null;
  } catch {
    return undefined;
  }
  const choice = value?.choices?.[0];
  const content = choice?.message?.content;
  // A model that thought until its limit replies with null: an empty reply.
  if (typeof content !== 'string' && content !== null) return undefined;
  const count = (tokens: unknown) => (Number.isSafeInteger(tokens) ? Math.max(0, tokens as number) : 0);
  return {
    text: content ?? '',
    ...(choice?.finish_reason === 'length' && { isCutOff: true }),
    promptTokens: count(value?.usage?.prompt_tokens),
    replyTokens: count(value?.usage?.completion_tokens),
  };
}
