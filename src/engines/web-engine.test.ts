import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeAll, describe, it, vi } from 'vitest';
import { convertedSmallLlama, type MemoryFolder } from '../convert/small-llama.fixture.ts';
import { ENGINE_CONTRACT, type Subject } from './engine.contract.ts';
import { CONTRACT_CONFIG } from './small-model.fixture.ts';
import { createWebEngine } from './web-engine.ts';

let folder: MemoryFolder;
beforeAll(async () => void (folder = await convertedSmallLlama(['fp32', 'q8'], CONTRACT_CONFIG)));

const file = (name: string) => ({ name, bytes: folder.files.get(`onnx/${name}`) ?? new Uint8Array() });

describe.each(['model', 'model_quantized'])('the web engine on wasm, %s', (name) => {
  const wasm: Subject = {
    create: ({ prefillChunkTokens, ...change }) =>
      createWebEngine({
        device: 'wasm',
        graph: file(`${name}.onnx`),
        externalData: [file(`${name}.onnx_data`)],
        config: { ...CONTRACT_CONFIG, ...change },
        threads: 1,
        ...(prefillChunkTokens !== undefined && { prefillChunkTokens }),
      }),
  };
  it.each(ENGINE_CONTRACT)('$name', (contractCase) => contractCase.run(wasm), 60_000);
});

it.each(['model', 'model_quantized'])('lets go of the bytes that it was given, %s', async (name) => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const { engine, bytes } = await (async () => {
    const externalData = [{ name: `${name}.onnx_data`, bytes: file(`${name}.onnx_data`).bytes.slice() }];
    const graph = file(`${name}.onnx`);
    return {
      engine: await createWebEngine({ device: 'wasm', graph, externalData, config: CONTRACT_CONFIG, threads: 1 }),
      bytes: new WeakRef(externalData[0]!.bytes),
    };
  })();
  await vi.waitUntil(() => {
    collectGarbage();
    return bytes.deref() === undefined;
  });
  await engine.dispose();
});
