import type { TrainingItem } from './training-item.ts';

/**
 * How items lie in a file. `fastchat`: a JSON list of {@link TrainingItem}; `jsonl`: the same, one a line; `openai`: JSONL
 * of chat messages; `parquet`: id and chat messages.
 */
export const ITEM_FORMATS = ['fastchat', 'jsonl', 'openai', 'parquet'] as const;
export type ItemFormat = (typeof ITEM_FORMATS)[number];

/** What a file of each format is named after its list. */
export const ITEM_EXTENSIONS: Record<ItemFormat, string> = {
  fastchat: 'json',
  jsonl: 'jsonl',
  openai: 'jsonl',
  parquet: 'parquet',
};

export interface ChatMessage {
  role: 'user' | 'assistant';
  content: string;
}

/** The prompt and the target as a chat. */
export function messagesOf({ conversations: [prompt, target] }: TrainingItem): [ChatMessage, ChatMessage] {
  return [
    { role: 'user', content: prompt.value },
    { role: 'assistant', content: target.value },
  ];
}
