import { Template } from '@huggingface/jinja';
import type { ChatFormat } from './chat-format.ts';
import { AlignError } from './errors.ts';
import type { ChatTokenizer } from './tokenizer.ts';
import { escapeRegExp } from './tokenizer/pattern.ts';

export interface TemplatedMessage {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

/**
 * A chat as its model was trained to read it, up to where the model's own turn begins. A marker inside a message is text:
 * an answer that is judged cannot end its own turn.
 *
 * @param template         Jinja, of chat_template.jinja or tokenizer_config.json
 * @param tokenizerConfig  parsed tokenizer_config.json, for the names of markers
 * @returns texts and token ids for `encodeSections`
 * @throws AlignError `unsupported-model` for a template that cannot be rendered
 * @see transformers, apply_chat_template(add_generation_prompt=True)
 */
export function chatSections(
  messages: readonly TemplatedMessage[],
  template: string,
  tokenizerConfig: Readonly<Record<string, unknown>>,
  { specialTokens }: Pick<ChatTokenizer, 'specialTokens'>,
): (string | number)[] {
  // One of a single character could not be told from text.
  const markers = [...specialTokens.keys()].filter((marker) => marker.length > 1).sort((a, b) => b.length - a.length);
  // Matches nothing where there are no markers.
  const anyMarker = new RegExp(markers.length === 0 ? '(?!)' : markers.map(escapeRegExp).join('|'), 'gu');
  const guard = unusedCharacter(messages);
  const guarded = messages.map(({ role, content }) => ({
    role,
    content: breakUp(content, anyMarker, guard),
  }));
  let text: string;
  try {
    text = new Template(template).render({
      messages: guarded,
      add_generation_prompt: true,
      ...Object.fromEntries(
        ['bos_token', 'eos_token', 'unk_token', 'pad_token'].map((name) => [name, tokenOf(tokenizerConfig[name])]),
      ),
    });
  } catch (cause) {
    throw new AlignError('unsupported-model', `The chat template cannot be used: ${(cause as Error).message}`, {
      cause,
    });
  }
  const sections: (string | number)[] = [];
  let end = 0;
  for (const { 0: marker, index } of text.matchAll(anyMarker)) {
    if (index > end) sections.push(text.slice(end, index).replaceAll(guard, ''));
    sections.push(specialTokens.get(marker)!);
    end = index + marker.length;
  }
  if (end < text.length) sections.push(text.slice(end).replaceAll(guard, ''));
  return sections;
}

/**
 * A chat as token ids, up to where the model's own turn begins.
 *
 * @returns int32 [promptTokens]
 * @throws AlignError as {@link chatSections}
 */
export function encodeChat(
  messages: readonly TemplatedMessage[],
  { template, tokenizerConfig }: ChatFormat,
  tokenizer: ChatTokenizer,
): Int32Array {
  if (template === undefined) return tokenizer.encode(messages.map(({ content }) => content).join('\n\n'));
  return tokenizer.encodeSections(chatSections(messages, template, tokenizerConfig, tokenizer));
}

/** Breaking one marker may leave another that overlapped it. */
function breakUp(text: string, anyMarker: RegExp, guard: string): string {
  const broken = text.replace(anyMarker, (marker) => marker.slice(0, 1) + guard + marker.slice(1));
  return broken === text ? text : breakUp(broken, anyMarker, guard);
}

/** Of a private use area, which templates do not touch. */
function unusedCharacter(messages: readonly TemplatedMessage[]): string {
  const text = messages.map(({ content }) => content).join('');
  for (let code = 0xe000; code <= 0xf8ff; code++) {
    const character = String.fromCharCode(code);
    if (!text.includes(character)) return character;
  }
  throw new AlignError('invalid-request', 'The texts hold all 6,400 characters of a private use area.');
}

function tokenOf(value: unknown): string {
  if (typeof value === 'string') return value;
  const content = (value as { content?: unknown } | null | undefined)?.content;
  return typeof content === 'string' ? content : '';
}
