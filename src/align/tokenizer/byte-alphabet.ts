/**
 * GPT-2's spelling of bytes: printable Latin-1 bytes stand for themselves, the other 68 for U+0100 and on in order, so
 * that a vocabulary of bytes is readable text without spaces (a space is `Ġ`).
 *
 * @see openai/gpt-2 src/encoder.py, `bytes_to_unicode`
 */
const BYTE_CHARACTERS: readonly string[] = (() => {
  let shifted = 0;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(isPrintable ? byte : 0x100 + shifted++);
  });
})();

const BYTE_OF_CHARACTER: ReadonlyMap<string, number> = new Map(
  BYTE_CHARACTERS.map((character, byte) => [character, byte]),
);

const encoder = new TextEncoder();

/** The text's UTF-8 bytes, each as its character. */
export function spellBytes(text: string): string {
  let spelled = '';
  for (const byte of encoder.encode(text)) spelled += BYTE_CHARACTERS[byte];
  return spelled;
}

/** The bytes that a piece spells; one with a character outside the alphabet stands for its own UTF-8, as in Rust. */
export function unspellBytes(piece: string): Iterable<number> {
  const bytes: number[] = [];
  for (const character of piece) {
    const byte = BYTE_OF_CHARACTER.get(character);
    if (byte === undefined) return encoder.encode(piece);
    bytes.push(byte);
  }
  return bytes;
}
