import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, it } from 'vitest';
import type { LlamaConfig } from '../convert/llama-config.ts';
import { MessageWriter } from '../convert/onnx/protobuf.ts';
import { convertedSmallLlama } from '../convert/small-llama.fixture.ts';
import { exactAttention } from './exact-attention.ts';
import { CONTRACT_CONFIG } from './small-model.fixture.ts';

interface Step {
  logits: Float32Array;
  cache: Record<string, Tensor>;
}

async function openGraph(bytes: Uint8Array, data: Uint8Array, config: LlamaConfig) {
  const { layerCount, kvHeadCount, headDim } = config;
  const session = await InferenceSession.create(bytes, {
    externalData: [{ path: 'model.onnx_data', data }],
    logSeverityLevel: 3,
  });
  return async (tokenIds: readonly number[], past?: Step): Promise<Step> => {
    const pastTokens = past?.cache['past_key_values.0.key']?.dims[2] ?? 0;
    const totalTokens = pastTokens + tokenIds.length;
    const feeds: Record<string, Tensor> = {
      input_ids: new Tensor('int64', BigInt64Array.from(tokenIds, BigInt), [1, tokenIds.length]),
      attention_mask: new Tensor('int64', new BigInt64Array(totalTokens).fill(1n), [1, totalTokens]),
      num_logits_to_keep: new Tensor('int64', BigInt64Array.of(BigInt(tokenIds.length)), []),
      ...past?.cache,
    };
    const names = Array.from({ length: layerCount }, (_, layer) => [`${layer}.key`, `${layer}.value`]).flat();
    for (const name of names) {
      feeds[`past_key_values.${name}`] ??= new Tensor('float32', new Float32Array(), [1, kvHeadCount, 0, headDim]);
    }
    const outputs = await session.run(feeds);
    return {
      logits: outputs.logits!.data as Float32Array,
      cache: Object.fromEntries(names.map((name) => [`past_key_values.${name}`, outputs[`present.${name}`]!])),
    };
  };
}

function farthest(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
}

it.each([
  ['shared keys', CONTRACT_CONFIG],
  ['keys of their own', { ...CONTRACT_CONFIG, kvHeadCount: CONTRACT_CONFIG.headCount }],
])(
  'scores heads with %s as GroupQueryAttention does, prompt and what follows, and keeps the same cache',
  async (_, config) => {
    const { files } = await convertedSmallLlama(['fp32'], config);
    const [graph, data] = [files.get('onnx/model.onnx')!, files.get('onnx/model.onnx_data')!];
    const { model, isOneRowExact } = exactAttention(graph);
    expect(new TextDecoder().decode(model)).not.toContain('GroupQueryAttention');
    // Its weights are floats.
    expect(isOneRowExact).toBe(false);

    const [theirs, ours] = [await openGraph(graph, data, config), await openGraph(model, data, config)];
    const prompt = Array.from({ length: 37 }, (_, i) => 1 + ((i * 13) % 50));
    let [expected, found] = [await theirs(prompt), await ours(prompt)];
    for (const next of [[3], [7, 4, 9], [11]]) {
      expect(farthest(found.logits, expected.logits)).toBeLessThan(2e-5);
      [expected, found] = [await theirs(next, expected), await ours(next, found)];
    }
    expect(farthest(found.logits, expected.logits)).toBeLessThan(2e-5);
    for (const [name, tensor] of Object.entries(found.cache)) {
      expect(tensor.dims).toEqual(expected.cache[name]!.dims);
      expect(farthest(tensor.data as Float32Array, expected.cache[name]!.data as Float32Array)).toBeLessThan(2e-5);
    }
  },
);

it('says that one row is exact where all weights are rows of 8 bits, and leaves float16 as it is', async () => {
  const { files } = await convertedSmallLlama(['q8', 'q4', 'fp16'], CONTRACT_CONFIG);
  const rewritten = (name: string) => exactAttention(files.get(`onnx/${name}.onnx`)!);
  expect(rewritten('model_quantized').isOneRowExact).toBe(true);
  expect(rewritten('model_q4').isOneRowExact).toBe(false);
  const half = files.get('onnx/model_fp16.onnx')!;
  expect(exactAttention(half)).toEqual({ model: half, isOneRowExact: false });
});

it('leaves a graph without attention as it is', () => {
  const node = new MessageWriter().string(1, 'a').string(2, 'b').string(4, 'Neg');
  const bytes = new MessageWriter().int(1, 10).message(7, new MessageWriter().message(1, node)).finish();
  expect(exactAttention(bytes).model).toBe(bytes);
});
