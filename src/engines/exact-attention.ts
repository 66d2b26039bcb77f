import { ELEMENT_TYPES, GraphBuilder } from '../convert/onnx/graph-builder.ts';
import { readFields } from '../convert/onnx/protobuf.ts';
import { type GraphNode, messagesAt, MODEL_GRAPH, readNodes, replaceNodes } from '../convert/onnx/rewrite-graph.ts';

/** Field numbers of onnx.proto3. */
const GRAPH_INPUT = 11;

/** Kernels that add up one row of floats in another order than two or more. */
const FLOAT_PRODUCTS = ['MatMul', 'MatMulNBits', 'Gemm', 'FusedMatMul'];
/** Added to the score of a key that a token must not see: far below any score, and far from overflow. */
const HIDDEN = -1e30;
/** Columns of a product with ones: kernels compute so many at once, and have another order for a single one. */
const SUM_COLUMNS = 16;

/**
 * Writes the GroupQueryAttention nodes of a decoder graph out, for the CPU kernels of wasm: heads that share keys are rows of
 * one product, so that keys are packed once for all of them, and softmax sums by a product with ones.
 *
 * It is faster than onnxruntime's own, and it scores a token the same whatever stands beside it: onnxruntime multiplies one
 * row of floats in another order than two or more, whose results do not depend on how many they are. Here there is never
 * one: where heads share nothing, the first row is computed twice. And sums go from the first key to the last, so that
 * hidden ones, zeros at the end, change nothing. Where all weights are rows of 8 bits, whose sums are of integers, a step of
 * one token then gives the very numbers of a step of many.
 *
 * `past_key_values` must hold the tokens before the step and no others.
 *
 * @param model    an onnx.ModelProto of src/convert/onnx/llama-graph.ts without its external data
 * @param threads  each takes whole heads; more than there are with keys would cut a head's columns, and with them its sums,
 *   in another way for each number of rows
 * @returns unchanged if it computes in float16 or on too many threads; `isOneRowExact` says whether a step of one token is as
 *   exact as a longer one
 */
export function exactAttention(model: Uint8Array, threads: number): { model: Uint8Array; isOneRowExact: boolean } {
  const nodes = readNodes(model);
  const isAttention = ({ type }: GraphNode) => type === 'GroupQueryAttention';
  const attentions = nodes.filter(isAttention).map(readAttention);
  const isCut = attentions.some(({ keyHeadCount }) => keyHeadCount < threads);
  if (attentions.length === 0 || isCut || !hasFloatCache(model)) return { model, isOneRowExact: false };
  return {
    model: replaceNodes(model, (index) => isAttention(nodes[index]!), writeAttentions(attentions)),
    isOneRowExact: !nodes.some(({ type }) => FLOAT_PRODUCTS.includes(type)),
  };
}

/** Whether keys and values are float32. */
function hasFloatCache(model: Uint8Array): boolean {
  const at = (messages: readonly Uint8Array[], field: number) =>
    messages.flatMap((message) => messagesAt(message, field));
  const inputs = at(at([model], MODEL_GRAPH), GRAPH_INPUT);
  const pasts = inputs.filter((input) =>
    at([input], 1).some((name) => new TextDecoder().decode(name).startsWith('past_')),
  );
  const tensors = at(at(pasts, 2), 1);
  return tensors.every((tensor) => readFields(tensor)[0]?.int === ELEMENT_TYPES.float32.code);
}

interface AttentionNode {
  inputs: Record<'queries' | 'pastKeys' | 'pastValues' | 'cos' | 'sin', string>;
  outputs: Record<'output' | 'keys' | 'values', string>;
  headCount: number;
  keyHeadCount: number;
  scale: number;
}

function readAttention({ inputs, outputs, attributes }: GraphNode): AttentionNode {
  const [queries = '', , , pastKeys = '', pastValues = '', , , cos = '', sin = ''] = inputs;
  const [output = '', keys = '', values = ''] = outputs;
  return {
    inputs: { queries, pastKeys, pastValues, cos, sin },
    outputs: { output, keys, values },
    headCount: attributes.get('num_heads') ?? 0,
    keyHeadCount: attributes.get('kv_num_heads') ?? 0,
    scale: attributes.get('scale') ?? 0,
  };
}

type NodeOptions = Parameters<GraphBuilder['node']> extends [unknown, unknown, unknown, ...infer Rest] ? Rest : never;

/** What all layers share, of one step: S tokens after P others, T in all. */
interface StepTensors {
  /** int64 [1]: P. */
  past: string;
  /** float32 [rows, T], see `writeAttention`: 0 where the token of a row sees the key, else `HIDDEN`. */
  mask: string;
  /** float32 [T, SUM_COLUMNS] of ones. */
  ones: string;
}

function writeAttentions(attentions: readonly AttentionNode[]): GraphBuilder {
  const graph = new GraphBuilder();
  const { headCount, keyHeadCount } = attentions[0]!;
  const step = writeStep(graph, headCount / keyHeadCount);
  attentions.forEach((attention, layer) => writeAttention(graph, attention, step, `attention.${layer}`));
  return graph;
}

