import { expose } from 'comlink';
import type { Engine, SamplingOptions } from '../src/align/engine.ts';
import { AlignError } from '../src/align/errors.ts';
import { GREEDY } from '../src/align/request.ts';
import type { LlamaConfig } from '../src/convert/llama-config.ts';
import { DecodeLoop, type DecoderConfig } from '../src/engines/decode-loop.ts';
import type { Decoder } from '../src/engines/decoder.ts';
import { ENGINE_CONTRACT } from '../src/engines/engine.contract.ts';
import { BUFFER_USAGE } from '../src/engines/gpu-buffers.ts';
import { countGpuCalls, type GpuCounts, takeGpuCounts } from '../src/engines/gpu-counts.fixture.ts';
import { GpuScores } from '../src/engines/gpu-scores.ts';
import { ORT_FILES } from '../src/engines/ort-files.ts';
import type { RowScores, ScoresNeeded } from '../src/engines/scores.ts';
import { createWebDecoder, type WebFile } from '../src/engines/web-engine.ts';

export interface ContractModel {
  device: 'wasm' | 'webgpu';
  threads: number;
  config: LlamaConfig & Pick<DecoderConfig, 'mayDraft' | 'draftMargin'>;
  graph: WebFile;
  externalData: WebFile[];
}

let model: ContractModel;
/** One for most cases: a software adapter takes longer to compile the shaders than to run all cases. */
let shared: Decoder;
/** It has run no step yet. */
let isSharedNew = false;
/** Left by a case, for one that needs an engine of its own. */
let spare: Decoder | undefined;

const createThread = () =>
  new Worker(new URL('../workers/kernel-thread.worker.ts', import.meta.url), { type: 'module' });

const create = (prefillChunkTokens?: number) =>
  createWebDecoder({
    ...model,
    ortFiles: ORT_FILES,
    createThread,
    ...(prefillChunkTokens !== undefined && { prefillChunkTokens }),
  });

async function takeSpare(): Promise<Decoder> {
  const decoder = spare ?? (await create());
  spare = undefined;
  return decoder;
}

/** As `RowScores`, in plain arrays. */
export interface FoundScores {
  tokenIds: number[];
  logits: number[];
}

function asJson(row: RowScores): FoundScores {
  if (row.type === 'largest') return { tokenIds: [row.tokenId], logits: [] };
  return { tokenIds: row.type === 'top' ? [...row.tokenIds] : [], logits: [...row.logits] };
}

async function write(engine: Engine, maxNewTokens: number, sampling: Partial<SamplingOptions> = {}): Promise<number[]> {
  const tokenIds: number[] = [];
  const options = { ...GREEDY, ...sampling, maxNewTokens };
  const { signal } = new AbortController();
  for await (const step of engine.generate(Int32Array.of(1, 17, 4, 9), options, signal)) tokenIds.push(...step);
  return tokenIds;
}

