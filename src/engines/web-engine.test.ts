import { beforeAll, describe, it } from 'vitest';
import { convertedSmallLlama, type MemoryFolder } from '../convert/small-llama.fixture.ts';
import { ENGINE_CONTRACT, type Subject } from './engine.contract.ts';
import { CONTRACT_CONFIG } from './small-model.fixture.ts';
import { createWebEngine } from './web-engine.ts';

let folder: MemoryFolder;
beforeAll(async () => void (folder = await convertedSmallLlama(['fp32'], CONTRACT_CONFIG)));

const file = (name: string) => ({ name, bytes: folder.files.get(`onnx/${name}`) ?? new Uint8Array() });

const wasm: Subject = {
  create: ({ prefillChunkTokens, ...change }) =>
    createWebEngine({
      device: 'wasm',
      graph: file('model.onnx'),
      externalData: [file('model.onnx_data')],
      config: { ...CONTRACT_CONFIG, ...change },
      threads: 1,
      ...(prefillChunkTokens !== undefined && { prefillChunkTokens }),
    }),
};

describe('the web engine on wasm', () => {
  it.each(ENGINE_CONTRACT)('$name', (contractCase) => contractCase.run(wasm), 60_000);
});
