import type { Tensor, TensorConstructor } from 'onnxruntime-web';
import type { Device } from '../align/engine.ts';
import { AlignError } from '../align/errors.ts';
import type { ClassifierConfig } from '../convert/classifier/classifier-config.ts';
import { toEngineError } from './engine-error.ts';
import { batchesOf, padInputs } from './text-batches.ts';
import { TextTokenizer, type TokenizedText } from './text-tokenizer.ts';

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
  /** Where the session runs, for errors; `cpu` by default. */
  device?: Device;
}

/** See {@link Classifier.encode}. */
export type ClassifierInput = TokenizedText;

export interface ClassifyOptions {
  signal?: AbortSignal;
  /** After each batch. */
  onProgress?: (doneInputs: number) => void;
}

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
  readonly #tokenizer: TextTokenizer;

  /** @throws AlignError `weights-corrupt` for a tokenizer that cannot be read */
  constructor(parts: ClassifierParts) {
    const { config, tokenizerJson, tokenizerConfigJson } = parts;
    this.#parts = parts;
    this.labels = config.labels;
    this.#tokenizer = new TextTokenizer(tokenizerJson, tokenizerConfigJson, config.positionCount);
    this.maxTokens = this.#tokenizer.maxTokens;
  }

  /** See {@link TextTokenizer.encode}. */
  encode(text: string, pair?: string): ClassifierInput {
    return this.#tokenizer.encode(text, pair);
  }

  /** See {@link TextTokenizer.encodeStart}. */
  encodeStart(text: string): ClassifierInput {
    return this.#tokenizer.encodeStart(text);
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
    const { feeds } = padInputs(inputs, config, Tensor);
    let output: Tensor | undefined;
    try {
      output = (await session.run(feeds)).logits;
    } catch (error) {
      throw toEngineError(error, this.#parts.device ?? 'cpu', 'classifying');
    }
    const data = output?.data as Float32Array;
    const labels = this.labels.length;
    return inputs.map((_, row) => data.slice(row * labels, (row + 1) * labels));
  }
}
