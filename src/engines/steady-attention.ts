import { type MessageField, MessageWriter, readFields } from '../convert/onnx/protobuf.ts';

/** Field numbers of onnx.proto3. */
const MODEL_GRAPH = 7;
const GRAPH_NODE = 1;
const NODE = { input: 1, output: 2, type: 4 };

/** Of GroupQueryAttention's inputs. */
const [QUERIES, LAST_POSITIONS, TOTAL_LENGTH] = [0, 5, 6];

/**
 * Gives each GroupQueryAttention of a decoder graph one token more than the graph has, and drops what it says about that
 * token: its first one once more, at the end, where no other token sees it.
 *
 * onnxruntime's CPU kernels multiply one row in another order than two or more, whose results do not depend on how many
 * they are. With 8-bit rows all other products are sums of integers, so that this alone makes a step of one token give
 * the very numbers of a step of many: drafts can be checked without changing a text.
 *
 * The keys and values that a step returns have a row of that token at their end; the next step overwrites it, as long as
 * its mask does not count it. A generation has to end one position before the rotary tables do.
 *
 * @param model  an onnx.ModelProto without its external data
 */
export function steadyAttention(model: Uint8Array): Uint8Array {
  const result = new MessageWriter();
  for (const field of readFields(model)) {
    if (field.number === MODEL_GRAPH && field.bytes !== undefined) result.bytes(MODEL_GRAPH, ofGraph(field.bytes));
    else result.copy(field);
  }
  return result.finish();
}

function ofGraph(graph: Uint8Array): Uint8Array {
  const result = new MessageWriter();
  let count = 0;
  for (const field of readFields(graph)) {
    const node = field.number === GRAPH_NODE ? readNode(field.bytes) : undefined;
    if (node?.type !== 'GroupQueryAttention') {
      result.copy(field);
      continue;
    }
    if (count === 0) {
      const constants = { [ZERO]: 0n, [ONE]: 1n, [MINUS_ONE]: -1n };
      for (const [name, value] of Object.entries(constants)) writeNode(result, constant(name, value));
      writeNode(result, { type: 'Cast', inputs: [ONE], outputs: [ONE_INT32], attributes: [intAttribute('to', 6)] });
    }
    const name = `steady.${count}`;
    count += 1;
    const at = (i: number) => node.inputs[i] ?? '';
    const add = (input: string, output: string) =>
      writeNode(result, { type: 'Add', inputs: [input, ONE_INT32], outputs: [output] });
    writeNode(result, { type: 'Slice', inputs: [at(QUERIES), ZERO, ONE, ONE], outputs: [`${name}.first`] });
    writeNode(result, {
      type: 'Concat',
      inputs: [at(QUERIES), `${name}.first`],
      outputs: [`${name}.queries`],
      attributes: [intAttribute('axis', 1)],
    });
    add(at(LAST_POSITIONS), `${name}.last`);
    add(at(TOTAL_LENGTH), `${name}.total`);
    const inputs = node.inputs.with(QUERIES, `${name}.queries`).with(LAST_POSITIONS, `${name}.last`);
    writeNode(result, {
      ...node,
      inputs: inputs.with(TOTAL_LENGTH, `${name}.total`),
      outputs: node.outputs.with(0, `${name}.output`),
    });
    const [output = ''] = node.outputs;
    writeNode(result, { type: 'Slice', inputs: [`${name}.output`, ZERO, MINUS_ONE, ONE], outputs: [output] });
  }
  return result.finish();
}

const [ZERO, ONE, MINUS_ONE, ONE_INT32] = [
  'steady.zero',
  'steady.one',
  'steady.minus_one',
  'steady.one_int32',
] as const;

interface GraphNode {
  type: string;
  inputs: string[];
  outputs: string[];
  attributes?: MessageWriter[];
  /** Everything else of a node that was read. */
  others?: MessageField[];
}

function readNode(bytes: Uint8Array | undefined): GraphNode | undefined {
  if (bytes === undefined) return undefined;
  const decoder = new TextDecoder();
  const node = { type: '', inputs: [] as string[], outputs: [] as string[], others: [] as MessageField[] };
  for (const field of readFields(bytes)) {
    const text = () => decoder.decode(field.bytes);
    if (field.number === NODE.input) node.inputs.push(text());
    else if (field.number === NODE.output) node.outputs.push(text());
    else if (field.number === NODE.type) node.type = text();
    else node.others.push(field);
  }
  return node;
}

function writeNode(graph: MessageWriter, { type, inputs, outputs, attributes = [], others = [] }: GraphNode): void {
  const node = new MessageWriter();
  for (const input of inputs) node.string(NODE.input, input);
  for (const output of outputs) node.string(NODE.output, output);
  node.string(NODE.type, type);
  for (const attribute of attributes) node.message(5, attribute);
  for (const other of others) node.copy(other);
  graph.message(GRAPH_NODE, node);
}

function intAttribute(name: string, value: number): MessageWriter {
  return new MessageWriter().string(1, name).int(3, value).int(20, 2);
}

/** int64 [1]. */
function constant(name: string, value: bigint): GraphNode {
  const bytes = new Uint8Array(BigInt64Array.of(value).buffer);
  const tensor = new MessageWriter().int(1, 1).int(2, 7).bytes(9, bytes);
  const attribute = new MessageWriter().string(1, 'value').message(5, tensor).int(20, 4);
  return { type: 'Constant', inputs: [], outputs: [name], attributes: [attribute] };
}
