import type { TemplateId } from '../align/prompt.ts';
import { cellText, type SourceRow } from './row-format.ts';

/** Which column of the input holds what. */
export interface ColumnMap {
  query: string;
  answer: string;
  /** Copied to the output. Undefined when the input has none. */
  goldens: string | undefined;
}

/** The reference's input. */
export const REFERENCE_COLUMNS = { query: 'query', answer: 'generated_text', goldens: 'goldens' } as const;

/** Names tried in this order for a column that the user did not name. */
const GUESSES: Record<keyof ColumnMap, readonly string[]> = {
  query: ['query', 'context', 'question', 'prompt', 'instruction', 'messages', 'input'],
  answer: ['generated_text', 'origin_responses', 'answer', 'response', 'completion', 'output'],
  goldens: ['goldens', 'golden_response', 'golden', 'reference', 'target'],
};

/** @returns the guess; the first name of the list where nothing fits, so that the missing column is named */
export function guessColumns(found: readonly string[], given: Partial<ColumnMap>): ColumnMap {
  const guess = (role: keyof ColumnMap) => given[role] ?? GUESSES[role].find((name) => found.includes(name));
  return {
    query: guess('query') ?? REFERENCE_COLUMNS.query,
    answer: guess('answer') ?? REFERENCE_COLUMNS.answer,
    goldens: guess('goldens'),
  };
}

/** The texts of a row, ready for a prompt. */
export interface RowTexts {
  query: string;
  answer: string;
  goldens: string;
}

export function readTexts({ cells }: SourceRow, columns: ColumnMap, template: TemplateId): RowTexts {
  const query = cells[columns.query];
  return {
    query: isMessages(query) ? formatMessages(query, template) : cellText(query),
    answer: cellText(cells[columns.answer]),
    goldens: columns.goldens === undefined ? '' : cellText(cells[columns.goldens]),
  };
}

interface Message {
  role: string;
  content: string;
}

/** Whether a cell holds chat messages, at least one. */
export function isMessages(value: unknown): value is Message[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((message: Partial<Message> | null) => {
      return typeof message?.role === 'string' && typeof message.content === 'string';
    })
  );
}

/**
 * Chat messages as the family's context. HH-RLHF reads a dialogue whose turns are marked and that ends in
 * `Assistant:`; the others were trained on one question, so a single message goes in bare.
 *
 * @see HH-RLHF: two newlines before each mark
 */
export function formatMessages(messages: readonly Message[], template: TemplateId): string {
  const [first] = messages;
  if (template !== 'hh-rlhf' && messages.length === 1 && first !== undefined) return first.content;
  const turns = messages.map(({ role, content }) => `\n\n${role === 'assistant' ? 'Assistant' : 'Human'}: ${content}`);
  return `${turns.join('')}\n\nAssistant:`;
}
