import { BART_FIRST_POSITION, type BartConfig } from '../bart/bart-config.ts';
import { GraphBuilder } from './graph-builder.ts';
import { declareConstants } from './graph-constants.ts';
import type { PlannedWeight } from './llama-plan.ts';
import { ACTIVATION_OPERATORS, CLASSIFIER_FORMATS } from './sequence-classifier-graph.ts';
import { applyLinear, declareSharedHead, declareWeight } from './weight-format.ts';

const FORMAT = CLASSIFIER_FORMATS.fp32;
/** BART's own, which no configuration names. */
const NORM_EPSILON = 1e-5;
/** Added to the score of what a position must not see. */
const HIDDEN = -1e9;
type Side = 'encoder' | 'decoder';

/** Every weight of a BART, in order; the output head is the embedding once more. */
export function planBartWeights({ vocabularySize, hiddenSize, positionCount, ...config }: BartConfig): PlannedWeight[] {
  const norm = (name: string, source: string): PlannedWeight[] => [
    { name, kind: 'norm', sources: [`${source}.weight`], rows: 1, columns: hiddenSize },
    { name: `${name}_bias`, kind: 'norm', sources: [`${source}.bias`], rows: 1, columns: hiddenSize },
  ];
  const linear = (name: string, sources: readonly string[], rows: number, columns: number): PlannedWeight => ({
    name,
    kind: 'linear',
    sources: sources.map((source) => `${source}.weight`),
    rows: rows * sources.length,
    columns,
  });
  const bias = (name: string, sources: readonly string[], columns: number): PlannedWeight => ({
    name: `${name}_bias`,
    kind: 'norm',
    sources: sources.map((source) => `${source}.bias`),
    rows: sources.length,
    columns,
  });
  const table = (name: string, source: string, rows: number, columns: number): PlannedWeight => ({
    name,
    kind: 'table',
    sources: [source],
    rows,
    columns,
  });
  const plan: PlannedWeight[] = [
    {
      name: 'embedding',
      kind: 'embedding',
      sources: ['model.shared.weight'],
      rows: vocabularySize,
      columns: hiddenSize,
    },
  ];
  for (const side of ['encoder', 'decoder'] as const) {
    const { layerCount, intermediateSize } = config[side];
    const rows = positionCount + BART_FIRST_POSITION;
    plan.push(
      table(`${side}.positions`, `model.${side}.embed_positions.weight`, rows, hiddenSize),
      ...norm(`${side}.embedding_norm`, `model.${side}.layernorm_embedding`),
    );
    for (let layer = 0; layer < layerCount; layer++) {
      const [name, source] = [`${side}.${layer}`, `model.${side}.layers.${layer}`];
      const self = ['q_proj', 'k_proj', 'v_proj'].map((part) => `${source}.self_attn.${part}`);
      plan.push(
        linear(`${name}.qkv`, self, hiddenSize, hiddenSize),
        bias(`${name}.qkv`, self, hiddenSize),
        linear(`${name}.self_output`, [`${source}.self_attn.out_proj`], hiddenSize, hiddenSize),
        bias(`${name}.self_output`, [`${source}.self_attn.out_proj`], hiddenSize),
        ...norm(`${name}.self_norm`, `${source}.self_attn_layer_norm`),
      );
      if (side === 'decoder') {
        const [query, key, value, output] = ['q_proj', 'k_proj', 'v_proj', 'out_proj'].map(
          (part) => `${source}.encoder_attn.${part}`,
        ) as [string, string, string, string];
        plan.push(
          linear(`${name}.cross_query`, [query], hiddenSize, hiddenSize),
          linear(`${name}.cross_kv`, [key, value], hiddenSize, hiddenSize),
          bias(`${name}.cross`, [query, key, value], hiddenSize),
          linear(`${name}.cross_output`, [output], hiddenSize, hiddenSize),
          bias(`${name}.cross_output`, [output], hiddenSize),
          ...norm(`${name}.cross_norm`, `${source}.encoder_attn_layer_norm`),
        );
      }
      plan.push(
        linear(`${name}.up`, [`${source}.fc1`], intermediateSize, hiddenSize),
        bias(`${name}.up`, [`${source}.fc1`], intermediateSize),
        linear(`${name}.down`, [`${source}.fc2`], hiddenSize, intermediateSize),
        bias(`${name}.down`, [`${source}.fc2`], hiddenSize),
        ...norm(`${name}.output_norm`, `${source}.final_layer_norm`),
      );
    }
  }
  plan.push(table('logits_bias', 'final_logits_bias', 1, vocabularySize));
  return plan;
}

