import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, it } from 'vitest';
import { MessageWriter, readFields } from '../convert/onnx/protobuf.ts';
import { convertedSmallLlama } from '../convert/small-llama.fixture.ts';
import { CONTRACT_CONFIG } from './small-model.fixture.ts';
import { steadyAttention } from './steady-attention.ts';

it('changes nothing that a graph says about its own tokens, and lets it return a row more', async () => {
  const { files } = await convertedSmallLlama(['fp32'], CONTRACT_CONFIG);
  const graph = files.get('onnx/model.onnx')!;
  const data = files.get('onnx/model.onnx_data')!;
  const { layerCount, kvHeadCount, headDim } = CONTRACT_CONFIG;
  const score = async (bytes: Uint8Array) => {
    const session = await InferenceSession.create(bytes, {
      externalData: [{ path: 'model.onnx_data', data }],
      logSeverityLevel: 3,
    });
    const ids = BigInt64Array.of(1n, 5n, 9n, 7n);
    const feeds: Record<string, Tensor> = {
      input_ids: new Tensor('int64', ids, [1, 4]),
      attention_mask: new Tensor('int64', new BigInt64Array(4).fill(1n), [1, 4]),
      num_logits_to_keep: new Tensor('int64', BigInt64Array.of(4n), []),
    };
    for (let layer = 0; layer < layerCount; layer++) {
      for (const part of ['key', 'value']) {
        const name = `past_key_values.${layer}.${part}`;
        feeds[name] = new Tensor('float32', new Float32Array(), [1, kvHeadCount, 0, headDim]);
      }
    }
    const { logits, 'present.0.key': keys } = await session.run(feeds);
    await session.release();
    return { logits: logits!.data as Float32Array, rows: keys!.dims[2] };
  };
  const [before, after] = [await score(graph), await score(steadyAttention(graph))];
  expect(after.logits.length).toBe(before.logits.length);
  const difference = Math.max(...after.logits.map((value, i) => Math.abs(value - before.logits[i]!)));
  expect(difference).toBeLessThan(1e-5);
  expect([before.rows, after.rows]).toEqual([4, 5]);
});

it('leaves a graph without attention as it is', () => {
  const node = new MessageWriter().string(1, 'a').string(2, 'b').string(4, 'Neg');
  const model = new MessageWriter().int(1, 10).message(7, new MessageWriter().message(1, node).string(2, 'name'));
  const bytes = model.finish();
  expect(steadyAttention(bytes)).toEqual(bytes);
  expect(readFields(bytes).map(({ number }) => number)).toEqual([1, 7]);
});
