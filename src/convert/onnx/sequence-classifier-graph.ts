import type { Variant } from '../../align/variant.ts';
import type { ClassifierActivation, ClassifierConfig } from '../classifier/classifier-config.ts';
import type { EncoderConfig } from '../encoder/encoder-config.ts';
import { GraphBuilder } from './graph-builder.ts';
import { declareConstants } from './graph-constants.ts';
import { type ClassifierWeight, planBertLayers, planClassifierWeights } from './sequence-classifier-plan.ts';
import {
  applyEmbedding,
  applyLinear,
  declareWeight,
  type QuantizedInput,
  type VariantFormat,
} from './weight-format.ts';

/** The forms of a classifier: exact, and int8 rows with activations quantized per row. Its head stays as it is in both. */
export const CLASSIFIER_FORMATS = {
  fp32: { activation: 'float32', linear: 'plain', head: 'plain', embedding: 'plain' },
  q8: { activation: 'float32', linear: 'rows8', head: 'plain', embedding: 'rows8' },
} as const satisfies Partial<Record<Variant, VariantFormat>>;
export type ClassifierVariant = keyof typeof CLASSIFIER_FORMATS;

export interface ClassifierGraph {
  graph: GraphBuilder;
  /** In the order of their bytes. */
  weights: readonly ClassifierWeight[];
}

/** Added to the score of what a position must not see. */
const HIDDEN = -1e9;

/**
 * A sequence classifier as an ONNX graph, with the inputs and the output that transformers.js knows.
 *
 * Inputs: `input_ids` and `attention_mask` int64 [batch, tokens], for BERT `token_type_ids` too; rows are filled up on the
 * right. Output: `logits` float32 [batch, labels].
 *
 * @see transformers modeling_bert.py, modeling_distilbert.py, modeling_gpt2.py (…ForSequenceClassification)
 */
export function buildClassifierGraph(config: ClassifierConfig, variant: VariantFormat): ClassifierGraph {
  const weights = planClassifierWeights(config);
  const graph = new GraphBuilder();
  for (const weight of weights) declareWeight(graph, weight, variant);
  declareConstants(graph);
  const writer = new ClassifierWriter(graph, config, variant, weights);
  const logits = config.architecture === 'gpt2' ? writer.writeGpt2() : writer.writeEncoder();
  graph.node('Identity', [logits], ['logits']);
  graph.output('logits', 'float32', ['batch', config.labels.length]);
  return { graph, weights };
}

/**
 * The states of a BERT or RoBERTa behind its last layer, as an ONNX graph.
 *
 * Inputs as {@link buildClassifierGraph}'s, all three of them. Output: `last_hidden_state` float32 [batch, tokens, hidden].
 */
export function buildEncoderGraph(config: EncoderConfig, variant: VariantFormat): ClassifierGraph {
  const weights = planBertLayers(config, '');
  const graph = new GraphBuilder();
  for (const weight of weights) declareWeight(graph, weight, variant);
  declareConstants(graph);
  const state = new ClassifierWriter(graph, config, variant, weights).writeStates();
  graph.node('Identity', [state], ['last_hidden_state']);
  graph.output('last_hidden_state', 'float32', ['batch', 'tokens', config.hiddenSize]);
  return { graph, weights };
}

class ClassifierWriter {
  readonly #graph: GraphBuilder;
  readonly #config: ClassifierConfig | EncoderConfig;
  readonly #variant: VariantFormat;
  readonly #weights: ReadonlyMap<string, ClassifierWeight>;
  readonly #quantized = new Map<string, QuantizedInput>();
  readonly #ids: string;
  readonly #mask: string;
  /** int64 [1], the tokens of a row. */
  readonly #tokenCount: string;

