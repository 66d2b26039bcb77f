import type { Tensor, TensorConstructor } from 'onnxruntime-web';
import type { EncoderConfig } from '../convert/encoder/encoder-config.ts';
import type { ClassifierSession } from './classifier.ts';
import { toEngineError } from './engine-error.ts';
import { batchesOf, padInputs } from './text-batches.ts';
import { TextTokenizer, type TokenizedText } from './text-tokenizer.ts';

export interface EncoderParts {
  config: EncoderConfig;
  /** Parsed tokenizer.json and tokenizer_config.json. */
  tokenizerJson: object;
  tokenizerConfigJson: object;
  session: ClassifierSession;
  Tensor: TensorConstructor;
}

export interface EncodeOptions {
  signal?: AbortSignal;
  /** After each batch. */
  onProgress?: (doneTexts: number) => void;
}

/** A text's tokens and the state of each. */
export interface EncodedText {
  ids: readonly number[];
  /** float32 [tokens, hidden] */
  states: Float32Array;
}

/** The states of a BERT or RoBERTa behind one of its layers. Texts of like length share a batch. */
export class Encoder {
  readonly hiddenSize: number;
  readonly #parts: EncoderParts;
  readonly #tokenizer: TextTokenizer;

  /** @throws AlignError `weights-corrupt` for a tokenizer that cannot be read */
  constructor(parts: EncoderParts) {
    const { config, tokenizerJson, tokenizerConfigJson } = parts;
    this.#parts = parts;
    this.hiddenSize = config.hiddenSize;
    const positions = config.positionCount - config.firstPosition;
    this.#tokenizer = new TextTokenizer(tokenizerJson, tokenizerConfigJson, positions);
  }

  /**
   * As bert_score tokenizes: without white space around the text, a space before it for RoBERTa, cut off at the tokenizer's
   * limit.
   *
   * @see bert_score 0.3.13, utils.py, sent_encode
   */
  tokenize(text: string): TokenizedText {
    const trimmed = text.trim();
    const isSpaced = this.#parts.config.architecture === 'roberta' && trimmed !== '';
    return this.#tokenizer.encodeStart(isSpaced ? ` ${trimmed}` : trimmed);
  }

  /**
   * @param visit  is given each text's states once, by its index; not in order
   * @throws AlignError `engine-failed`, `out-of-memory`; the signal's reason
   */
  async encode(
    texts: readonly TokenizedText[],
    visit: (index: number, encoded: EncodedText) => void,
    { signal, onProgress }: EncodeOptions = {},
  ): Promise<void> {
    const order = texts.map((_, i) => i).sort((a, b) => texts[a]!.ids.length - texts[b]!.ids.length);
    let done = 0;
    for (const batch of batchesOf(order, (i) => texts[i]!.ids.length)) {
      signal?.throwIfAborted();
      const { states, tokens } = await this.#run(batch.map((i) => texts[i]!));
      batch.forEach((i, row) => {
        const { ids } = texts[i]!;
        const start = row * tokens * this.hiddenSize;
        visit(i, { ids, states: states.slice(start, start + ids.length * this.hiddenSize) });
      });
      done += batch.length;
      onProgress?.(done);
    }
  }

  dispose(): Promise<void> {
    return this.#parts.session.release();
  }

  async #run(inputs: readonly TokenizedText[]): Promise<{ states: Float32Array; tokens: number }> {
    const { config, session, Tensor } = this.#parts;
    const { feeds, tokens } = padInputs(inputs, config, Tensor);
    let output: Tensor | undefined;
    try {
      output = (await session.run(feeds)).last_hidden_state;
    } catch (error) {
      throw toEngineError(error, 'cpu', 'encoding');
    }
    return { states: output?.data as Float32Array, tokens };
  }
}