function writeStep(graph: GraphBuilder, sharing: number): StepTensors {
  const int64 = (name: string, dims: readonly number[], ...values: number[]) =>
    graph.constant(`attention.${name}`, 'int64', dims, new Uint8Array(BigInt64Array.from(values, BigInt).buffer));
  const float32 = (name: string, value: number) =>
    graph.constant(`attention.${name}`, 'float32', [], new Uint8Array(Float32Array.of(value).buffer));
  const [zero, one, first, second] = [
    int64('zero', [], 0),
    int64('one', [], 1),
    int64('first', [1], 0),
    int64('second', [1], 1),
  ];
  const sizeOf = (input: string, name: string) =>
    graph.node('Gather', [graph.node('Shape', [input], [`${name}.shape`]), one], [name], { axis: 0 });
  const total = sizeOf('attention_mask', 'attention.total');
  const past = graph.node('Sub', [total, sizeOf('input_ids', 'attention.tokens')], ['attention.past']);

  const keys = graph.node('Range', [zero, total, one], ['attention.keys']);
  const tokens = graph.node('Range', [past, total, one], ['attention.positions']);
  const column = graph.node('Unsqueeze', [tokens, second], ['attention.column']);
  const isLater = graph.node('Greater', [keys, column], ['attention.later']);
  const hidden = graph.node(
    'Where',
    [isLater, float32('is.hidden', HIDDEN), float32('is.visible', 0)],
    ['attention.hidden'],
  );
  const firstRow = () => graph.node('Slice', [hidden, first, second, first], ['attention.hidden.first']);
  const blocks = sharing > 1 ? new Array<string>(sharing).fill(hidden) : [hidden, firstRow()];
  const mask = graph.node('Concat', blocks, ['attention.mask'], { axis: 0 });

  const totalDim = graph.node('Unsqueeze', [total, first], ['attention.total.dim']);
  const columns = int64('columns', [1], SUM_COLUMNS);
  const onesShape = graph.node('Concat', [totalDim, columns], ['attention.ones.shape'], { axis: 0 });
  const ones = graph.node('Expand', [float32('is.one', 1), onesShape], ['attention.ones']);
  return { past: graph.node('Unsqueeze', [past, first], ['attention.past.dim']), mask, ones };
}

/**
 * Shapes: H heads, K with keys, of D values; S tokens, T with those before. A product has H / K × S rows, head by head and token
 * by token; or S + 1, where each head has its own keys.
 */
function writeAttention(graph: GraphBuilder, attention: AttentionNode, step: StepTensors, name: string): void {
  const { inputs, outputs, headCount, keyHeadCount, scale } = attention;
  const node = (type: string, given: string[], output: string, ...more: NodeOptions) =>
    graph.node(type, given, [output], ...more);
  const isShared = headCount > keyHeadCount;
  /** Rows `from` to `to` of each head. */
  const part = (input: string, from: number, to: number, output: string) =>
    node('Slice', [input, sizes(`${from}`, from), sizes(`${to}`, to), sizes('2', 2)], `${name}.${output}`);
  const sizes = (part: string, ...values: number[]) =>
    graph.constant(
      `attention.${part}`,
      'int64',
      [values.length],
      new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
    );

  // [1, S, (H + 2K) D] to [1, H + 2K, S, D]
  const apart = node(
    'Reshape',
    [inputs.queries, sizes('apart.shape', 0, 0, headCount + 2 * keyHeadCount, -1)],
    `${name}.apart`,
  );
  const heads = node('Transpose', [apart], `${name}.heads`, { perm: [0, 2, 1, 3] });
  const turning = `${name}.turning`;
  const values = `${name}.new.values`;
  graph.node('Split', [heads, sizes('split', headCount + keyHeadCount, keyHeadCount)], [turning, values], { axis: 1 });
  const turned = node(
    'RotaryEmbedding',
    [turning, step.past, inputs.cos, inputs.sin],
    `${name}.turned`,
    {},
    'com.microsoft',
  );
  const [queries, keys] = [`${name}.queries`, `${name}.new.keys`];
  graph.node('Split', [turned, sizes('split.turned', headCount, keyHeadCount)], [queries, keys], { axis: 1 });
  node('Concat', [inputs.pastKeys, keys], outputs.keys, { axis: 2 });
  node('Concat', [inputs.pastValues, values], outputs.values, { axis: 2 });

  // [1, K, rows, D] by [1, K, T, D]
  const rows = isShared
    ? node('Reshape', [queries, sizes('rows.shape', 0, keyHeadCount, -1, 0)], `${name}.rows`)
    : node('Concat', [queries, part(queries, 0, 1, 'first')], `${name}.rows`, { axis: 2 });
  const products = node(
    'FusedMatMul',
    [rows, outputs.keys],
    `${name}.products`,
    { transB: 1, alpha: { float: scale } },
    'com.microsoft',
  );
  const scores = node('Add', [products, step.mask], `${name}.scores`);
  const largest = node('ReduceMax', [scores, sizes('-1', -1)], `${name}.largest`, { keepdims: 1 });
  const exponents = node('Exp', [node('Sub', [scores, largest], `${name}.differences`)], `${name}.exponents`);
  const sums = node('MatMul', [exponents, step.ones], `${name}.sums`);
  const sum = node('Slice', [sums, sizes('0', 0), sizes('1', 1), sizes('-1', -1)], `${name}.sum`);
  const weighted = node('MatMul', [exponents, outputs.values], `${name}.weighted`);
  const mean = node('Div', [weighted, sum], `${name}.mean`);

  // [1, K, rows, D] to [1, S, H D]
  const byHead = isShared
    ? node('Reshape', [mean, sizes('mean.shape', 0, headCount, -1, 0)], `${name}.by.head`)
    : part(mean, 0, -1, 'by.head');
  const byToken = node('Transpose', [byHead], `${name}.by.token`, { perm: [0, 2, 1, 3] });
  node('Reshape', [byToken, sizes('output.shape', 0, 0, -1)], outputs.output);
}
