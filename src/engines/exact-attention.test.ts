import { expect, it } from 'vitest';
import { MessageWriter } from '../convert/onnx/protobuf.ts';
import { convertedSmallLlama } from '../convert/small-llama.fixture.ts';
import { exactAttention } from './exact-attention.ts';
import { farthest, openGraph } from './graph-steps.fixture.ts';
import { CONTRACT_CONFIG } from './small-model.fixture.ts';

it.each([
  ['shared keys', CONTRACT_CONFIG],
  ['keys of their own', { ...CONTRACT_CONFIG, kvHeadCount: CONTRACT_CONFIG.headCount }],
])(
  'scores heads with %s as GroupQueryAttention does, prompt and what follows, and keeps the same cache',
  async (_, config) => {
    const { files } = await convertedSmallLlama(['fp32'], config);
    const graph = files.get('onnx/model.onnx')!;
    const { model, isOneRowExact } = exactAttention(graph, 1);
    expect(new TextDecoder().decode(model)).not.toContain('GroupQueryAttention');
    // Its weights are floats.
    expect(isOneRowExact).toBe(false);

    const [theirs, ours] = [await openGraph(graph, files, config), await openGraph(model, files, config)];
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

it('says that one row is exact where all weights are rows of 8 bits, and leaves float16 and too many threads as they are', async () => {
  const { files } = await convertedSmallLlama(['q8', 'q4', 'fp16'], CONTRACT_CONFIG);
  const rewritten = (name: string) => exactAttention(files.get(`onnx/${name}.onnx`)!, 2);
  expect(rewritten('model_quantized').isOneRowExact).toBe(true);
  expect(rewritten('model_q4').isOneRowExact).toBe(false);
  // Then a head's columns would be cut, and its sums elsewhere for each number of rows.
  const graph = files.get('onnx/model_quantized.onnx')!;
  const threads = CONTRACT_CONFIG.kvHeadCount + 1;
  expect(exactAttention(graph, threads)).toEqual({ model: graph, isOneRowExact: false });
  const half = files.get('onnx/model_fp16.onnx')!;
  expect(exactAttention(half, 1)).toEqual({ model: half, isOneRowExact: false });
});

it('leaves a graph without attention as it is', () => {
  const node = new MessageWriter().string(1, 'a').string(2, 'b').string(4, 'Neg');
  const bytes = new MessageWriter().int(1, 10).message(7, new MessageWriter().message(1, node)).finish();
  expect(exactAttention(bytes, 1).model).toBe(bytes);
});
