import { GraphBuilder } from '../convert/onnx/graph-builder.ts';
import { type GraphNode, readNodes, replaceNodes } from '../convert/onnx/rewrite-graph.ts';

/**
 * Products of 8-bit rows that give floats at once: onnxruntime's `MatMulIntegerToFloat` applies the weight's scales as it writes
 * a sum, where the graph has a cast and a product of their own. Its scale for the other side is one number for all rows, so the
 * tokens' own scales stay a product after it. A sixteenth of a step of one token on wasm.
 *
 * @param model  an onnx.ModelProto of src/convert/onnx/llama-graph.ts without its external data
 */
export function fuseScales(model: Uint8Array): Uint8Array {
  const nodes = readNodes(model);
  const readers = new Map<string, GraphNode[]>();
  for (const node of nodes) for (const input of node.inputs) readers.set(input, [...(readers.get(input) ?? []), node]);
  /** What alone reads a node's output, if it is of that type. */
  const next = (node: GraphNode | undefined, type: string) => {
    const [only, ...others] = readers.get(node?.outputs[0] ?? '') ?? [];
    return only?.type === type && others.length === 0 ? only : undefined;
  };
  const replaced = new Set<GraphNode>();
  const graph = new GraphBuilder();
  const one = graph.constant('fused.one', 'float32', [], new Uint8Array(Float32Array.of(1).buffer));
  for (const product of nodes) {
    if (product.type !== 'MatMulInteger') continue;
    const cast = next(product, 'Cast');
    const byToken = next(cast, 'Mul');
    const byColumn = next(byToken, 'Mul');
    if (cast === undefined || byToken === undefined || byColumn === undefined) continue;
    const [input = '', weight = '', zeroPoint = ''] = product.inputs;
    const sums = graph.node(
      'MatMulIntegerToFloat',
      [input, weight, one, otherInput(byColumn, byToken), zeroPoint],
      [`${byColumn.outputs[0]}.fused`],
      {},
      'com.microsoft',
    );
    graph.node('Mul', [sums, otherInput(byToken, cast)], byColumn.outputs);
    for (const node of [product, cast, byToken, byColumn]) replaced.add(node);
  }
  return replaced.size === 0 ? model : replaceNodes(model, (index) => replaced.has(nodes[index]!), graph);
}

/** Of a node with two inputs, the one that the other node does not write. */
function otherInput({ inputs }: GraphNode, { outputs }: GraphNode): string {
  return inputs.find((input) => input !== outputs[0]) ?? '';
}
