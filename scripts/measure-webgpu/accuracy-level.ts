import { GraphBuilder } from '../../src/convert/onnx/graph-builder.ts';
import { readNodes, replaceNodes } from '../../src/convert/onnx/rewrite-graph.ts';

/** The graph with another accuracy level in each of its quantized products: 4 lets a runtime round activations to 8 bits. */
export function withAccuracyLevel(model: Uint8Array, level: number): Uint8Array {
  const nodes = readNodes(model);
  const graph = new GraphBuilder();
  const isProduct = (index: number) => nodes[index]?.type === 'MatMulNBits';
  for (const [index, { inputs, outputs, attributes }] of nodes.entries()) {
    if (!isProduct(index)) continue;
    const { K, N, bits, block_size } = Object.fromEntries(attributes) as Record<string, number>;
    const kept = { K: K!, N: N!, bits: bits!, block_size: block_size!, accuracy_level: level };
    graph.node('MatMulNBits', inputs, outputs, kept, 'com.microsoft');
  }
  return replaceNodes(model, isProduct, graph);
}
