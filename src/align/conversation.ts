/** One side's words in a dialogue. */
export interface Turn {
  role: 'human' | 'assistant';
  text: string;
}

/** A conversation as it was pasted, taken apart. */
export interface PastedConversation {
  /** What was said before the answer. */
  turns: Turn[];
  /** The assistant's last words, when it spoke last: what an aligner edits. */
  answer: string | undefined;
  /** Messages that have no place in a dialogue of two: system prompts, tool calls, pictures. */
  leftOut: number;
}

const MARK = /(^|\n)[ \t]*(Human|Assistant):[ \t]?/g;
const NAMES = { human: 'Human', assistant: 'Assistant' } as const;

/**
 * The turns of a context in HH-RLHF's form. Text before the first mark is a human's turn; a last `Assistant:` with nothing
 * after it is the answer's place and no turn.
 */
export function parseDialogue(context: string): Turn[] {
  const marks = [...context.matchAll(MARK)];
  const turns: Turn[] = [];
  const before = context.slice(0, marks[0]?.index ?? context.length).trim();
  if (before !== '') turns.push({ role: 'human', text: before });
  marks.forEach((mark, i) => {
    const role = mark[2] === 'Human' ? 'human' : 'assistant';
    const text = context.slice(mark.index + mark[0].length, marks[i + 1]?.index ?? context.length).trim();
    const isAnswersPlace = role === 'assistant' && text === '' && i === marks.length - 1;
    if (!isAnswersPlace) turns.push({ role, text });
  });
  return turns;
}

/** The form that HH-RLHF models were trained on, ending where the answer begins: `Human: …\n\nAssistant:`. */
export function formatDialogue(turns: readonly Turn[]): string {
  if (turns.length === 0) return '';
  const said = turns.map(({ role, text }) => `${NAMES[role]}: ${text}`);
  return [...said, `${NAMES.assistant}:`].join('\n\n');
}

/**
 * A conversation from pasted text: OpenAI's messages or ShareGPT's conversations as JSON, or marked turns that end in an
 * answer.
 *
 * @returns undefined where the text is neither; then it is plain text
 */
export function parsePasted(text: string): PastedConversation | undefined {
  return parseMessages(text) ?? parseMarked(text);
}

function parseMarked(text: string): PastedConversation | undefined {
  const isMarked = /^\s*Human:/.test(text) && /\n[ \t]*Assistant:/.test(text);
  return isMarked ? withAnswer(parseDialogue(text), 0) : undefined;
}

function parseMessages(text: string): PastedConversation | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  const messages = messageList(parsed);
  if (messages === undefined) return undefined;
  const turns = messages.map(messageTurn);
  const known = turns.filter((turn) => turn !== undefined);
  return known.length === 0 ? undefined : withAnswer(known, turns.length - known.length);
}

/** `[…]`, `{ messages: […] }` or `{ conversations: […] }` */
function messageList(parsed: unknown): readonly unknown[] | undefined {
  if (Array.isArray(parsed)) {
    // A list of conversations: its first one.
    const [first] = parsed as unknown[];
    return messageTurn(first) === undefined ? (messageListOf(first) ?? parsed) : parsed;
  }
  return messageListOf(parsed);
}

function messageListOf(value: unknown): readonly unknown[] | undefined {
  const { messages, conversations } = (typeof value === 'object' && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  const list = messages ?? conversations;
  return Array.isArray(list) ? (list as unknown[]) : undefined;
}

const ROLES: Record<string, Turn['role']> = {
  user: 'human',
  human: 'human',
  assistant: 'assistant',
  gpt: 'assistant',
  chatgpt: 'assistant',
  bot: 'assistant',
  model: 'assistant',
};

function messageTurn(message: unknown): Turn | undefined {
  if (typeof message !== 'object' || message === null) return undefined;
  const { role, from, content, value } = message as Record<string, unknown>;
  const name = ROLES[String(role ?? from).toLowerCase()];
  const text = contentText(content ?? value);
  return name === undefined || text === undefined ? undefined : { role: name, text };
}

/** A text, or OpenAI's list of parts, of which the texts count. */
function contentText(content: unknown): string | undefined {
  if (typeof content === 'string') return content.trim();
  if (!Array.isArray(content)) return undefined;
  const texts = (content as unknown[]).flatMap((part) => {
    const { text } = (part ?? {}) as Record<string, unknown>;
    return typeof text === 'string' ? [text] : [];
  });
  return texts.length === 0 ? undefined : texts.join('\n').trim();
}

function withAnswer(turns: readonly Turn[], leftOut: number): PastedConversation {
  const last = turns.at(-1);
  return last?.role === 'assistant'
    ? { turns: turns.slice(0, -1), answer: last.text, leftOut }
    : { turns: [...turns], answer: undefined, leftOut };
}
