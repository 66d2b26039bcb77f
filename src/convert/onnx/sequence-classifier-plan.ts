import type { ClassifierConfig, ClassifierSizes } from '../classifier/classifier-config.ts';
import type { PlannedWeight } from './llama-plan.ts';

/** A weight of a classifier, with the shape of each of its tensors in the checkpoint. */
export interface ClassifierWeight extends PlannedWeight {
  /** GPT-2 stores projections as [columns, rows], the transpose of what others do. */
  isStoredTransposed?: true;
}

/**
 * Every weight of a sequence classifier, in order. A layer's are named alike in all architectures: `qkv`,
 * `attention_output`, `up`, `down`, each with a `_bias`, and the norms around attention and feed-forward part, each with a
 * `_bias` too.
 */
export function planClassifierWeights(config: ClassifierConfig): ClassifierWeight[] {
  switch (config.architecture) {
    case 'bert':
      return planBert(config);
    case 'distilbert':
      return planDistilBert(config);
    case 'gpt2':
      return planGpt2(config);
    default:
      return config.architecture satisfies never;
  }
}

/** Names and shapes of the tensors in the checkpoint. */
export function classifierTensorShapes(config: ClassifierConfig): Generator<[string, readonly number[]]> {
  return weightShapes(planClassifierWeights(config));
}

/** Names and shapes of some weights' tensors in the checkpoint. */
export function* weightShapes(plan: readonly ClassifierWeight[]): Generator<[string, readonly number[]]> {
  for (const { kind, sources, rows, columns, isStoredTransposed } of plan) {
    const rowsOfEach = rows / sources.length;
    for (const source of sources) {
      if (kind === 'norm') yield [source, [columns]];
      else yield [source, isStoredTransposed ? [columns, rowsOfEach] : [rowsOfEach, columns]];
    }
  }
}

/**
 * What may be in a checkpoint and changes no logit: index and mask buffers of old versions, and the heads of the
 * pretraining that the classifier began with.
 */
export function isIgnoredByClassifier(name: string): boolean {
  return /(?:^|\.)(?:position_ids|token_type_ids|attn\.bias|attn\.masked_bias)$|^lm_head\.weight$|^cls\.|^vocab_(?:transform|layer_norm|projector)\./.test(
    name,
  );
}

function planBert(config: ClassifierConfig): ClassifierWeight[] {
  const { hiddenSize, labels } = config;
  return [
    ...planBertLayers(config, 'bert.'),
    ...linear('pooler', ['bert.pooler.dense'], hiddenSize, hiddenSize),
    ...linear('head', ['classifier'], labels.length, hiddenSize, 'head'),
  ];
}

/** What BERT and RoBERTa have in common: embeddings and layers. */
export function planBertLayers(config: ClassifierSizes, namespace: string): ClassifierWeight[] {
  const { hiddenSize, vocabularySize, positionCount, typeCount } = config;
  const embeddings = `${namespace}embeddings`;
  const plan: ClassifierWeight[] = [
    embedding(`${embeddings}.word_embeddings.weight`, vocabularySize, hiddenSize),
    table('positions', `${embeddings}.position_embeddings.weight`, positionCount, hiddenSize),
    table('types', `${embeddings}.token_type_embeddings.weight`, typeCount, hiddenSize),
    ...norm('embedding_norm', `${embeddings}.LayerNorm`, hiddenSize),
  ];
  for (let layer = 0; layer < config.layerCount; layer++) {
    const prefix = `${namespace}encoder.layer.${layer}`;
    plan.push(
      ...encoderLayer(config, layer, {
        qkv: ['query', 'key', 'value'].map((name) => `${prefix}.attention.self.${name}`),
        attentionOutput: `${prefix}.attention.output.dense`,
        attentionNorm: `${prefix}.attention.output.LayerNorm`,
        up: `${prefix}.intermediate.dense`,
        down: `${prefix}.output.dense`,
        outputNorm: `${prefix}.output.LayerNorm`,
      }),
    );
  }
  return plan;
}

