import { MessageWriter } from '../convert/onnx/protobuf.ts';
import { messagesAt } from '../convert/onnx/read-graph.ts';

/** int64 [batch, kvHeads, tokens, 2]: head and position of each new row in what the graph calls `present`. */
export const NEW_POSITIONS = 'new_positions';

/** Field numbers of onnx.proto3. */
const MODEL_GRAPH = 7;
const GRAPH = { node: 1, input: 11, output: 12 };

/**
 * Adds to a decoder graph the outputs `new.N.key` and `new.N.value` [batch, kvHeads, tokens, headDim]: of `present.N.…`
 * only the rows that this step wrote.
 *
 * onnxruntime-node copies each output that is asked for, whole, into a new array. Of `present` that is the cache of all
 * tokens at every step, which took longer than a step's arithmetic; of these it is one row.
 *
 * Protobuf makes it short: messages that are written one after the other are read as one, lists appended.
 *
 * @param model  an onnx.ModelProto without its external data
 * @see https://protobuf.dev/programming-guides/encoding/#last-one-wins
 */
export function addNewCacheRows(model: Uint8Array): Uint8Array {
  const graph = new MessageWriter();
  for (const present of presentOutputs(model)) {
    const name = newRowsName(present);
    const batchDims = new MessageWriter().string(1, 'batch_dims').int(3, 1).int(20, 2);
    const node = new MessageWriter().string(1, present).string(1, NEW_POSITIONS).string(2, name);
    graph.message(GRAPH.node, node.string(3, `${name}/GatherND`).string(4, 'GatherND').message(5, batchDims));
    graph.message(GRAPH.output, new MessageWriter().string(1, name));
  }
  graph.message(GRAPH.input, int64Input(NEW_POSITIONS, ['batch_size', 'kv_heads', 'tokens', 2]));
  const addition = new MessageWriter().message(MODEL_GRAPH, graph).finish();
  const whole = new Uint8Array(model.length + addition.length);
  whole.set(model);
  whole.set(addition, model.length);
  return whole;
}

/** Of `present.0.key`: `new.0.key`. */
export function newRowsName(presentName: string): string {
  return presentName.replace(/^present\./, 'new.');
}

function presentOutputs(model: Uint8Array): string[] {
  const decoder = new TextDecoder();
  const names: string[] = [];
  for (const graph of messagesAt(model, MODEL_GRAPH)) {
    for (const output of messagesAt(graph, GRAPH.output)) {
      const name = messagesAt(output, 1).map((bytes) => decoder.decode(bytes))[0] ?? '';
      if (name.startsWith('present.')) names.push(name);
    }
  }
  return names;
}

function int64Input(name: string, dims: readonly (string | number)[]): MessageWriter {
  const shape = new MessageWriter();
  for (const dim of dims) {
    shape.message(1, typeof dim === 'number' ? new MessageWriter().int(1, dim) : new MessageWriter().string(2, dim));
  }
  const tensor = new MessageWriter().int(1, 7).message(2, shape);
  return new MessageWriter().string(1, name).message(2, new MessageWriter().message(1, tensor));
}
