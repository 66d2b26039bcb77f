import { BUFFER_USAGE, MAP_MODE_READ } from './gpu-buffers.ts';
import { LARGEST_SHADER, TOP_SHADER } from './gpu-scores.wgsl.ts';
import { notFinite } from './sampling.ts';
import { allScores, type RowScores, type ScoresNeeded } from './scores.ts';

/** More are read whole: a list of them is no longer much less. */
const MAX_TOP = 4096;
/** Beyond the count that was asked for: those that equal the last. */
const TIES = 64;

/** Keys of the shaders' order, see there. */
const [NAN_KEY, INFINITY_KEY, MINUS_INFINITY_KEY] = [0xffff_ffff, 0xff80_0000, 0x007f_ffff];

export interface GpuScoresOptions {
  device: GPUDevice;
  vocabularySize: number;
  /** Gets the largest token id of a step of one row: int64 [1, 1]. */
  nextId: GPUBuffer;
  /** As `GpuWatch.guard`. */
  guard: <Result>(work: () => Promise<Result>) => Promise<Result>;
}

/**
 * Reads of a step's scores what is needed: two shaders of ours find it where ORT left the scores, and only that crosses to
 * the host. All comparisons are of whole numbers in the order of the floats, so that no rounding of a GPU's decides and
 * ties fall as they do on the host.
 */
export class GpuScores {
  readonly #options: GpuScoresOptions;
  readonly #largest: GPUComputePipeline;
  readonly #top: GPUComputePipeline;
  readonly #count: GPUBuffer;
  #result: GPUBuffer | undefined;
  /** Those that no read holds. */
  readonly #readbacks: GPUBuffer[] = [];

  /** Compiles both shaders. */
  static async create(options: GpuScoresOptions): Promise<GpuScores> {
    const { device, vocabularySize } = options;
    const compile = (code: string) =>
      device.createComputePipelineAsync({
        layout: 'auto',
        compute: {
          module: device.createShaderModule({ code }),
          entryPoint: 'main',
          constants: { vocabularySize },
        },
      });
    const [largest, top] = await options.guard(() => Promise.all([compile(LARGEST_SHADER), compile(TOP_SHADER)]));
    return new GpuScores(options, largest, top);
  }

  private constructor(options: GpuScoresOptions, largest: GPUComputePipeline, top: GPUComputePipeline) {
    this.#options = options;
    this.#largest = largest;
    this.#top = top;
    this.#count = options.device.createBuffer({ size: 16, usage: BUFFER_USAGE.uniform });
  }

  /**
   * Sends the work at once; what the device does after this call may overwrite the scores.
   *
   * @param logits  float32 [rows, vocabulary]
   * @throws AlignError `engine-failed` if a score is NaN, or the largest infinite
   */
  read(logits: GPUBuffer, rows: number, needed: ScoresNeeded): Promise<RowScores[]> {
    const { vocabularySize } = this.#options;
    if (needed.type === 'largest') return this.#readLargest(logits, rows);
    if (needed.type === 'top' && needed.count + TIES <= Math.min(MAX_TOP, vocabularySize)) {
      return this.#readTop(logits, rows, needed.count);
    }
    return this.#readAll(logits, rows);
  }