/**
 * How likely a BART finds a text as what follows another, as an ONNX graph.
 *
 * Inputs int64: `input_ids` [batch, sourceTokens], `decoder_input_ids` and `labels` [batch, tokens], all without padding: texts
 * of a batch are of one length. Output: `log_probabilities` float32 [batch, tokens], of each label.
 *
 * @see transformers modeling_bart.py, BartForConditionalGeneration
 */
export function buildBartGraph(config: BartConfig): { graph: GraphBuilder; weights: readonly PlannedWeight[] } {
  const weights = planBartWeights(config);
  const graph = new GraphBuilder();
  for (const weight of weights) declareWeight(graph, weight, FORMAT);
  declareConstants(graph);
  const writer = new BartWriter(graph, config, weights);
  const source = writer.writeEncoder(graph.input('input_ids', 'int64', ['batch', 'source_tokens']));
  const state = writer.writeDecoder(graph.input('decoder_input_ids', 'int64', ['batch', 'tokens']), source);
  writer.writeLogProbabilities(state, graph.input('labels', 'int64', ['batch', 'tokens']));
  graph.output('log_probabilities', 'float32', ['batch', 'tokens']);
  return { graph, weights };
}

class BartWriter {
  readonly #graph: GraphBuilder;
  readonly #config: BartConfig;
  readonly #weights: ReadonlyMap<string, PlannedWeight>;

  constructor(graph: GraphBuilder, config: BartConfig, weights: readonly PlannedWeight[]) {
    this.#graph = graph;
    this.#config = config;
    this.#weights = new Map(weights.map((weight) => [weight.name, weight]));
  }

  writeEncoder(ids: string): string {
    let state = this.#embed('encoder', ids);
    for (let layer = 0; layer < this.#config.encoder.layerCount; layer++) {
      const name = `encoder.${layer}`;
      state = this.#selfAttend('encoder', name, state, '');
      state = this.#feedForward(name, state);
    }
    return state;
  }

  writeDecoder(ids: string, source: string): string {
    const bias = this.#causalBias(ids);
    let state = this.#embed('decoder', ids);
    for (let layer = 0; layer < this.#config.decoder.layerCount; layer++) {
      const name = `decoder.${layer}`;
      state = this.#selfAttend('decoder', name, state, bias);
      state = this.#crossAttend(name, state, source);
      state = this.#feedForward(name, state);
    }
    return state;
  }

  writeLogProbabilities(state: string, labels: string): void {
    const { vocabularySize: rows, hiddenSize: columns } = this.#config;
    const head = { name: 'head', kind: 'head', sources: [], rows, columns } as const;
    declareSharedHead(this.#graph, head, FORMAT);
    const logits = applyLinear(this.#graph, state, head, FORMAT, new Map());
    const biased = this.#graph.node('Add', [logits, 'logits_bias.data'], ['logits']);
    const all = this.#graph.node('LogSoftmax', [biased], ['all_log_probabilities'], { axis: -1 });
    const places = this.#graph.node('Unsqueeze', [labels, 'int64_last_axis'], ['labels.places']);
    const found = this.#graph.node('GatherElements', [all, places], ['labels.found'], { axis: 2 });
    this.#graph.node('Squeeze', [found, 'int64_last_axis'], ['log_probabilities']);
  }

  #embed(side: Side, ids: string): string {
    // Both sides read one table.
    const words = this.#graph.node('Gather', ['embedding.data', ids], [`${side}.words`]);
    const scale = this.#float('embedding_scale', this.#config.embeddingScale);
    const scaled = this.#graph.node('Mul', [words, scale], [`${side}.scaled`]);
    const shape = this.#graph.node('Shape', [ids], [`${side}.shape`]);
    const count = this.#graph.node('Slice', [shape, 'int64_one', 'int64_end'], [`${side}.tokens`]);
    const first = this.#graph.constant('first_position', 'int64', [1], int64(BigInt(BART_FIRST_POSITION)));
    const end = this.#graph.node('Add', [count, first], [`${side}.positions_end`]);
    const positions = this.#graph.node(
      'Slice',
      [`${side}.positions.data`, first, end, 'int64_zero'],
      [`${side}.positions_output`],
    );
    const embedded = this.#graph.node('Add', [scaled, positions], [`${side}.embedded`]);
    return this.#norm(embedded, `${side}.embedding_norm`);
  }