const worker = {
  async use(given: ContractModel): Promise<void> {
    model = given;
    shared = await create();
    isSharedNew = true;
  },

  /** @throws what the case throws */
  async run(name: string): Promise<void> {
    const contractCase = ENGINE_CONTRACT.find((each) => each.name === name);
    if (contractCase === undefined) throw new Error(`There is no case “${name}”.`);
    isSharedNew = false;
    let lastUser: Decoder | undefined;
    await contractCase.run({
      async create({ prefillChunkTokens, ...change }) {
        if (contractCase.disposes) {
          const decoder = prefillChunkTokens === undefined ? await takeSpare() : await create(prefillChunkTokens);
          return new DecodeLoop(decoder, { ...model.config, ...change });
        }
        const decoder: Decoder = {
          device: shared.device,
          prefillChunkTokens: prefillChunkTokens ?? shared.prefillChunkTokens,
          reserve(tokens, keepTokens) {
            // What another engine left in the cache is nothing to keep.
            const kept = shared.reserve(tokens, lastUser === decoder ? keepTokens : 0);
            lastUser = decoder;
            return kept;
          },
          step: (...step) => shared.step(...step),
          ...(shared.follow !== undefined && { follow: (pastTokens: number) => shared.follow!(pastTokens) }),
          dispose: async () => {},
        };
        return new DecodeLoop(decoder, { ...model.config, ...change });
      },
    });
  },

  /** What WebGPU was asked for in the steps of an edit without drafts: after its first token, and not for the prompt. */
  async countSteps(newTokens: number, sampling: Partial<SamplingOptions>): Promise<GpuCounts> {
    isSharedNew = false;
    const engine = new DecodeLoop(shared, { ...model.config, eosTokenIds: [], mayDraft: false });
    const options = { ...GREEDY, ...sampling, maxNewTokens: newTokens };
    const { signal } = new AbortController();
    let isFirst = true;
    for await (const _step of engine.generate(Int32Array.of(1, 17, 4, 9), options, signal)) {
      if (isFirst) takeGpuCounts();
      isFirst = false;
    }
    return takeGpuCounts();
  },

  /**
   * How many shaders a new engine compiles in each of these steps, after it was loaded, and in one that runs ahead.
   *
   * @param steps  tokens before them, tokens, and how many of their positions are scored
   */
  async compiledIn(steps: (readonly [pastTokens: number, tokens: number, rows: number])[]): Promise<number[]> {
    const decoder = isSharedNew ? shared : await create();
    isSharedNew = false;
    decoder.reserve(Math.max(...steps.map(([pastTokens, tokens]) => pastTokens + tokens)) + 1, 0);
    takeGpuCounts();
    const counts: number[] = [];
    for (const [pastTokens, tokens, rows] of steps) {
      await decoder.step(new Int32Array(tokens), pastTokens, rows, { type: 'largest' });
      counts.push(takeGpuCounts().pipelinesCreated);
    }
    await decoder.step(Int32Array.of(1), 1, 1, { type: 'largest' });
    await decoder.follow!(2);
    counts.push(takeGpuCounts().pipelinesCreated);
    if (decoder !== shared) await decoder.dispose();
    return counts;
  },

  /** The largest difference that a score makes between tokens that are read one by one and together. */
  async differenceBySize(tokens: number): Promise<number> {
    isSharedNew = false;
    const { vocabularySize } = model.config;
    const ids = Int32Array.from({ length: tokens }, (_, i) => 1 + ((i * 37) % (vocabularySize - 1)));
    const logitsOf = (rows: readonly RowScores[]) => rows.flatMap((row) => asJson(row).logits);
    shared.reserve(tokens, 0);
    const together = logitsOf(await shared.step(ids, 0, tokens, { type: 'all' }));
    let largest = 0;
    for (let at = 0; at < tokens; at += 1) {
      const alone = logitsOf(await shared.step(ids.slice(at, at + 1), at, 1, { type: 'all' }));
      alone.forEach((logit, id) => {
        largest = Math.max(largest, Math.abs(logit - (together[at * vocabularySize + id] ?? NaN)));
      });
    }
    return largest;
  },

  /** The same edit with scores that are reduced on the device, a step ahead, and with all of them read. */
  async writeBothWays(newTokens: number, sampling: Partial<SamplingOptions>): Promise<[number[], number[]]> {
    isSharedNew = false;
    const whole: Decoder = {
      device: shared.device,
      prefillChunkTokens: shared.prefillChunkTokens,
      reserve: (tokens) => shared.reserve(tokens, 0),
      step: (ids, past, rows) => shared.step(ids, past, rows, { type: 'all' }),
      dispose: async () => {},
    };
    const reduced: Decoder = {
      ...whole,
      step: (...step) => shared.step(...step),
      follow: (pastTokens) => shared.follow!(pastTokens),
    };
    const config = { ...model.config, eosTokenIds: [], mayDraft: false };
    return [
      await write(new DecodeLoop(reduced, config), newTokens, sampling),
      await write(new DecodeLoop(whole, config), newTokens, sampling),
    ];
  },

  /**
   * What the device finds of scores that are given.
   *
   * @param bits  of float32 [rows, vocabulary]
   * @returns what was found, or the error's code
   */
  async findScores(bits: number[], rows: number, needed: ScoresNeeded): Promise<FoundScores[] | string> {
    const adapter = await navigator.gpu.requestAdapter();
    const device = await adapter!.requestDevice();
    const upload = (data: Uint32Array) => {
      const buffer = device.createBuffer({ size: data.byteLength, usage: BUFFER_USAGE.tensor });
      device.queue.writeBuffer(buffer, 0, data);
      return buffer;
    };
    const scores = await GpuScores.create({
      device,
      vocabularySize: bits.length / rows,
      nextId: upload(new Uint32Array(4)),
      guard: (work) => work(),
    });
    try {
      return (await scores.read(upload(Uint32Array.from(bits)), rows, needed)).map(asJson);
    } catch (error) {
      return error instanceof AlignError ? error.code : String(error);
    } finally {
      scores.dispose();
      device.destroy();
    }
  },

  /** What comes of a run, a run after it and an end, when the device goes away meanwhile; and of a new engine. */
  async loseDevice(): Promise<{ lost: string[]; next: number[] }> {
    const codeOf = (run: Promise<unknown>) =>
      run.then(
        () => 'nothing was thrown',
        (error: unknown) => (error instanceof AlignError ? error.code : String(error)),
      );
    const engine = new DecodeLoop(await create(), model.config);
    const running = codeOf(write(engine, 400));
    devices.at(-1)?.destroy();
    const lost = [await running, await codeOf(write(engine, 3))];
    await engine.dispose();
    spare = await create();
    return { lost, next: await write(new DecodeLoop(spare, model.config), 3) };
  },
};

countGpuCalls();

/** The devices that were asked for: only their maker can take one away. */
const devices: GPUDevice[] = [];
const adapterPrototype = (globalThis as { GPUAdapter?: { prototype: GPUAdapter } }).GPUAdapter?.prototype;
if (adapterPrototype !== undefined) {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its `this` below
  const { requestDevice } = adapterPrototype;
  adapterPrototype.requestDevice = async function (this: GPUAdapter, descriptor) {
    const device = await requestDevice.call(this, descriptor);
    devices.push(device);
    return device;
  };
}

export type ContractWorker = typeof worker;
expose(worker);
