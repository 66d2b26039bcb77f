import { AlignError } from '../align/errors.ts';
import type { LlamaConfig } from '../convert/llama-config.ts';
import { type Initializer, readInitializers, readNodes } from '../convert/onnx/read-graph.ts';

/** A Llama decoder of 8-bit rows, as the graph of the variant q8 describes it. */
export interface RowsModel extends Omit<LlamaConfig, 'ropeTheta' | 'bosTokenId' | 'eosTokenIds'> {
  attentionScale: number;
  /** float32 [headDim / 2], radians per position */
  rotaryFrequencies: Float32Array;
  initializers: ReadonlyMap<string, Initializer>;
}

/**
 * @param graph  an onnx.ModelProto of src/convert/onnx/llama-graph.ts
 * @returns undefined if it is not of 8-bit rows
 * @throws AlignError `weights-corrupt` if it is, and something is missing
 */
export function readRowsModel(graph: Uint8Array): RowsModel | undefined {
  const initializers = readInitializers(graph);
  const embedding = initializers.get('embedding.data');
  // Graphs of before 2026-11-26 hold rotary tables, not what they are made of: ORT runs those.
  if (embedding?.type !== 'int8' || !initializers.has('rotary.frequencies')) return undefined;
  const refuse = (what: string): never => {
    throw new AlignError('weights-corrupt', `The graph is not a decoder of ours: ${what}.`);
  };
  const shapeOf = (name: string) => initializers.get(name)?.shape ?? refuse(`it has no ${name}`);
  const floatsOf = (name: string) => {
    const data = initializers.get(name)?.data;
    return data instanceof Uint8Array ? new Float32Array(data.slice().buffer) : refuse(`it has no ${name}`);
  };
  const nodes = readNodes(graph);
  const attentions = nodes.filter(({ type }) => type === 'GroupQueryAttention');
  const attribute = (type: string, name: string) =>
    nodes.find((node) => node.type === type)?.attributes.get(name) ?? refuse(`it has no ${type} with ${name}`);
  const [vocabularySize = 0, hiddenSize = 0] = embedding.shape;
  const rotaryFrequencies = floatsOf('rotary.frequencies');
  return {
    vocabularySize,
    hiddenSize,
    intermediateSize: shapeOf('layer.0.gate.data')[1] ?? 0,
    layerCount: attentions.length,
    headCount: attribute('GroupQueryAttention', 'num_heads'),
    kvHeadCount: attribute('GroupQueryAttention', 'kv_num_heads'),
    headDim: 2 * rotaryFrequencies.length,
    contextLength: floatsOf('rotary.limit')[0] ?? 0,
    rmsNormEpsilon: attribute('SimplifiedLayerNormalization', 'epsilon'),
    attentionScale: attribute('GroupQueryAttention', 'scale'),
    rotaryFrequencies,
    isEmbeddingTied: !initializers.has('head.data'),
    initializers,
  };
}
