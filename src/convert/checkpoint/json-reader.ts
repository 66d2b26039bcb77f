import { corrupt, quote } from './checkpoint-errors.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** Deeper than any configuration; without a limit a hostile file could exhaust the stack. */
const MAX_DEPTH = 32;

/**
 * JSON by parts. Unlike `JSON.parse` it refuses a key that stands twice (readers disagree on which one counts), and it
 * lets a reader of a fixed form refuse anything else before it takes memory.
 *
 * Every method throws AlignError `checkpoint-corrupt` with the position where the text is not as expected.
 */
export class JsonReader {
  readonly #text: string;
  readonly #file: string;
  #at = 0;

  constructor(text: string, file: string) {
    this.#text = text;
    this.#file = file;
  }

  /** @param readMember  must read the member's value */
  readObject(readMember: (key: string) => void): void {
    const seen = new Set<string>();
    this.#readList('{', '}', () => {
      const key = this.readString();
      if (seen.has(key)) throw this.#fail(`the key ${quote(key)} once`);
      seen.add(key);
      this.#expect(':');
      readMember(key);
    });
  }

  /** @param readElement  must read one value */
  readArray(readElement: () => void): void {
    this.#readList('[', ']', readElement);
  }

  readString(): string {
    this.#expect('"');
    const start = this.#at;
    let hasEscape = false;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === 0x22) break;
      // NaN at the end of the text fails the comparison.
      if (!(code >= 0x20)) throw this.#fail('the rest of a string');
      hasEscape ||= code === 0x5c;
      this.#at += code === 0x5c ? 2 : 1;
    }
    this.#at += 1;
    const raw = this.#text.slice(start, this.#at - 1);
    if (!hasEscape) return raw;
    try {
      return JSON.parse(`"${raw}"`) as string;
    } catch {
      throw this.#fail('valid escapes in the string before');
    }
  }

  /** A whole number from 0 to 2^53 - 1, written in digits only. */
  readSize(): number {
    this.#skipSpace();
    const start = this.#at;
    const digits = this.#takeNumberText();
    const size = Number(digits);
    if (!/^(?:0|[1-9]\d*)$/.test(digits) || !Number.isSafeInteger(size)) {
      this.#at = start;
      throw this.#fail('a whole number from 0 to 2^53 - 1');
    }
    return size;
  }

  /** Any value, objects as plain objects. */
  readValue(depth = 0): unknown {
    this.#skipSpace();
    if (depth > MAX_DEPTH) throw this.#fail(`values nested at most ${MAX_DEPTH} deep`);
    switch (this.#text.charAt(this.#at)) {
      case '{': {
        const members: [string, unknown][] = [];
        this.readObject((key) => members.push([key, this.readValue(depth + 1)]));
        return Object.fromEntries(members);
      }
      case '[': {
        const elements: unknown[] = [];
        this.readArray(() => elements.push(this.readValue(depth + 1)));
        return elements;
      }
      case '"':
        return this.readString();
      case 't':
        return this.#word('true', true);
      case 'f':
        return this.#word('false', false);
      case 'n':
        return this.#word('null', null);
      default: {
        const start = this.#at;
        const text = this.#takeNumberText();
        if (!/^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text)) {
          this.#at = start;
          throw this.#fail('a value');
        }
        return Number(text);
      }
    }
  }

  /** Nothing but space may follow. */
  end(): void {
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.#fail('the end of the text');
  }

  #readList(open: string, close: string, readItem: () => void): void {
    this.#expect(open);
    this.#skipSpace();
    if (this.#text[this.#at] === close) {
      this.#at += 1;
      return;
    }
    for (;;) {
      readItem();
      this.#skipSpace();
      if (this.#text[this.#at] === close) break;
      this.#expect(',');
    }
    this.#at += 1;
  }

  #word<Value>(word: string, value: Value): Value {
    if (!this.#text.startsWith(word, this.#at)) throw this.#fail('a value');
    this.#at += word.length;
    return value;
  }

  /** At most 40 characters: more digits than a double can tell apart are no number that we could keep. */
  #takeNumberText(): string {
    const start = this.#at;
    while (this.#at - start < 40 && isNumberCharacter(this.#text.charCodeAt(this.#at))) this.#at += 1;
    return this.#text.slice(start, this.#at);
  }

  #skipSpace(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at += 1;
    }
  }

  #expect(character: string): void {
    this.#skipSpace();
    if (this.#text[this.#at] !== character) throw this.#fail(`“${character}”`);
    this.#at += 1;
  }

  #fail(expected: string) {
    const found = this.#at < this.#text.length ? quote(this.#text.slice(this.#at, this.#at + 20)) : 'the end';
    return corrupt(this.#file, `its JSON has ${found} at character ${this.#at} where ${expected} was expected`, {
      position: this.#at,
    });
  }
}

function isNumberCharacter(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || code === 0x2d || code === 0x2b || code === 0x2e || (code | 0x20) === 0x65;
}

/** A whole JSON text whose outermost value is an object. */
export function parseJsonObject(text: string, file: string): JsonObject {
  const reader = new JsonReader(text, file);
  const value = reader.readValue();
  reader.end();
  if (!isJsonObject(value)) throw corrupt(file, 'its JSON must be an object');
  return value;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
