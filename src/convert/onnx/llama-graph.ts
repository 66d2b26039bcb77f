import type { LlamaConfig } from '../llama-config.ts';
import { type Dimension, ELEMENT_TYPES, GraphBuilder } from './graph-builder.ts';
import { declareConstants } from './graph-constants.ts';
import { type PlannedWeight, planWeights } from './llama-plan.ts';
import {
  applyEmbedding,
  applyLinear,
  declareSharedHead,
  declareWeight,
  type QuantizedInput,
  sharesEmbedding,
  type VariantFormat,
} from './weight-format.ts';

export interface LlamaGraph {
  graph: GraphBuilder;
  /** Those that are stored, in the order of their bytes. */
  weights: readonly PlannedWeight[];
}

/** Names of the rotary tables, [contextLength, headDim / 2] in the activation type. */
const ROTARY_TABLES = ['rotary.cos', 'rotary.sin'] as const;

/** transformers.js makes the empty cache from the graph's shapes: by this name it knows the batch; others become 0. */
const BATCH = 'batch_size';

/**
 * A Llama decoder as an ONNX graph, with the inputs and outputs that transformers.js knows.
 *
 * Inputs: `input_ids` and `attention_mask` int64 [batch, tokens] and [batch, pastLength + tokens],
 * `num_logits_to_keep` int64 scalar, `past_key_values.N.key` and `.value` [batch, kvHeads, pastLength, headDim].
 * Outputs: `logits` float32 [batch, kept, vocabulary], `present.N.key` and `.value`.
 *
 * @see https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md for the operators
 */
export function buildLlamaGraph(config: LlamaConfig, variant: VariantFormat): LlamaGraph {
  const graph = new GraphBuilder();
  const plan = planWeights(config);
  const byName = new Map(plan.map((weight) => [weight.name, weight]));
  const weight = (name: string): PlannedWeight => {
    const found = byName.get(name);
    if (found === undefined) throw new Error(`The plan has no weight ${name}; this is a bug.`);
    return found;
  };
  const stored = plan.filter(({ kind }) => kind !== 'head' || !sharesEmbedding(config, variant));
  for (const planned of stored) declareWeight(graph, planned, variant);
  if (sharesEmbedding(config, variant)) declareSharedHead(graph, weight('head'), variant);
  declareConstants(graph);
  addRotaryTables(graph, config, variant);

  const ids = graph.input('input_ids', 'int64', [BATCH, 'tokens']);
  const mask = graph.input('attention_mask', 'int64', [BATCH, 'total']);
  const keep = graph.input('num_logits_to_keep', 'int64', []);
  const pastShape: Dimension[] = [BATCH, config.kvHeadCount, 'past', config.headDim];
  const presentShape: Dimension[] = [BATCH, config.kvHeadCount, 'present', config.headDim];
  for (let layer = 0; layer < config.layerCount; layer++) {
    for (const part of ['key', 'value']) {
      graph.input(`past_key_values.${layer}.${part}`, variant.activation, pastShape);
    }
  }

  const lengths = attentionLengths(graph, mask);
  const epsilon = { epsilon: { float: config.rmsNormEpsilon } };
  /** residual + update, and its norm; the residual goes on beside the norm. */
  const addAndNorm = (update: string, residual: string, norm: string) => {
    const sum = `${norm}.residual`;
    const normed = graph.node(
      'SkipSimplifiedLayerNormalization',
      [update, residual, `${norm}.data`],
      [`${norm}.output`, '', '', sum],
      epsilon,
      'com.microsoft',
    );
    return { normed, residual: sum };
  };

  let residual = applyEmbedding(graph, ids, weight('embedding'), variant);
  let normed = graph.node(
    'SimplifiedLayerNormalization',
    [residual, 'layer.0.input_norm.data'],
    ['layer.0.input_norm.output'],
    { ...epsilon, axis: -1, stash_type: 1 },
  );
  for (let layer = 0; layer < config.layerCount; layer++) {
    const name = (part: string) => `layer.${layer}.${part}`;
    const quantized = new Map<string, QuantizedInput>();
    const linear = (input: string, part: string) => applyLinear(graph, input, weight(name(part)), variant, quantized);

    const attention = graph.node(
      'GroupQueryAttention',
      [
        linear(normed, 'qkv'),
        '',
        '',
        `past_key_values.${layer}.key`,
        `past_key_values.${layer}.value`,
        lengths.seqlens,
        lengths.total,
        ...ROTARY_TABLES,
      ],
      [name('attention'), `present.${layer}.key`, `present.${layer}.value`],
      {
        num_heads: config.headCount,
        kv_num_heads: config.kvHeadCount,
        scale: { float: 1 / Math.sqrt(config.headDim) },
        do_rotary: 1,
        rotary_interleaved: 0,
        local_window_size: -1,
      },
      'com.microsoft',
    );
    const afterAttention = addAndNorm(linear(attention, 'attention_output'), residual, name('post_norm'));

    const gate = linear(afterAttention.normed, 'gate');
    const up = linear(afterAttention.normed, 'up');
    const sigmoid = graph.node('Sigmoid', [gate], [name('gate.sigmoid')]);
    const activated = graph.node('Mul', [gate, sigmoid], [name('gate.silu')]);
    const product = graph.node('Mul', [activated, up], [name('mlp')]);
    const nextNorm = layer + 1 < config.layerCount ? `layer.${layer + 1}.input_norm` : 'final_norm';
    ({ normed, residual } = addAndNorm(linear(product, 'down'), afterAttention.residual, nextNorm));
  }

  const negative = graph.node('Neg', [keep], ['keep.negative']);
  const start = graph.node('Unsqueeze', [negative, 'int64_zero'], ['keep.start']);
  const kept = graph.node('Slice', [normed, start, 'int64_end', 'int64_second_axis'], ['final_norm.kept']);
  const logits = applyLinear(graph, kept, weight('head'), variant, new Map());
  graph.node('Cast', [logits], ['logits'], { to: 1 });

  graph.output('logits', 'float32', [BATCH, 'kept', config.vocabularySize]);
  for (let layer = 0; layer < config.layerCount; layer++) {
    for (const part of ['key', 'value']) graph.output(`present.${layer}.${part}`, variant.activation, presentShape);
  }
  return { graph, weights: stored };
}

