import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { openNodeFile } from '../../weights/node-folder.ts';
import { readFixture, sha256OfRows } from './checkpoint.fixture.ts';
import { openGgufFile } from './open-checkpoint.ts';

const GGUF = process.env.SMOLLM2_GGUF ?? '.cache/smollm2/smollm2-135m-instruct.gguf';

it('gives every tensor of SmolLM2-135M (Q4_1) as transformers loads it, bit for bit', async (context) => {
  if (!existsSync(GGUF)) context.skip(`no model at ${GGUF} (SMOLLM2_GGUF)`);
  const { tensors, config } = await openGgufFile(await openNodeFile(GGUF));
  expect(config).toMatchObject({ layerCount: 30, headCount: 9, kvHeadCount: 3, isEmbeddingTied: true });
  const digest = createHash('sha256');
  for (const name of [...tensors.keys()].sort()) {
    const tensor = tensors.get(name)!;
    // Runs of rows that are no whole heads: their order must not depend on how they are read.
    digest.update(`${name} [${tensor.shape.join(', ')}] ${await sha256OfRows(tensor, 1000)}\n`);
  }
  expect(digest.digest('hex')).toBe(readFixture<{ sha256: string }>('smollm2.json').sha256);
});
