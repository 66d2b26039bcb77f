import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine, GenerateOptions } from '../align/engine.ts';
import { GREEDY } from '../align/request.ts';
import { VARIANT_FILE_NAMES } from '../convert/write-graphs.ts';
import { ENGINE_CONTRACT, type Subject } from './engine.contract.ts';
import { createNodeEngine } from './node-engine.ts';
import { CONTRACT_CONFIG, convertToDisk } from './small-model.fixture.ts';
import { openTransformersJs } from './transformers-js.fixture.ts';

let folder: Awaited<ReturnType<typeof convertToDisk>>;
beforeAll(async () => void (folder = await convertToDisk(['fp32', 'fp16', 'q8', 'q4', 'q4f16'])));
afterAll(() => folder.remove());

const graphPath = (variant: keyof typeof VARIANT_FILE_NAMES) =>
  join(folder.directory, 'onnx', `${VARIANT_FILE_NAMES[variant]}.onnx`);

describe.each(['fp32', 'q8', 'q4', 'q4f16'] as const)('the node engine on %s', (variant) => {
  const node: Subject = {
    create: ({ prefillChunkTokens, ...change }) =>
      createNodeEngine({
        graphPath: graphPath(variant),
        config: { ...CONTRACT_CONFIG, ...change },
        threads: 1,
        minStepTokens: variant === 'fp32' ? 1 : 2,
        ...(prefillChunkTokens !== undefined && { prefillChunkTokens }),
      }),
  };
  const cases = ENGINE_CONTRACT.filter(({ readsEdits }) => readsEdits !== true || variant === 'fp32');
  it.each(cases)('$name', (contractCase) => contractCase.run(node), 60_000);
});

const never = new AbortController().signal;

async function generate(engine: Engine, promptIds: Int32Array, options: Partial<GenerateOptions>): Promise<number[]> {
  const tokenIds: number[] = [];
  for await (const step of engine.generate(promptIds, { ...GREEDY, maxNewTokens: 40, ...options }, never)) {
    tokenIds.push(...step);
  }
  return tokenIds;
}

describe.each(['fp32', 'q8', 'q4', 'fp16', 'q4f16'] as const)('on %s', (variant) => {
  it('writes the tokens of transformers.js’s generate() on the same folder', async () => {
    const peer = await openTransformersJs(folder.directory, variant);
    const engine = await createNodeEngine({ graphPath: graphPath(variant), config: CONTRACT_CONFIG, threads: 1 });
    for (const length of [1, 2, 7, 60]) {
      const promptIds = Int32Array.from({ length }, (_, i) => (i === 0 ? 1 : 3 + ((i * 37) % 250)));
      const theirs = await peer.generate(promptIds, 40);
      const ours = await generate(engine, promptIds, {});
      expect(ours).toEqual(theirs.filter((id) => id !== 2));
    }
    await engine.dispose();
    await peer.dispose();
  }, 60_000);
});

it('holds no memory of the generations before', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const engine = await createNodeEngine({ graphPath: graphPath('q4'), config: CONTRACT_CONFIG, threads: 1 });
  const promptIds = Int32Array.from({ length: 60 }, (_, i) => 1 + ((i * 37) % 250));
  const heldAfter50 = async () => {
    for (let i = 0; i < 50; i++) await generate(engine, promptIds, { maxNewTokens: 1 + ((i * 7) % 40) });
    collectGarbage();
    // Array buffers go with the finalizers, which run in a task of their own.
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
    const { rss, external, heapUsed } = process.memoryUsage();
    return { rss, held: external + heapUsed };
  };
  await heldAfter50();
  const before = await heldAfter50();
  const after = await heldAfter50();
  // The cache of one generation is 80 kB, and 50 of them are 4 MB.
  expect(after.held - before.held).toBeLessThan(0.5e6);
  // What ORT holds itself shows here only, beside whatever else the process does.
  expect(after.rss - before.rss).toBeLessThan(40e6);
  await engine.dispose();
}, 60_000);

it('says what is wrong with a graph that is not there', async () => {
  const create = createNodeEngine({ graphPath: join(folder.directory, 'none.onnx'), config: CONTRACT_CONFIG });
  await expect(create).rejects.toMatchObject({ code: 'engine-failed', details: { device: 'cpu' } });
});
