import type { Tensor, TensorConstructor } from 'onnxruntime-web';
import type { BartConfig } from '../convert/bart/bart-config.ts';
import type { ClassifierSession } from './classifier.ts';
import { toEngineError } from './engine-error.ts';
import { TextTokenizer } from './text-tokenizer.ts';

export interface BartParts {
  config: BartConfig;
  /** Parsed tokenizer.json and tokenizer_config.json. */
  tokenizerJson: object;
  tokenizerConfigJson: object;
  session: ClassifierSession;
  Tensor: TensorConstructor;
}

/** How likely a BART finds one text as what it would write for another. */
export class BartScorer {
  readonly #parts: BartParts;
  readonly #tokenizer: TextTokenizer;

  /** @throws AlignError `weights-corrupt` for a tokenizer that cannot be read */
  constructor(parts: BartParts) {
    this.#parts = parts;
    this.#tokenizer = new TextTokenizer(parts.tokenizerJson, parts.tokenizerConfigJson, parts.config.positionCount);
  }

  /**
   * Mean log-probability of the target's tokens, those around it included. Texts are cut off at the model's positions.
   *
   * @throws AlignError `engine-failed`, `out-of-memory`
   * @see Yuan et al. 2021, arXiv 2106.11520; its bart_score.py, BARTScorer.score
   */
  async score(source: string, target: string): Promise<number> {
    const { config, session, Tensor } = this.#parts;
    const tensor = (ids: readonly number[]) =>
      new Tensor(
        'int64',
        BigInt64Array.from(ids, (id) => BigInt(id)),
        [1, ids.length],
      );
    const labels = this.#tokenizer.encodeStart(target).ids;
    const feeds = {
      input_ids: tensor(this.#tokenizer.encodeStart(source).ids),
      decoder_input_ids: tensor([config.startTokenId, ...labels.slice(0, -1)]),
      labels: tensor(labels),
    };
    let output: Tensor | undefined;
    try {
      output = (await session.run(feeds)).log_probabilities;
    } catch (error) {
      throw toEngineError(error, 'cpu', 'scoring');
    }
    const values = output?.data as Float32Array;
    return values.reduce((sum, value) => sum + value, 0) / labels.length;
  }

  dispose(): Promise<void> {
    return this.#parts.session.release();
  }
}
