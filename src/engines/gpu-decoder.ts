import type { Tensor, TensorConstructor } from 'onnxruntime-web';
import type { Decoder } from './decoder.ts';
import type { DecoderShape } from './decoder-shape.ts';
import { gpuTensor } from './gpu-buffers.ts';
import { GpuScores } from './gpu-scores.ts';
import type { GpuWatch } from './gpu-watch.ts';
import { type Feeds, type Fetches, SharedKvCache } from './kv-cache.ts';
import { type OrtSession, StepInputs } from './ort-decoder.ts';
import type { RowScores, ScoresNeeded } from './scores.ts';

export interface GpuDecoderOptions {
  Tensor: TensorConstructor & Pick<typeof Tensor, 'fromGpuBuffer'>;
  session: OrtSession;
  shape: DecoderShape;
  watch: GpuWatch;
  prefillChunkTokens: number;
}

/**
 * A decoder graph in an ORT session on WebGPU, of the inputs and outputs that src/convert/onnx/llama-graph.ts writes. The cache
 * stays on the device, and so do the scores: see `GpuScores`.
 */
export class GpuDecoder implements Decoder {
  readonly device = 'webgpu';
  readonly prefillChunkTokens: number;
  readonly #options: GpuDecoderOptions;
  readonly #inputs: StepInputs;
  readonly #cache: SharedKvCache;
  /** int64 [1, 1]: the token that the last step found, where the device writes it. */
  readonly #nextId: Tensor;
  readonly #scores: GpuScores;
  #logits: { buffer: Tensor; rows: number } | undefined;
  /** ORT takes one run at a time. */
  #sending: Promise<unknown> = Promise.resolve();

  static async create(options: GpuDecoderOptions): Promise<GpuDecoder> {
    const { Tensor: Tensors, shape, watch } = options;
    const nextId = gpuTensor(Tensors, watch.device, 'int64', [1, 1]);
    const scores = await GpuScores.create({
      device: watch.device,
      vocabularySize: shape.vocabularySize,
      nextId: nextId.gpuBuffer,
      guard: (work) => watch.guard(work),
    });
    return new GpuDecoder(options, nextId, scores);
  }

  private constructor(options: GpuDecoderOptions, nextId: Tensor, scores: GpuScores) {
    const { Tensor: Tensors, shape, watch } = options;
    this.prefillChunkTokens = options.prefillChunkTokens;
    this.#options = options;
    this.#inputs = new StepInputs(Tensors);
    this.#cache = new SharedKvCache(shape, (dims) => gpuTensor(Tensors, watch.device, shape.cacheType, dims));
    this.#nextId = nextId;
    this.#scores = scores;
  }

  reserve(tokens: number, keepTokens: number): number {
    this.#inputs.reserve(tokens);
    return this.#cache.reserve(tokens, keepTokens);
  }

  async step(
    tokenIds: Int32Array,
    pastTokens: number,
    logitRows: number,
    needed: ScoresNeeded,
  ): Promise<readonly RowScores[]> {
    const ids = this.#inputs.ids(tokenIds);
    if (logitRows > 0) return this.#score(ids, pastTokens + tokenIds.length, logitRows, needed);
    const { watch } = this.#options;
    await this.#send(ids, pastTokens + tokenIds.length, 0);
    // Without reading anything back, a step ends when its commands are sent; cancelling would wait for all of them.
    await watch.guard(() => watch.device.queue.onSubmittedWorkDone());
    return [];
  }

  follow(pastTokens: number): Promise<readonly RowScores[]> {
    return this.#score(this.#nextId, pastTokens + 1, 1, { type: 'largest' });
  }

  async dispose(): Promise<void> {
    this.#cache.dispose();
    this.#scores.dispose();
    this.#nextId.dispose();
    this.#logits?.buffer.dispose();
    await this.#options.session.release();
    this.#options.watch.end();
  }

  async #score(ids: Tensor, totalTokens: number, rows: number, needed: ScoresNeeded): Promise<readonly RowScores[]> {
    // Begun before the next run is: that one overwrites the scores.
    const { reading } = await this.#send(ids, totalTokens, rows, needed);
    return reading;
  }

  /** Resolves when the device has its commands. */
  async #send(
    ids: Tensor,
    totalTokens: number,
    rows: number,
    needed: ScoresNeeded = { type: 'all' },
  ): Promise<{ reading: Promise<RowScores[]> }> {
    const send = async () => {
      const { session, watch } = this.#options;
      const feeds: Feeds = { ...this.#cache.past, input_ids: ids, ...this.#inputs.others(totalTokens, rows) };
      const fetches: Fetches = { ...this.#cache.present };
      const logits = rows === 0 ? undefined : this.#logitsOf(rows);
      if (logits !== undefined) fetches.logits = logits;
      await watch.guard(() => session.run(feeds, fetches));
      const reading = logits === undefined ? Promise.resolve([]) : this.#scores.read(logits.gpuBuffer, rows, needed);
      // Whoever waits for it hears of it.
      reading.catch(() => {});
      return { reading };
    };
    const sending = this.#sending.then(send, send);
    this.#sending = sending.then(
      () => undefined,
      () => undefined,
    );
    return sending;
  }

  /** float32 [1, rows, vocabulary]; one buffer serves every step that has no more rows. */
  #logitsOf(rows: number): Tensor {
    const { Tensor: Tensors, shape, watch } = this.#options;
    const dimsOf = (count: number) => [1, count, shape.vocabularySize];
    if (this.#logits === undefined || this.#logits.rows < rows) {
      this.#logits?.buffer.dispose();
      this.#logits = { buffer: gpuTensor(Tensors, watch.device, 'float32', dimsOf(rows)), rows };
    }
    const { gpuBuffer } = this.#logits.buffer;
    return Tensors.fromGpuBuffer(gpuBuffer, { dataType: 'float32', dims: dimsOf(rows) });
  }
}
