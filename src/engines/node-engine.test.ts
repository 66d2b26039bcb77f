import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GREEDY } from '../align/request.ts';
import { VARIANT_FILE_NAMES } from '../convert/convert.ts';
import { ENGINE_CONTRACT, type Subject } from './engine.contract.ts';
import { createNodeEngine } from './node-engine.ts';
import { CONTRACT_CONFIG, convertToDisk } from './small-model.fixture.ts';

let folder: Awaited<ReturnType<typeof convertToDisk>>;
beforeAll(async () => void (folder = await convertToDisk(['fp32', 'fp16', 'q8', 'q4', 'q4f16'])));
afterAll(() => folder.remove());

const graphPath = (variant: keyof typeof VARIANT_FILE_NAMES) =>
  join(folder.directory, 'onnx', `${VARIANT_FILE_NAMES[variant]}.onnx`);

const node: Subject = {
  create: ({ prefillChunkTokens, ...change }) =>
    createNodeEngine({
      graphPath: graphPath('fp32'),
      config: { ...CONTRACT_CONFIG, ...change },
      threads: 1,
      ...(prefillChunkTokens !== undefined && { prefillChunkTokens }),
    }),
};

describe('the node engine', () => {
  it.each(ENGINE_CONTRACT)('$name', (contractCase) => contractCase.run(node));
});

it.each(['fp32', 'fp16', 'q8', 'q4', 'q4f16'] as const)('runs %s', async (variant) => {
  const engine = await createNodeEngine({ graphPath: graphPath(variant), config: CONTRACT_CONFIG, threads: 1 });
  const steps = engine.generate(Int32Array.of(1, 5, 9), { ...GREEDY, maxNewTokens: 5 }, new AbortController().signal);
  const tokenIds: number[] = [];
  for await (const step of steps) tokenIds.push(...step);
  expect(tokenIds.length).toBeGreaterThan(0);
  await engine.dispose();
});

it('says what is wrong with a graph that is not there', async () => {
  const create = createNodeEngine({ graphPath: join(folder.directory, 'none.onnx'), config: CONTRACT_CONFIG });
  await expect(create).rejects.toMatchObject({ code: 'engine-failed', details: { device: 'cpu' } });
});