/** GroupQueryAttention wants the last position of each row (int32 [batch]) and the whole length (int32 scalar). */
function attentionLengths(graph: GraphBuilder, mask: string): { seqlens: string; total: string } {
  const sum = graph.node('ReduceSum', [mask, 'int64_second_axis'], ['mask.sum'], { keepdims: 0 });
  const last = graph.node('Sub', [sum, 'int64_one'], ['mask.last']);
  const seqlens = graph.node('Cast', [last], ['mask.seqlens'], { to: 6 });
  const shape = graph.node('Shape', [mask], ['mask.shape']);
  const length = graph.node('Gather', [shape, 'int64_index_one'], ['mask.length'], { axis: 0 });
  const total = graph.node('Cast', [length], ['mask.total'], { to: 6 });
  return { seqlens, total };
}

/**
 * cos and sin of every position, from nodes without inputs: onnxruntime computes them once, when it loads the graph, and the
 * files need not hold them (1 MB for 2,048 positions).
 */
function addRotaryTables(graph: GraphBuilder, config: LlamaConfig, variant: VariantFormat): void {
  // Hugging Face computes the frequencies and the angles in float32; so do we, or long contexts differ.
  const frequencies = Float32Array.from(
    { length: config.headDim / 2 },
    (_, i) => 1 / Math.fround(config.ropeTheta ** Math.fround((2 * i) / config.headDim)),
  );
  graph.constant('rotary.frequencies', 'float32', [frequencies.length], new Uint8Array(frequencies.buffer));
  for (const [name, value] of Object.entries({ start: 0, limit: config.contextLength, step: 1 })) {
    graph.constant(`rotary.${name}`, 'float32', [], new Uint8Array(Float32Array.of(value).buffer));
  }
  const positions = graph.node('Range', ['rotary.start', 'rotary.limit', 'rotary.step'], ['rotary.positions']);
  const column = graph.node('Unsqueeze', [positions, 'int64_second_axis'], ['rotary.column']);
  const angles = graph.node('Mul', [column, 'rotary.frequencies'], ['rotary.angles']);
  const to = ELEMENT_TYPES[variant.activation].code;
  for (const table of ROTARY_TABLES) {
    const values = graph.node(table === 'rotary.cos' ? 'Cos' : 'Sin', [angles], [`${table}.float32`]);
    graph.node('Cast', [values], [table], { to });
  }
}
