import { Tokenizer } from '@huggingface/tokenizers';
import type { Tensor, TensorConstructor } from 'onnxruntime-web';
import { AlignError } from '../align/errors.ts';
import type { ClassifierConfig } from '../convert/classifier/classifier-config.ts';
import { toEngineError } from './engine-error.ts';

/** What a classifier needs of an ORT session, the same in onnxruntime-node and onnxruntime-web. */
export interface ClassifierSession {
  run(feeds: Record<string, Tensor>): Promise<Readonly<Record<string, Tensor>>>;
  release(): Promise<void>;
}

export interface ClassifierParts {
  config: ClassifierConfig;
  /** Parsed tokenizer.json and tokenizer_config.json. */
  tokenizerJson: object;
  tokenizerConfigJson: object;
  session: ClassifierSession;
  Tensor: TensorConstructor;
}

/** Token ids of one input, special ones included, and the segment of each. */
export interface ClassifierInput {
  ids: readonly number[];
  typeIds: readonly number[];
}

export interface ClassifyOptions {
  signal?: AbortSignal;
  /** After each batch. */
  onProgress?: (doneInputs: number) => void;
}

/** A batch holds at most so many tokens, padding included: enough to keep the cores busy, few enough for a small machine. */
const BATCH_TOKENS = 4096;
const BATCH_INPUTS = 64;

/**
 * A sequence classifier: logits of texts or pairs of texts. Inputs of like length share a batch, so that little is padding;
 * what stands beside an input changes its logits by no more than rounding.
 */
export class Classifier {
  /** By index of the logit. */
  readonly labels: readonly string[];
  /** The tokenizer's own limit, special tokens included; never above the model's positions. */
  readonly maxTokens: number;
  readonly #parts: ClassifierParts;
  readonly #tokenizer: Tokenizer;
  /** Whether special tokens stand around texts and between them. */
  readonly #surroundsTexts: boolean;

  /** @throws AlignError `weights-corrupt` for a tokenizer that cannot be read */
  constructor(parts: ClassifierParts) {
    const { config, tokenizerJson, tokenizerConfigJson } = parts;
    this.#parts = parts;
    this.labels = config.labels;
    const postProcessor = (tokenizerJson as { post_processor?: { type?: unknown } | null }).post_processor;
    this.#surroundsTexts = postProcessor != null && postProcessor.type !== 'ByteLevel';
    this.maxTokens = Math.min(config.positionCount, limitOf(tokenizerConfigJson));
    try {
      this.#tokenizer = new Tokenizer(tokenizerJson, tokenizerConfigJson);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new AlignError('weights-corrupt', `The classifier’s tokenizer.json cannot be read: ${reason}.`, { cause });
    }
  }

  /**
   * As Hugging Face's tokenizer does, special tokens in the text included. Nothing is cut off.
   *
   * @param pair  a second text, which follows the first as a segment of its own
   */
  encode(text: string, pair?: string): ClassifierInput {
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
  encodeStart(text: string): ClassifierInput {
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

  /**
   * @returns float32 [labels] for each input, in the inputs' order
   * @throws AlignError `prompt-too-long` for an input with more tokens than the model has positions, `invalid-request` for
   *   one without tokens, `engine-failed`, `out-of-memory`; the signal's reason
   */
  async classify(inputs: readonly ClassifierInput[], options: ClassifyOptions = {}): Promise<Float32Array[]> {
    for (const { ids } of inputs) this.#check(ids.length);
    const order = inputs.map((_, i) => i).sort((a, b) => inputs[a]!.ids.length - inputs[b]!.ids.length);
    const logits: Float32Array[] = Array<Float32Array>(inputs.length);
    let done = 0;
    for (const batch of batchesOf(order, (i) => inputs[i]!.ids.length)) {
      options.signal?.throwIfAborted();
      const rows = await this.#run(batch.map((i) => inputs[i]!));
      batch.forEach((i, row) => (logits[i] = rows[row]!));
      done += batch.length;
      options.onProgress?.(done);
    }
    return logits;
  }

  dispose(): Promise<void> {
    return this.#parts.session.release();
  }

  #check(tokens: number): void {
    const { positionCount } = this.#parts.config;
    if (tokens === 0) throw new AlignError('invalid-request', 'A text to classify has no token.');
    if (tokens <= positionCount) return;
    throw new AlignError(
      'prompt-too-long',
      `A text to classify has ${tokens} tokens; the model has ${positionCount} positions.`,
      { details: { tokens, positionCount } },
    );
  }

  async #run(inputs: readonly ClassifierInput[]): Promise<Float32Array[]> {
    const { config, session, Tensor } = this.#parts;
    const [rows, tokens] = [inputs.length, Math.max(...inputs.map(({ ids }) => ids.length))];
    const tensor = (fill: number, values: (input: ClassifierInput) => readonly number[]) => {
      const data = new BigInt64Array(rows * tokens).fill(BigInt(fill));
      inputs.forEach((input, row) => values(input).forEach((value, i) => (data[row * tokens + i] = BigInt(value))));
      return new Tensor('int64', data, [rows, tokens]);
    };
    const feeds: Record<string, Tensor> = {
      input_ids: tensor(config.padTokenId ?? 0, ({ ids }) => ids),
      attention_mask: tensor(0, ({ ids }) => ids.map(() => 1)),
    };
    if (config.typeCount > 0) feeds.token_type_ids = tensor(0, ({ typeIds }) => typeIds);
    let output: Tensor | undefined;
    try {
      output = (await session.run(feeds)).logits;
    } catch (error) {
      throw toEngineError(error, 'cpu', 'classifying');
    }
    const data = output?.data as Float32Array;
    const labels = this.labels.length;
    return inputs.map((_, row) => data.slice(row * labels, (row + 1) * labels));
  }
}

/** Hugging Face writes an absurd number where there is no limit. */
function limitOf(tokenizerConfig: { model_max_length?: unknown }): number {
  const limit = tokenizerConfig.model_max_length;
  return typeof limit === 'number' && limit >= 1 ? limit : Infinity;
}

/** @param order  by length, the shortest first */
function* batchesOf(order: readonly number[], lengthOf: (index: number) => number): Generator<number[]> {
  let batch: number[] = [];
  for (const index of order) {
    const isFull = batch.length === BATCH_INPUTS || (batch.length + 1) * lengthOf(index) > BATCH_TOKENS;
    if (isFull && batch.length > 0) {
      yield batch;
      batch = [];
    }
    batch.push(index);
  }
  if (batch.length > 0) yield batch;
}
