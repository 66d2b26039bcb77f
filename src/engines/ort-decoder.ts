import type { Tensor, TensorConstructor } from 'onnxruntime-web';
import type { Device } from '../align/engine.ts';
import type { Decoder } from './decoder.ts';
import type { DecoderShape } from './decoder-shape.ts';
import type { Feeds, Fetches, KvCache } from './kv-cache.ts';
import { allScores, type RowScores } from './scores.ts';

/** What a step needs of an ORT session, the same in onnxruntime-node and onnxruntime-web. */
export interface OrtSession {
  run(feeds: Feeds, fetches: Fetches): Promise<Readonly<Feeds>>;
  release(): Promise<void>;
}

export interface OrtDecoderOptions {
  device: Device;
  Tensor: TensorConstructor;
  session: OrtSession;
  shape: DecoderShape;
  cache: KvCache;
  prefillChunkTokens: number;
  /** As in `NodeDecoderOptions`; 1 by default. */
  minStepTokens?: number;
  /** Runs after each step, before its result is given. */
  afterStep: () => Promise<void>;
}

/**
 * A decoder graph in an ORT session that computes on the host, of the inputs and outputs that
 * src/convert/onnx/llama-graph.ts writes.
 */
export class OrtDecoder implements Decoder {
  readonly device: Device;
  readonly prefillChunkTokens: number;
  readonly #options: OrtDecoderOptions;
  readonly minStepTokens: number;
  readonly #inputs: StepInputs;

  constructor(options: OrtDecoderOptions) {
    this.device = options.device;
    this.prefillChunkTokens = options.prefillChunkTokens;
    this.minStepTokens = options.minStepTokens ?? 1;
    this.#options = options;
    this.#inputs = new StepInputs(options.Tensor);
  }

  reserve(tokens: number, keepTokens: number): number {
    this.#inputs.reserve(tokens + this.minStepTokens - 1);
    return this.#options.cache.reserve(tokens, keepTokens);
  }

  async step(tokenIds: Int32Array, pastTokens: number, logitRows: number): Promise<RowScores[]> {
    const { session, cache, afterStep, shape } = this.#options;
    const inputIds = new Int32Array(Math.max(tokenIds.length, this.minStepTokens)).fill(tokenIds.at(-1) ?? 0);
    inputIds.set(tokenIds);
    const padding = inputIds.length - tokenIds.length;
    // What the cache takes of the padding is overwritten by the next step.
    const totalTokens = pastTokens + inputIds.length;
    cache.prepare(pastTokens, totalTokens);
    const feeds: Feeds = {
      ...cache.past,
      input_ids: this.#inputs.ids(inputIds),
      ...this.#inputs.others(totalTokens, logitRows > 0 ? logitRows + padding : 0),
    };
    const fetches: Fetches = { ...cache.present };
    if (logitRows > 0) fetches.logits = null;
    const outputs = await session.run(feeds, fetches);
    cache.accept(outputs);
    await afterStep();
    if (logitRows === 0) return [];
    const logits = outputs.logits?.data as Float32Array;
    return allScores(logits.subarray(0, logitRows * shape.vocabularySize), logitRows);
  }

  async dispose(): Promise<void> {
    this.#options.cache.dispose();
    await this.#options.session.release();
  }
}

/** A decoder graph's inputs but the cache. */
export class StepInputs {
  readonly #Tensor: TensorConstructor;
  /** int64 ones; the attention mask of a step is the first of them. */
  #ones = new BigInt64Array();
  readonly #keepCounts = new Map<number, Tensor>();

  constructor(Tensor: TensorConstructor) {
    this.#Tensor = Tensor;
  }

  /** Steps of up to so many tokens, those before them included, may follow. */
  reserve(tokens: number): void {
    if (tokens > this.#ones.length) this.#ones = new BigInt64Array(tokens).fill(1n);
  }

  ids(tokenIds: Int32Array): Tensor {
    return new this.#Tensor('int64', BigInt64Array.from(tokenIds, BigInt), [1, tokenIds.length]);
  }

  others(totalTokens: number, logitRows: number): Feeds {
    return {
      attention_mask: new this.#Tensor('int64', this.#ones.subarray(0, totalTokens), [1, totalTokens]),
      // The graph cannot keep none: it scores one position then, and nobody fetches it.
      num_logits_to_keep: this.#keepCount(Math.max(1, logitRows)),
    };
  }

  #keepCount(rows: number): Tensor {
    const tensor = this.#keepCounts.get(rows) ?? new this.#Tensor('int64', BigInt64Array.of(BigInt(rows)), []);
    this.#keepCounts.set(rows, tensor);
    return tensor;
  }
}