  dispose(): void {
    for (const buffer of [this.#count, this.#result, ...this.#readbacks.splice(0)]) buffer?.destroy();
    this.#result = undefined;
  }

  async #readLargest(logits: GPUBuffer, rows: number): Promise<RowScores[]> {
    const { device, nextId } = this.#options;
    const result = this.#resultOf(rows * 8);
    const encoder = device.createCommandEncoder();
    this.#dispatch(encoder, this.#largest, [logits, result, nextId], rows);
    const found = new Uint32Array(await this.#readBack(encoder, result, rows * 8));
    return Array.from({ length: rows }, (_, row) => {
      const [tokenId, key] = [found[2 * row] as number, found[2 * row + 1] as number];
      throwIfNotFinite(key);
      return { type: 'largest', tokenId };
    });
  }

  async #readTop(logits: GPUBuffer, rows: number, count: number): Promise<RowScores[]> {
    const { device } = this.#options;
    const capacity = count + TIES;
    const rowWords = 2 + 2 * capacity;
    const result = this.#resultOf(rows * rowWords * 4);
    device.queue.writeBuffer(this.#count, 0, Uint32Array.of(count, capacity, 0, 0));
    const encoder = device.createCommandEncoder();
    this.#dispatch(encoder, this.#top, [logits, result, this.#count], rows);
    const words = await this.#readBack(encoder, result, rows * rowWords * 4);
    const scores: RowScores[] = [];
    for (let row = 0; row < rows; row++) {
      const [found = 0, key = 0, ...pairs] = new Uint32Array(words, row * rowWords * 4, rowWords);
      throwIfNotFinite(key);
      // As many equal the last one as never do in a model's scores: then all are read.
      if (found > capacity) return this.#readAll(logits, rows);
      scores.push(inOrder(pairs, found));
    }
    return scores;
  }

  async #readAll(logits: GPUBuffer, rows: number): Promise<RowScores[]> {
    const { device, vocabularySize } = this.#options;
    const bytes = await this.#readBack(device.createCommandEncoder(), logits, rows * vocabularySize * 4);
    return allScores(new Float32Array(bytes), rows);
  }

  #dispatch(
    encoder: GPUCommandEncoder,
    pipeline: GPUComputePipeline,
    buffers: readonly GPUBuffer[],
    rows: number,
  ): void {
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(
      0,
      this.#options.device.createBindGroup({
        layout: pipeline.getBindGroupLayout(0),
        entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
      }),
    );
    pass.dispatchWorkgroups(rows);
    pass.end();
  }

  /** Sends the encoder's commands, and copies what they wrote. */
  async #readBack(encoder: GPUCommandEncoder, from: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
    const { device, guard } = this.#options;
    const readback = this.#readbackOf(bytes);
    encoder.copyBufferToBuffer(from, 0, readback, 0, bytes);
    device.queue.submit([encoder.finish()]);
    await guard(() => readback.mapAsync(MAP_MODE_READ, 0, bytes));
    const copy = readback.getMappedRange(0, bytes).slice(0);
    readback.unmap();
    this.#readbacks.push(readback);
    return copy;
  }

  #resultOf(bytes: number): GPUBuffer {
    if (this.#result === undefined || this.#result.size < bytes) {
      this.#result?.destroy();
      this.#result = this.#options.device.createBuffer({ size: rounded(bytes), usage: BUFFER_USAGE.tensor });
    }
    return this.#result;
  }

  #readbackOf(bytes: number): GPUBuffer {
    const at = this.#readbacks.findIndex(({ size }) => size >= bytes);
    const [free] = at < 0 ? [] : this.#readbacks.splice(at, 1);
    return free ?? this.#options.device.createBuffer({ size: rounded(bytes), usage: BUFFER_USAGE.readback });
  }
}

function throwIfNotFinite(key: number): void {
  if (key === NAN_KEY) throw notFinite(NaN, true);
  if (key >= INFINITY_KEY || key <= MINUS_INFINITY_KEY)
    throw notFinite(key >= INFINITY_KEY ? Infinity : -Infinity, false);
}

/** @param pairs  token id and the bits of its score, in any order */
function inOrder(pairs: readonly number[], count: number): RowScores {
  const places = Uint32Array.from({ length: count }, (_, i) => 2 * i).sort((a, b) => pairs[a]! - pairs[b]!);
  const bits = Uint32Array.from(places, (place) => pairs[place + 1] as number);
  return {
    type: 'top',
    tokenIds: Int32Array.from(places, (place) => pairs[place] as number),
    logits: new Float32Array(bits.buffer),
  };
}

/** Room for a little more, so that the next step has it already. */
function rounded(bytes: number): number {
  return Math.max(256, 2 ** Math.ceil(Math.log2(bytes)));
}