  constructor(
    graph: GraphBuilder,
    config: ClassifierConfig | EncoderConfig,
    variant: VariantFormat,
    weights: readonly ClassifierWeight[],
  ) {
    this.#graph = graph;
    this.#config = config;
    this.#variant = variant;
    this.#weights = new Map(weights.map((weight) => [weight.name, weight]));
    this.#ids = graph.input('input_ids', 'int64', ['batch', 'tokens']);
    this.#mask = graph.input('attention_mask', 'int64', ['batch', 'tokens']);
    const shape = graph.node('Shape', [this.#ids], ['ids.shape']);
    this.#tokenCount = graph.node('Slice', [shape, 'int64_one', 'int64_end'], ['ids.tokens']);
  }

  /** BERT and DistilBERT: the first token's last state goes through one more layer and the head. */
  writeEncoder(): string {
    const state = this.writeStates();
    const first = this.#graph.node('Gather', [state, this.#scalar('first_token', 0n)], ['pooled'], { axis: 1 });
    const pooler = this.#addBias(this.#linear(first, 'pooler'), 'pooler');
    const activation = this.#config.architecture === 'bert' ? 'Tanh' : 'Relu';
    const activated = this.#graph.node(activation, [pooler], ['pooler.activated']);
    return this.#addBias(this.#linear(activated, 'head'), 'head');
  }

  /** The states behind the last layer: float32 [batch, tokens, hidden]. */
  writeStates(): string {
    const { typeCount, layerCount } = this.#config;
    let embedded = this.#embed();
    if (typeCount > 0) {
      const types = this.#graph.input('token_type_ids', 'int64', ['batch', 'tokens']);
      const typed = this.#graph.node('Gather', ['types.data', types], ['types.output']);
      embedded = this.#graph.node('Add', [embedded, typed], ['embedding.typed']);
    }
    const bias = this.#graph.node('Expand', [this.#paddingBias(), this.#squareShape()], ['attention.bias']);
    let state = this.#norm(embedded, 'embedding_norm');
    for (let layer = 0; layer < layerCount; layer++) {
      const name = (part: string) => `layer.${layer}.${part}`;
      const attention = this.#linear(this.#attend(state, layer, bias), name('attention_output'));
      state = this.#addAndNorm(attention, state, name('attention_norm'), name('attention_output_bias')).normed;
      const down = this.#linear(this.#activate(state, layer), name('down'));
      state = this.#addAndNorm(down, state, name('output_norm'), name('down_bias')).normed;
    }
    return state;
  }

  /** GPT-2: the state of each row's last token that is no padding goes through the head. */
  writeGpt2(): string {
    const { layerCount } = this.#config;
    const bias = this.#graph.node('Add', [this.#paddingBias(), this.#causalBias()], ['attention.bias']);
    let residual = this.#embed();
    let normed = this.#norm(residual, 'layer.0.attention_norm');
    for (let layer = 0; layer < layerCount; layer++) {
      const name = (part: string) => `layer.${layer}.${part}`;
      const attention = this.#linear(this.#attend(normed, layer, bias), name('attention_output'));
      const middle = this.#addAndNorm(attention, residual, name('output_norm'), name('attention_output_bias'));
      const down = this.#linear(this.#activate(middle.normed, layer), name('down'));
      const nextNorm = layer + 1 < layerCount ? `layer.${layer + 1}.attention_norm` : 'final_norm';
      ({ normed, sum: residual } = this.#addAndNorm(down, middle.sum, nextNorm, name('down_bias')));
    }
    const last = this.#graph.node('GatherND', [normed, this.#lastTokens()], ['pooled'], { batch_dims: 1 });
    return this.#linear(last, 'head');
  }

  /** Words and positions: float32 [batch, tokens, hidden]. */
  #embed(): string {
    const words = applyEmbedding(this.#graph, this.#ids, this.#weight('embedding'), this.#variant);
    let [start, end] = ['int64_zero', this.#tokenCount];
    if ('firstPosition' in this.#config) {
      start = this.#graph.constant('first_position', 'int64', [1], int64(BigInt(this.#config.firstPosition)));
      end = this.#graph.node('Add', [start, this.#tokenCount], ['positions.end']);
    }
    const positions = this.#graph.node('Slice', ['positions.data', start, end, 'int64_zero'], ['positions.output']);
    return this.#graph.node('Add', [words, positions], ['embedding.positioned']);
  }

  /** Self-attention of one layer, before its output projection. */
  #attend(input: string, layer: number, bias: string): string {
    const name = (part: string) => `layer.${layer}.${part}`;
    const parts = ['query', 'key', 'value'].map(name);
    this.#graph.node('Split', [this.#linear(input, name('qkv'))], parts, { axis: -1, num_outputs: 3 });
    return this.#graph.node(
      'MultiHeadAttention',
      [...parts, `${name('qkv_bias')}.data`, '', bias],
      [name('attention')],
      { num_heads: this.#config.headCount },
      'com.microsoft',
    );
  }

  /** The feed-forward part up to its second projection. */
  #activate(input: string, layer: number): string {
    const name = `layer.${layer}.up`;
    const biased = this.#addBias(this.#linear(input, name), name);
    const { type, domain } = ACTIVATION_OPERATORS[this.#config.activation];
    return this.#graph.node(type, [biased], [`${name}.activated`], {}, domain);
  }

  #linear(input: string, name: string): string {
    return applyLinear(this.#graph, input, this.#weight(name), this.#variant, this.#quantized);
  }

  #addBias(input: string, name: string): string {
    return this.#graph.node('Add', [input, `${name}_bias.data`], [`${name}.biased`]);
  }

  #norm(input: string, name: string): string {
    return this.#graph.node('LayerNormalization', [input, `${name}.data`, `${name}_bias.data`], [`${name}.output`], {
      axis: -1,
      epsilon: { float: this.#config.layerNormEpsilon },
    });
  }

