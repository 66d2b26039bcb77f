import { expose } from 'comlink';
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

const worker = {
  async use(given: ContractModel): Promise<void> {
    model = given;
    shared = await create();
  },

  /** @throws what the case throws */
  async run(name: string): Promise<void> {
    const contractCase = ENGINE_CONTRACT.find((each) => each.name === name);
    if (contractCase === undefined) throw new Error(`There is no case “${name}”.`);
    await contractCase.run({
      async create({ prefillChunkTokens, ...change }) {
        const decoder: Decoder = contractCase.disposes
          ? await create(prefillChunkTokens)
          : {
              device: shared.device,
              prefillChunkTokens: prefillChunkTokens ?? shared.prefillChunkTokens,
              reserve: (tokens) => shared.reserve(tokens),
              step: (...step) => shared.step(...step),
              dispose: async () => {},
            };
        return new DecodeLoop(decoder, { ...model.config, ...change });
      },
    });
  },
};

export type ContractWorker = typeof worker;
expose(worker);
