import { expect, it } from 'vitest';
import { readNodes } from '../convert/onnx/rewrite-graph.ts';
import { convertedSmallLlama } from '../convert/small-llama.fixture.ts';
import { fuseScales } from './fused-scales.ts';
import { farthest, openGraph } from './graph-steps.fixture.ts';
import { CONTRACT_CONFIG } from './small-model.fixture.ts';

const typesOf = (model: Uint8Array) => readNodes(model).map(({ type }) => type);

it('gives the same scores with each product and its scales in one', async () => {
  const { files } = await convertedSmallLlama(['q8'], CONTRACT_CONFIG);
  const graph = files.get('onnx/model_quantized.onnx')!;
  const model = fuseScales(graph);
  const products = typesOf(graph).filter((type) => type === 'MatMulInteger').length;
  expect(typesOf(model).filter((type) => type === 'MatMulIntegerToFloat').length).toBe(products);
  expect(typesOf(model)).not.toContain('MatMulInteger');
  expect(typesOf(graph).length - typesOf(model).length).toBe(2 * products);

  const tokenIds = [1, 5, 9, 7, 30];
  const [before, after] = [
    await openGraph(graph, files, CONTRACT_CONFIG),
    await openGraph(model, files, CONTRACT_CONFIG),
  ];
  expect(farthest((await after(tokenIds)).logits, (await before(tokenIds)).logits)).toBeLessThan(1e-5);
});

it('leaves a graph without such products as it is', async () => {
  const { files } = await convertedSmallLlama(['fp32'], CONTRACT_CONFIG);
  const graph = files.get('onnx/model.onnx')!;
  expect(fuseScales(graph)).toBe(graph);
});