function planDistilBert(config: ClassifierConfig): ClassifierWeight[] {
  const { hiddenSize, vocabularySize, positionCount, labels } = config;
  const embeddings = 'distilbert.embeddings';
  const plan: ClassifierWeight[] = [
    embedding(`${embeddings}.word_embeddings.weight`, vocabularySize, hiddenSize),
    table('positions', `${embeddings}.position_embeddings.weight`, positionCount, hiddenSize),
    ...norm('embedding_norm', `${embeddings}.LayerNorm`, hiddenSize),
  ];
  for (let layer = 0; layer < config.layerCount; layer++) {
    const prefix = `distilbert.transformer.layer.${layer}`;
    plan.push(
      ...encoderLayer(config, layer, {
        qkv: ['q_lin', 'k_lin', 'v_lin'].map((name) => `${prefix}.attention.${name}`),
        attentionOutput: `${prefix}.attention.out_lin`,
        attentionNorm: `${prefix}.sa_layer_norm`,
        up: `${prefix}.ffn.lin1`,
        down: `${prefix}.ffn.lin2`,
        outputNorm: `${prefix}.output_layer_norm`,
      }),
    );
  }
  plan.push(
    ...linear('pooler', ['pre_classifier'], hiddenSize, hiddenSize),
    ...linear('head', ['classifier'], labels.length, hiddenSize, 'head'),
  );
  return plan;
}

function planGpt2(config: ClassifierConfig): ClassifierWeight[] {
  const { hiddenSize, intermediateSize, vocabularySize, positionCount, labels } = config;
  const plan: ClassifierWeight[] = [
    embedding('transformer.wte.weight', vocabularySize, hiddenSize),
    table('positions', 'transformer.wpe.weight', positionCount, hiddenSize),
  ];
  const transposed = (name: string, source: string, rows: number, columns: number) =>
    linear(name, [source], rows, columns).map((weight): ClassifierWeight =>
      weight.kind === 'linear' ? { ...weight, isStoredTransposed: true } : weight,
    );
  for (let layer = 0; layer < config.layerCount; layer++) {
    const prefix = `transformer.h.${layer}`;
    const name = (part: string) => `layer.${layer}.${part}`;
    plan.push(
      ...norm(name('attention_norm'), `${prefix}.ln_1`, hiddenSize),
      ...transposed(name('qkv'), `${prefix}.attn.c_attn`, 3 * hiddenSize, hiddenSize),
      ...transposed(name('attention_output'), `${prefix}.attn.c_proj`, hiddenSize, hiddenSize),
      ...norm(name('output_norm'), `${prefix}.ln_2`, hiddenSize),
      ...transposed(name('up'), `${prefix}.mlp.c_fc`, intermediateSize, hiddenSize),
      ...transposed(name('down'), `${prefix}.mlp.c_proj`, hiddenSize, intermediateSize),
    );
  }
  plan.push(...norm('final_norm', 'transformer.ln_f', hiddenSize), {
    name: 'head',
    kind: 'head',
    sources: ['score.weight'],
    rows: labels.length,
    columns: hiddenSize,
  });
  return plan;
}

/** Where the parts of a layer whose norms come after its two halves stand in the checkpoint. */
interface EncoderLayerNames {
  qkv: readonly string[];
  attentionOutput: string;
  attentionNorm: string;
  up: string;
  down: string;
  outputNorm: string;
}

function encoderLayer(
  { hiddenSize, intermediateSize }: Pick<ClassifierConfig, 'hiddenSize' | 'intermediateSize'>,
  layer: number,
  names: EncoderLayerNames,
): ClassifierWeight[] {
  const name = (part: string) => `layer.${layer}.${part}`;
  return [
    ...linear(name('qkv'), names.qkv, 3 * hiddenSize, hiddenSize),
    ...linear(name('attention_output'), [names.attentionOutput], hiddenSize, hiddenSize),
    ...norm(name('attention_norm'), names.attentionNorm, hiddenSize),
    ...linear(name('up'), [names.up], intermediateSize, hiddenSize),
    ...linear(name('down'), [names.down], hiddenSize, intermediateSize),
    ...norm(name('output_norm'), names.outputNorm, hiddenSize),
  ];
}

function embedding(source: string, rows: number, columns: number): ClassifierWeight {
  return { name: 'embedding', kind: 'embedding', sources: [source], rows, columns };
}

function table(name: string, source: string, rows: number, columns: number): ClassifierWeight {
  return { name, kind: 'table', sources: [source], rows, columns };
}

function norm(name: string, source: string, columns: number): ClassifierWeight[] {
  return [
    { name, kind: 'norm', sources: [`${source}.weight`], rows: 1, columns },
    { name: `${name}_bias`, kind: 'norm', sources: [`${source}.bias`], rows: 1, columns },
  ];
}

/** A projection and its bias; several sources are one projection, one after the other. */
function linear(
  name: string,
  sources: readonly string[],
  rows: number,
  columns: number,
  kind: 'linear' | 'head' = 'linear',
): ClassifierWeight[] {
  const biases = sources.map((source) => `${source}.bias`);
  return [
    { name, kind, sources: sources.map((source) => `${source}.weight`), rows, columns },
    { name: `${name}_bias`, kind: 'norm', sources: biases, rows: biases.length, columns: rows / biases.length },
  ];
}