  /** update + bias + residual, and its norm. */
  #addAndNorm(update: string, residual: string, name: string, bias: string): { normed: string; sum: string } {
    const sum = `${name}.residual`;
    const normed = this.#graph.node(
      'SkipLayerNormalization',
      [update, residual, `${name}.data`, `${name}_bias.data`, `${bias}.data`],
      [`${name}.output`, '', '', sum],
      { epsilon: { float: this.#config.layerNormEpsilon } },
      'com.microsoft',
    );
    return { normed, sum };
  }

  /** 0 where there is a token, else {@link HIDDEN}: float32 [batch, 1, 1, tokens]. */
  #paddingBias(): string {
    const ones = this.#graph.node('Cast', [this.#mask], ['mask.float'], { to: 1 });
    const zeros = this.#graph.node('Sub', [ones, this.#float('float_one', 1)], ['mask.shifted']);
    const bias = this.#graph.node('Mul', [zeros, this.#float('float_shown', -HIDDEN)], ['mask.bias']);
    this.#graph.constant('int64_inner_axes', 'int64', [2], int64(1n, 2n));
    return this.#graph.node('Unsqueeze', [bias, 'int64_inner_axes'], ['mask.padding']);
  }

  /** 0 up to each position, else {@link HIDDEN}: float32 [tokens, tokens]. */
  #causalBias(): string {
    const columns = this.#positions();
    const rows = this.#graph.node('Unsqueeze', [columns, 'int64_one'], ['causal.rows']);
    const isLater = this.#graph.node('Greater', [columns, rows], ['causal.later']);
    const hidden = this.#float('float_hidden', HIDDEN);
    return this.#graph.node('Where', [isLater, hidden, this.#float('float_zero', 0)], ['causal.bias']);
  }

  /** int64 [4]: 1, 1, tokens, 1. */
  #squareShape(): string {
    this.#graph.constant('int64_ones', 'int64', [2], int64(1n, 1n));
    return this.#graph.node('Concat', ['int64_ones', this.#tokenCount, 'int64_one'], ['attention.shape'], { axis: 0 });
  }

  /** int64 [batch, 1]: as transformers finds it, so a padding token that the text itself ends in does not count. */
  #lastTokens(): string {
    const { padTokenId } = this.#config;
    let counts = this.#mask;
    if (padTokenId !== undefined) {
      const isPad = this.#graph.node(
        'Equal',
        [this.#ids, this.#scalar('pad_token', BigInt(padTokenId))],
        ['ids.is_pad'],
      );
      const isText = this.#graph.node('Not', [isPad], ['ids.is_text']);
      const text = this.#graph.node('Cast', [isText], ['ids.text'], { to: 7 });
      counts = this.#graph.node('Mul', [this.#mask, text], ['ids.counted']);
    }
    const places = this.#graph.node('Mul', [counts, this.#positions()], ['ids.places']);
    return this.#graph.node('ReduceMax', [places, 'int64_one'], ['ids.last'], { keepdims: 1 });
  }

  #positionsName: string | undefined;
  /** int64 [tokens]: 0, 1, 2, … */
  #positions(): string {
    if (this.#positionsName !== undefined) return this.#positionsName;
    const count = this.#graph.node('Squeeze', [this.#tokenCount], ['ids.count']);
    const [start, step] = [this.#scalar('range_start', 0n), this.#scalar('range_step', 1n)];
    return (this.#positionsName = this.#graph.node('Range', [start, count, step], ['ids.positions']));
  }

  #weight(name: string): ClassifierWeight {
    const found = this.#weights.get(name);
    if (found === undefined) throw new Error(`The plan has no weight ${name}; this is a bug.`);
    return found;
  }

  #scalar(name: string, value: bigint): string {
    return this.#graph.constant(name, 'int64', [], int64(value));
  }

  #float(name: string, value: number): string {
    return this.#graph.constant(name, 'float32', [], new Uint8Array(Float32Array.of(value).buffer));
  }
}

export const ACTIVATION_OPERATORS: Record<ClassifierActivation, { type: string; domain: '' | 'com.microsoft' }> = {
  gelu: { type: 'Gelu', domain: 'com.microsoft' },
  'gelu-tanh': { type: 'FastGelu', domain: 'com.microsoft' },
  relu: { type: 'Relu', domain: '' },
};

function int64(...values: bigint[]): Uint8Array {
  return new Uint8Array(BigInt64Array.from(values).buffer);
}
