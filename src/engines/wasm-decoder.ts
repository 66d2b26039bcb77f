import type { Decoder } from './decoder.ts';
import type { RowScores } from './scores.ts';
import { nextTask } from './next-task.ts';
import type { RowsModel } from './rows-model.ts';
import { type DataFile, type Kernels, WasmMemory } from './wasm-memory.ts';

/** What a thread is told; workers/kernel-thread.worker.ts. */
export interface ThreadStart {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  thread: number;
}

/** Its one message. */
export type ThreadAnswer = { isReady: true } | { isReady: false; reason: string };

/** What is needed of a worker that serves. */
export type KernelThread = Pick<Worker, 'postMessage' | 'terminate' | 'onmessage' | 'onerror'>;

export interface WasmDecoderOptions {
  model: RowsModel;
  externalData: readonly DataFile[];
  /** Of src/engines/wasm-kernels, compiled. */
  binaries: Record<'plain' | 'relaxed', BufferSource>;
  prefillChunkTokens: number;
  threads: number;
  /** Called when the weights are in memory, before threads begin. */
  onPacked?: () => void;
  /** Begins another; without it there is one thread. */
  createThread?: (() => KernelThread) | undefined;
}

/** A step with drafts has 17 tokens at most. */
const MIN_STEP_ROOM = 32;

/**
 * A decoder of 8-bit rows in kernels of our own, for browsers without WebGPU. A token's scores are the same to the last bit
 * whatever else is in its step and on how many threads.
 */
export class WasmDecoder implements Decoder {
  readonly device = 'wasm';
  readonly prefillChunkTokens: number;
  readonly #kernels: Kernels;
  readonly #memory: WasmMemory;
  readonly #threads: readonly KernelThread[];

  private constructor(kernels: Kernels, memory: WasmMemory, threads: readonly KernelThread[], chunkTokens: number) {
    this.prefillChunkTokens = chunkTokens;
    this.#kernels = kernels;
    this.#memory = memory;
    this.#threads = threads;
  }

  /** @throws RangeError if there is not enough memory; AlignError `weights-corrupt` */
  static async create(options: WasmDecoderOptions): Promise<WasmDecoder> {
    const { model, externalData, prefillChunkTokens, createThread } = options;
    const threadCount = createThread === undefined ? 1 : options.threads;
    const memory = new WasmMemory(model, threadCount, Math.max(prefillChunkTokens, MIN_STEP_ROOM));
    const { module, kernels } = await chooseKernels(options.binaries, memory);
    await memory.pack(kernels, externalData);
    options.onPacked?.();
    const threads: KernelThread[] = [];
    try {
      while (threads.length < threadCount - 1) threads.push(createThread!());
      await Promise.all(threads.map((each, i) => start(each, { module, memory: memory.memory, thread: i + 1 })));
    } catch (error) {
      for (const thread of threads) thread.terminate();
      throw error;
    }
    return new WasmDecoder(kernels, memory, threads, prefillChunkTokens);
  }

  reserve(tokens: number, keepTokens: number): number {
    this.#memory.reserve(tokens);
    return keepTokens;
  }

  async step(tokenIds: Int32Array, pastTokens: number, logitRows: number): Promise<RowScores[]> {
    this.#memory.describe({ tokenIds, pastTokens, logitRows });
    this.#kernels.step();
    // The kernels give way to nothing; a worker's messages, a cancel among them, wait for a task.
    await nextTask();
    return Array.from({ length: logitRows }, (_, row) => ({ type: 'all', logits: this.#memory.logits(row) }));
  }

  async dispose(): Promise<void> {
    for (const thread of this.#threads) thread.terminate();
  }
}

/** Rounds in which {@link Kernels.probe} is timed, and how long each is: enough for clocks of a millisecond. */
const PROBE = { rounds: 4, ms: 4 };

/**
 * Relaxed SIMD where it is faster: it gives the same sums, in one instruction instead of three where the processor has it, and in
 * more than three where it has not, which nothing but the time tells.
 */
async function chooseKernels(
  { plain, relaxed }: WasmDecoderOptions['binaries'],
  { memory }: WasmMemory,
): Promise<{ module: WebAssembly.Module; kernels: Kernels }> {
  const open = async (binary: BufferSource) => {
    const module = await WebAssembly.compile(binary);
    const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
    return { module, kernels: exports as unknown as Kernels };
  };
  const first = await open(plain);
  if (!WebAssembly.validate(relaxed)) return first;
  const second = await open(relaxed);
  return speedOf(second.kernels) > speedOf(first.kernels) ? second : first;
}

/** Probes a millisecond, in the best round: the first are of code that is not optimized yet. */
function speedOf(kernels: Kernels): number {
  let best = 0;
  for (let round = 0; round < PROBE.rounds; round++) {
    const startMs = performance.now();
    let [probes, ms] = [0, 0];
    while (ms < PROBE.ms) {
      for (let i = 0; i < 20; i++) kernels.probe();
      probes += 20;
      ms = performance.now() - startMs;
    }
    best = Math.max(best, probes / ms);
  }
  return best;
}

/** Waits until it is ready: while the engine's worker computes, no other begins. */
function start(thread: KernelThread, given: ThreadStart): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (reason = 'its script could not be loaded') =>
      reject(new Error(`thread ${given.thread} did not start: ${reason}`));
    thread.onmessage = ({ data }: MessageEvent<ThreadAnswer>) => (data.isReady ? resolve() : refuse(data.reason));
    thread.onerror = ({ message }: Partial<ErrorEvent>) => refuse(message);
    thread.postMessage(given);
  });
}
