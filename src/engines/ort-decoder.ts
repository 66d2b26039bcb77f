import type { Tensor, TensorConstructor } from 'onnxruntime-web';
import type { Device } from '../align/engine.ts';
import type { Decoder } from './decoder.ts';
import type { DecoderShape } from './decoder-shape.ts';
import type { Feeds, Fetches, KvCache } from './kv-cache.ts';

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
  afterStep?: () => Promise<void>;
  /** Ends what is the backend's own. */
  onDispose?: () => void;
}

/** A decoder graph in an ORT session, of the inputs and outputs that src/convert/onnx/llama-graph.ts writes. */
export class OrtDecoder implements Decoder {
  readonly device: Device;
  readonly prefillChunkTokens: number;
  readonly #options: OrtDecoderOptions;
  /** int64 ones; the attention mask of a step is the first of them. */
  #ones = new BigInt64Array();
  readonly #keepCounts = new Map<number, Tensor>();

  constructor(options: OrtDecoderOptions) {
    this.device = options.device;
    this.prefillChunkTokens = options.prefillChunkTokens;
    this.#options = options;
  }

  reserve(tokens: number, keepTokens: number): number {
    tokens += (this.#options.minStepTokens ?? 1) - 1;
    if (tokens > this.#ones.length) this.#ones = new BigInt64Array(tokens).fill(1n);
    return this.#options.cache.reserve(tokens, keepTokens);
  }

  async step(tokenIds: Int32Array, pastTokens: number, logitRows: number): Promise<Float32Array> {
    const { Tensor, session, cache, afterStep, shape, minStepTokens = 1 } = this.#options;
    const padding = Math.max(0, minStepTokens - tokenIds.length);
    const inputIds = new BigInt64Array(tokenIds.length + padding).fill(BigInt(tokenIds.at(-1) ?? 0));
    tokenIds.forEach((id, i) => (inputIds[i] = BigInt(id)));
    // What the cache takes of the padding is overwritten by the next step.
    const totalTokens = pastTokens + inputIds.length;
    cache.prepare(pastTokens, totalTokens);
    const feeds: Feeds = {
      ...cache.past,
      input_ids: new Tensor('int64', inputIds, [1, inputIds.length]),
      attention_mask: new Tensor('int64', this.#ones.subarray(0, totalTokens), [1, totalTokens]),
      // The graph cannot keep none: it scores one position then, and nobody fetches it.
      num_logits_to_keep: this.#keepCount(logitRows > 0 ? logitRows + padding : 1),
    };
    const fetches: Fetches = { ...cache.present };
    if (logitRows > 0) fetches.logits = null;
    const outputs = await session.run(feeds, fetches);
    cache.accept(outputs);
    await afterStep?.();
    if (logitRows === 0) return new Float32Array();
    return (outputs.logits?.data as Float32Array).subarray(0, logitRows * shape.vocabularySize);
  }

  async dispose(): Promise<void> {
    this.#options.cache.dispose();
    await this.#options.session.release();
    this.#options.onDispose?.();
  }

  #keepCount(rows: number): Tensor {
    return kept(this.#keepCounts, rows, () => new this.#options.Tensor('int64', BigInt64Array.of(BigInt(rows)), []));
  }
}

function kept(tensors: Map<number, Tensor>, key: number, make: () => Tensor): Tensor {
  const tensor = tensors.get(key) ?? make();
  tensors.set(key, tensor);
  return tensor;
}
