/** Text to token ids and back, as the checkpoint was trained. */
export interface Tokenizer {
  readonly vocabularySize: number;
  readonly bosTokenId: number | undefined;
  readonly eosTokenId: number;

  /**
   * The tokenizer's own start (BOS for Llama), then the text. A `</s>` or `<s>` inside the text is text: user input
   * never becomes a special token.
   *
   * @returns int32 [promptTokens]
   */
  encode(text: string): Int32Array;

  /**
   * Text of the ids, special tokens skipped. The result for a prefix may end in U+FFFD where a character is not
   * complete yet.
   */
  decode(tokenIds: readonly number[]): string;
}
