import { Tokenizer } from '@huggingface/tokenizers';
import { AlignError } from '../align/errors.ts';

/** Token ids of one input, special ones included, and the segment of each. */
export interface TokenizedText {
  ids: readonly number[];
  typeIds: readonly number[];
}

/** A classifier's or an encoder's tokenizer: WordPiece or byte-level BPE, of Hugging Face's files. */
export class TextTokenizer {
  /** The tokenizer's own limit, special tokens included; never above the model's positions. */
  readonly maxTokens: number;
  readonly #tokenizer: Tokenizer;
  /** Whether special tokens stand around texts and between them. */
  readonly #surroundsTexts: boolean;

  /** @throws AlignError `weights-corrupt` for a tokenizer that cannot be read */
  constructor(tokenizerJson: object, tokenizerConfigJson: object, positionCount: number) {
    const postProcessor = (tokenizerJson as { post_processor?: { type?: unknown } | null }).post_processor;
    this.#surroundsTexts = postProcessor != null && postProcessor.type !== 'ByteLevel';
    this.maxTokens = Math.min(positionCount, limitOf(tokenizerConfigJson));
    try {
      this.#tokenizer = new Tokenizer(tokenizerJson, tokenizerConfigJson);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new AlignError('weights-corrupt', `tokenizer.json cannot be read: ${reason}.`, { cause });
    }
  }

  /**
   * As Hugging Face's tokenizer does, special tokens in the text included. Nothing is cut off.
   *
   * @param pair  a second text, which follows the first as a segment of its own
   */
  encode(text: string, pair?: string): TokenizedText {
    if (!this.#surroundsTexts) {
      // The library's byte-level post-processor loses the second text.
      const [ids, pairIds] = [text, pair ?? ''].map((each) => this.#tokenizer.encode(each.toWellFormed()).ids);
      return { ids: [...ids!, ...pairIds!], typeIds: [...ids!.map(() => 0), ...pairIds!.map(() => 1)] };
    }
    const { ids, token_type_ids: typeIds } = this.#tokenizer.encode(text.toWellFormed(), {
      ...(pair !== undefined && { text_pair: pair.toWellFormed() }),
      return_token_type_ids: true,
    });
    return { ids, typeIds };
  }

  /** {@link encode} of one text, cut off at {@link maxTokens} behind its last word piece that fits. */
  encodeStart(text: string): TokenizedText {
    const whole = this.encode(text);
    if (whole.ids.length <= this.maxTokens) return whole;
    const bareLength = this.#tokenizer.encode(text.toWellFormed(), { add_special_tokens: false }).ids.length;
    // What surrounds a text is at most a token on each side, and one side alone is its start.
    const after = Math.floor((whole.ids.length - bareLength) / 2);
    const cut = (list: readonly number[]) => [
      ...list.slice(0, this.maxTokens - after),
      ...list.slice(list.length - after),
    ];
    return { ids: cut(whole.ids), typeIds: cut(whole.typeIds) };
  }
}

/** Hugging Face writes an absurd number where there is no limit. */
function limitOf(tokenizerConfig: { model_max_length?: unknown }): number {
  const limit = tokenizerConfig.model_max_length;
  return typeof limit === 'number' && limit >= 1 ? limit : Infinity;
}
