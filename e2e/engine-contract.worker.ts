import { expose } from 'comlink';
import type { Engine } from '../src/align/engine.ts';
import { AlignError } from '../src/align/errors.ts';
import { GREEDY } from '../src/align/request.ts';
import type { LlamaConfig } from '../src/convert/llama-config.ts';
import { DecodeLoop } from '../src/engines/decode-loop.ts';
import type { Decoder } from '../src/engines/decoder.ts';
import { ENGINE_CONTRACT } from '../src/engines/engine.contract.ts';
import { ORT_FILES } from '../src/engines/ort-files.ts';
import { createWebDecoder, type WebFile } from '../src/engines/web-engine.ts';

export interface ContractModel {
  device: 'wasm' | 'webgpu';
  threads: number;
  config: LlamaConfig;
  graph: WebFile;
  externalData: WebFile[];
}

let model: ContractModel;
/** One for most cases: a software adapter takes longer to compile the shaders than to run all cases. */
let shared: Decoder;

const create = (prefillChunkTokens?: number) =>
  createWebDecoder({ ...model, ortFiles: ORT_FILES, ...(prefillChunkTokens !== undefined && { prefillChunkTokens }) });

async function write(engine: Engine, maxNewTokens: number): Promise<number[]> {
  const tokenIds: number[] = [];
  const options = { ...GREEDY, maxNewTokens };
  const { signal } = new AbortController();
  for await (const step of engine.generate(Int32Array.of(1, 17, 4, 9), options, signal)) tokenIds.push(...step);
  return tokenIds;
}

const worker = {
  async use(given: ContractModel): Promise<void> {
    model = given;
    shared = await create();
  },

  /** @throws what the case throws */
  async run(name: string): Promise<void> {
    const contractCase = ENGINE_CONTRACT.find((each) => each.name === name);
    if (contractCase === undefined) throw new Error(`There is no case “${name}”.`);
    let lastUser: Decoder | undefined;
    await contractCase.run({
      async create({ prefillChunkTokens, ...change }) {
        if (contractCase.disposes)
          return new DecodeLoop(await create(prefillChunkTokens), { ...model.config, ...change });
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
          dispose: async () => {},
        };
        return new DecodeLoop(decoder, { ...model.config, ...change });
      },
    });
  },

  /** What comes of a run, a run after it and an end, when the device goes away meanwhile; and of a new engine. */
  async loseDevice(): Promise<{ lost: string[]; next: number[] }> {
    const codeOf = (run: Promise<unknown>) =>
      run.then(
        () => 'nothing was thrown',
        (error: unknown) => (error instanceof AlignError ? error.code : String(error)),
      );
    const decoder = await create();
    const engine = new DecodeLoop(decoder, model.config);
    const running = codeOf(write(engine, 400));
    devices.at(-1)?.destroy();
    const lost = [await running, await codeOf(write(engine, 3))];
    await engine.dispose();
    const other = new DecodeLoop(await create(), model.config);
    const next = await write(other, 3);
    await other.dispose();
    return { lost, next };
  },
};

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