  #selfAttend(side: Side, name: string, state: string, bias: string): string {
    const parts = ['query', 'key', 'value'].map((part) => `${name}.self_${part}`);
    this.#graph.node('Split', [this.#linear(state, `${name}.qkv`)], parts, { axis: -1, num_outputs: 3 });
    const attended = this.#attention(
      `${name}.self`,
      parts,
      `${name}.qkv_bias.data`,
      bias,
      this.#config[side].headCount,
    );
    return this.#addAndNorm(this.#biasedLinear(attended, `${name}.self_output`), state, `${name}.self_norm`);
  }

  #crossAttend(name: string, state: string, source: string): string {
    const parts = ['key', 'value'].map((part) => `${name}.cross_${part}`);
    this.#graph.node('Split', [this.#linear(source, `${name}.cross_kv`)], parts, { axis: -1, num_outputs: 2 });
    const inputs = [this.#linear(state, `${name}.cross_query`), ...parts];
    const { headCount } = this.#config.decoder;
    const attended = this.#attention(`${name}.cross`, inputs, `${name}.cross_bias.data`, '', headCount);
    return this.#addAndNorm(this.#biasedLinear(attended, `${name}.cross_output`), state, `${name}.cross_norm`);
  }

  #feedForward(name: string, state: string): string {
    const up = this.#biasedLinear(state, `${name}.up`);
    const { type, domain } = ACTIVATION_OPERATORS[this.#config.activation];
    const activated = this.#graph.node(type, [up], [`${name}.activated`], {}, domain);
    return this.#addAndNorm(this.#biasedLinear(activated, `${name}.down`), state, `${name}.output_norm`);
  }

  /** @param inputs  query, key, value @param bias  '' where every position sees all */
  #attention(name: string, inputs: readonly string[], biases: string, bias: string, headCount: number): string {
    return this.#graph.node(
      'MultiHeadAttention',
      [...inputs, biases, ...(bias === '' ? [] : ['', bias])],
      [name],
      { num_heads: headCount },
      'com.microsoft',
    );
  }

  /** 0 up to each position, else {@link HIDDEN}: float32 [1, 1, tokens, tokens]. */
  #causalBias(ids: string): string {
    const shape = this.#graph.node('Shape', [ids], ['causal.shape']);
    const count = this.#graph.node('Gather', [shape, 'int64_index_one'], ['causal.count']);
    const start = this.#graph.constant('range_start', 'int64', [], int64(0n));
    const columns = this.#graph.node('Range', [start, count, 'int64_index_one'], ['causal.columns']);
    const rows = this.#graph.node('Unsqueeze', [columns, 'int64_one'], ['causal.rows']);
    const isLater = this.#graph.node('Greater', [columns, rows], ['causal.later']);
    const bias = this.#graph.node(
      'Where',
      [isLater, this.#float('float_hidden', HIDDEN), this.#float('float_zero', 0)],
      ['causal.square'],
    );
    const axes = this.#graph.constant('int64_outer_axes', 'int64', [2], int64(0n, 1n));
    return this.#graph.node('Unsqueeze', [bias, axes], ['causal.bias']);
  }

  #linear(input: string, name: string): string {
    return applyLinear(this.#graph, input, this.#weight(name), FORMAT, new Map());
  }

  #biasedLinear(input: string, name: string): string {
    return this.#graph.node('Add', [this.#linear(input, name), `${name}_bias.data`], [`${name}.biased`]);
  }

  #addAndNorm(update: string, residual: string, name: string): string {
    return this.#norm(this.#graph.node('Add', [update, residual], [`${name}.sum`]), name);
  }

  #norm(input: string, name: string): string {
    return this.#graph.node('LayerNormalization', [input, `${name}.data`, `${name}_bias.data`], [`${name}.output`], {
      axis: -1,
      epsilon: { float: NORM_EPSILON },
    });
  }

  #weight(name: string): PlannedWeight {
    const found = this.#weights.get(name);
    if (found === undefined) throw new Error(`The plan has no weight ${name}; this is a bug.`);
    return found;
  }

  #float(name: string, value: number): string {
    return this.#graph.constant(name, 'float32', [], new Uint8Array(Float32Array.of(value).buffer));
  }
}

function int64(...values: bigint[]): Uint8Array {
  return new Uint8Array(BigInt64Array.from(values).buffer);
}
