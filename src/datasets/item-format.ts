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

/** Formats that are text, and what stands before, between and after the items. */
export const ITEM_FRAMES = {
  fastchat: { start: '[\n', between: ',\n', end: '\n]\n', none: '[]\n' },
  jsonl: { start: '', between: '\n', end: '\n', none: '' },
  openai: { start: '', between: '\n', end: '\n', none: '' },
} as const satisfies Record<Exclude<ItemFormat, 'parquet'>, Record<'start' | 'between' | 'end' | 'none', string>>;
export type TextItemFormat = keyof typeof ITEM_FRAMES;

/** One item as it lies in a file. */
export function formatItem(format: TextItemFormat, item: TrainingItem): string {
  return JSON.stringify(format === 'openai' ? { messages: messagesOf(item) } : item);
}

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
