export interface Line {
  /** Without its line feed. */
  bytes: Uint8Array;
  /** Of its first byte in the file. */
  offset: number;
  /** False for what follows the last line feed: a torn line of a journal, the last line of another file. */
  isWhole: boolean;
}

const LINE_FEED = 0x0a;

/**
 * Splits at line feeds and nothing else: a CR stays, and so does U+2028, which a JSON string may hold as it is. An empty
 * rest after the last line feed is no line.
 */
export async function* splitLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Line, void, void> {
  let parts: Uint8Array[] = [];
  let offset = 0;
  const take = (isWhole: boolean): Line => {
    const line = { bytes: joined(parts), offset, isWhole };
    parts = [];
    offset += line.bytes.length + 1;
    return line;
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      parts.push(chunk.subarray(start, end));
      yield take(true);
      start = end + 1;
    }
    if (start < chunk.length) parts.push(chunk.subarray(start));
  }
  if (parts.length > 0) yield take(false);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
