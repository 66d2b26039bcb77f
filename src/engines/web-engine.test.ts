import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { convertedSmallLlama, type MemoryFolder } from '../convert/small-llama.fixture.ts';
import { ENGINE_CONTRACT, type Subject } from './engine.contract.ts';
import { CONTRACT_CONFIG } from './small-model.fixture.ts';
import { createWebDecoder, createWebEngine } from './web-engine.ts';

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

it.each([
  ['shared keys', CONTRACT_CONFIG],
  ['keys of their own', { ...CONTRACT_CONFIG, kvHeadCount: CONTRACT_CONFIG.headCount }],
])('scores tokens of heads with %s to the same bits one by one and all at once', async (_, config) => {
  const { files } = await convertedSmallLlama(['q8'], config);
  const name = 'model_quantized';
  const of = (path: string) => ({ name: path, bytes: files.get(`onnx/${path}`)! });
  const decoder = await createWebDecoder({
    device: 'wasm',
    graph: of(`${name}.onnx`),
    externalData: [of(`${name}.onnx_data`)],
    config,
    threads: 1,
  });
  expect(decoder.minStepTokens).toBe(1);
  const scoresOf = async (tokenIds: readonly number[], pastTokens: number) => {
    const rows = await decoder.step(Int32Array.from(tokenIds), pastTokens, tokenIds.length, { type: 'all' });
    return rows.map((row) => (row.type === 'all' ? Array.from(row.logits) : []));
  };
  // Softmax takes sixteen keys at once: lengths on both sides of a multiple.
  for (const pastTokens of [1, 14, 33]) {
    decoder.reserve(60, 0);
    const prompt = Int32Array.from({ length: pastTokens }, (_unused, i) => 1 + ((i * 13) % 50));
    await decoder.step(prompt, 0, 0, { type: 'all' });
    const tokenIds = [3, 7, 4, 9, 11];
    const together = await scoresOf(tokenIds, pastTokens);
    const alone: number[][] = [];
    for (const [i, tokenId] of tokenIds.entries()) alone.push(...(await scoresOf([tokenId], pastTokens + i)));
    expect(alone).toEqual(together);
  }
  await decoder.dispose();
});

it('lets go of the bytes that it was given', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const { engine, bytes } = await (async () => {
    const externalData = [{ name: 'model.onnx_data', bytes: file('model.onnx_data').bytes.slice() }];
    const graph = file('model.onnx');
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
