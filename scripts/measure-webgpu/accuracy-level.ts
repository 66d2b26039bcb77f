import { GraphBuilder } from '../../src/convert/onnx/graph-builder.ts';
import { MessageWriter, readFields } from '../../src/convert/onnx/protobuf.ts';
import { GRAPH, messagesAt, MODEL_GRAPH, readNodes } from '../../src/convert/onnx/read-graph.ts';

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

/** @param added  what takes the place of the replaced, nodes and constants; written behind the others */
function replaceNodes(model: Uint8Array, isReplaced: (index: number) => boolean, added: GraphBuilder): Uint8Array {
  const kept = new MessageWriter();
  let index = -1;
  for (const field of messagesAt(model, MODEL_GRAPH).flatMap(readFields)) {
    if (field.number === GRAPH.node) index += 1;
    if (field.number !== GRAPH.node || !isReplaced(index)) kept.copy(field);
  }
  const result = new MessageWriter();
  for (const field of readFields(model)) if (field.number !== MODEL_GRAPH) result.copy(field);
  // Messages that are written one after the other are read as one, lists appended.
  return result.message(MODEL_GRAPH, kept).message(MODEL_GRAPH, added.additions()).finish();
}
