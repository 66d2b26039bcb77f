import { createHash } from 'node:crypto';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import type { ChatReply } from '../../src/batch/chat-endpoint.ts';
import { atPath } from '../disk-fault.ts';

/**
 * Replies by what was asked, a JSON line each: a call that was paid for is not made again. Holds a digest of the question, not its
 * text. Several runs may append to one file.
 */
export class VerdictCache {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #replies: Map<string, ChatReply>;

  private constructor(path: string, file: FileHandle, replies: Map<string, ChatReply>) {
    this.#path = path;
    this.#file = file;
    this.#replies = replies;
  }

  /** A line torn by a kill, or damaged, is passed over: its call is made again. */
  static async open(path: string): Promise<VerdictCache> {
    const file = await open(path, 'a+');
    const text = await readFile(path, 'utf8');
    const replies = new Map<string, ChatReply>();
    for (const line of text.split('\n')) {
      const entry = parseEntry(line);
      if (entry !== undefined) replies.set(entry.key, entry.reply);
    }
    if (text !== '' && !text.endsWith('\n')) await file.appendFile('\n');
    return new VerdictCache(path, file, replies);
  }

  get(key: string): ChatReply | undefined {
    return this.#replies.get(key);
  }

  /** Resolves once a kill of this process cannot lose the reply. */
  async add(key: string, reply: ChatReply): Promise<void> {
    try {
      await this.#file.appendFile(`${JSON.stringify({ key, reply })}\n`);
    } catch (error) {
      throw atPath(error, this.#path, { keepsEarlier: this.#replies.size > 0 });
    }
    this.#replies.set(key, reply);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** @returns SHA-256, hexadecimal */
export function digestOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}

function parseEntry(line: string): { key: string; reply: ChatReply } | undefined {
  let value: { key?: unknown; reply?: Partial<ChatReply> } | null;
  try {
    value = JSON.parse(line) as typeof value;
  } catch {
    return undefined;
  }
  const { key, reply } = value ?? {};
  if (typeof key !== 'string' || typeof reply?.text !== 'string') return undefined;
  const { text, promptTokens = 0, replyTokens = 0 } = reply;
  return { key, reply: { text, promptTokens, replyTokens } };
}
