import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { AutoModelForCausalLM, AutoTokenizer, env, Tensor as TransformersTensor } from '@huggingface/transformers';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createNodeTarget } from '../weights/node-folder.ts';
import { convertCheckpoint } from './convert.ts';
import { VARIANT_FILE_NAMES } from './write-graphs.ts';
import { randomCheckpoint, SMALL_LLAMA } from './small-llama.fixture.ts';

const VARIANTS = ['fp32', 'q8', 'q4'] as const;
const PROMPT_IDS = [1, 75, 104, 111, 111, 114, 35, 122];
const NEW_TOKENS = 24;

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'metaaligner-transformersjs-'));
  const options = { variants: VARIANTS, name: 'Small', source: 'random weights', family: undefined };
  await convertCheckpoint(randomCheckpoint(), createNodeTarget(directory), options);
  env.allowRemoteModels = false;
  env.localModelPath = dirname(directory);
});
afterAll(() => rm(directory, { recursive: true }));

describe('a converted folder in transformers.js', () => {
  it('has a tokenizer that reads and writes text', async () => {
    const tokenizer = await AutoTokenizer.from_pretrained(basename(directory));
    const ids = tokenizer.encode('Hey, ü!');
    expect(ids[0]).toBe(SMALL_LLAMA.bosTokenId);
    expect(tokenizer.decode(ids, { skip_special_tokens: true })).toBe('Hey, ü!');
  });

  it.each(VARIANTS)('generates what the graph says, in %s', async (dtype) => {
    const model = await AutoModelForCausalLM.from_pretrained(basename(directory), { dtype });
    try {
      const ids = BigInt64Array.from(PROMPT_IDS, BigInt);
      const shape = [1, ids.length];
      const output = await model.generate({
        input_ids: new TransformersTensor('int64', ids, shape),
        attention_mask: new TransformersTensor('int64', new BigInt64Array(ids.length).fill(1n), shape),
        max_new_tokens: NEW_TOKENS,
        do_sample: false,
      });
      const generated = Array.from((output as TransformersTensor).data as BigInt64Array, Number);
      const expected = await continueGreedily(join(directory, 'onnx', `${VARIANT_FILE_NAMES[dtype]}.onnx`));
      expect(new Set(expected).size).toBeGreaterThan(1);
      expect(generated).toEqual([...PROMPT_IDS, ...expected]);
    } finally {
      await model.dispose();
    }
  });
});

/** The token of the highest score, again and again, by whole passes without a cache. */
async function continueGreedily(graphPath: string): Promise<number[]> {
  const session = await InferenceSession.create(graphPath);
  const { layerCount, kvHeadCount, headDim, eosTokenIds } = SMALL_LLAMA;
  const emptyCache: Record<string, Tensor> = {};
  for (let layer = 0; layer < layerCount; layer++) {
    for (const part of ['key', 'value']) {
      const shape = [1, kvHeadCount, 0, headDim];
      emptyCache[`past_key_values.${layer}.${part}`] = new Tensor('float32', new Float32Array(0), shape);
    }
  }
  const newIds: number[] = [];
  while (newIds.length < NEW_TOKENS && !eosTokenIds.includes(newIds.at(-1) ?? -1)) {
    const ids = [...PROMPT_IDS, ...newIds];
    const { logits } = await session.run(
      {
        input_ids: new Tensor('int64', BigInt64Array.from(ids, BigInt), [1, ids.length]),
        attention_mask: new Tensor('int64', new BigInt64Array(ids.length).fill(1n), [1, ids.length]),
        num_logits_to_keep: new Tensor('int64', BigInt64Array.of(1n), []),
        ...emptyCache,
      },
      ['logits'],
    );
    const scores = logits?.data as Float32Array;
    newIds.push(scores.indexOf(Math.max(...scores)));
  }
  await session.release();
  return newIds;
}
