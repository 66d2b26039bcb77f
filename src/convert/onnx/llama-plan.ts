import type { LlamaConfig } from '../llama-config.ts';

/** One weight of a model, in the order in which the graph uses them and the data files hold them. */
export interface PlannedWeight {
  /** Name in the graph. */
  name: string;
  /** `norm`: a vector, be it a norm's or a bias; `table`: rows that are added as they are, positions for one. */
  kind: 'embedding' | 'table' | 'norm' | 'linear' | 'head';
  /** Tensors of the checkpoint whose rows follow one another in it: q, k and v are read as one projection. */
  sources: readonly string[];
  rows: number;
  columns: number;
}

/** Hugging Face's names of one layer's tensors. */
export function layerTensorNames(layer: number) {
  const prefix = `model.layers.${layer}`;
  return {
    inputNorm: `${prefix}.input_layernorm.weight`,
    query: `${prefix}.self_attn.q_proj.weight`,
    key: `${prefix}.self_attn.k_proj.weight`,
    value: `${prefix}.self_attn.v_proj.weight`,
    output: `${prefix}.self_attn.o_proj.weight`,
    postNorm: `${prefix}.post_attention_layernorm.weight`,
    gate: `${prefix}.mlp.gate_proj.weight`,
    up: `${prefix}.mlp.up_proj.weight`,
    down: `${prefix}.mlp.down_proj.weight`,
  };
}

const EMBEDDING = 'model.embed_tokens.weight';
const FINAL_NORM = 'model.norm.weight';

/** Every weight of the decoder, in order. */
export function planWeights(config: LlamaConfig): PlannedWeight[] {
  const { hiddenSize, intermediateSize, vocabularySize } = config;
  const queryRows = config.headCount * config.headDim;
  const keyRows = config.kvHeadCount * config.headDim;
  const norm = (name: string, source: string): PlannedWeight => ({
    name,
    kind: 'norm',
    sources: [source],
    rows: 1,
    columns: hiddenSize,
  });
  const plan: PlannedWeight[] = [
    { name: 'embedding', kind: 'embedding', sources: [EMBEDDING], rows: vocabularySize, columns: hiddenSize },
  ];
  for (let layer = 0; layer < config.layerCount; layer++) {
    const tensors = layerTensorNames(layer);
    const linear = (name: string, sources: readonly string[], rows: number, columns: number): PlannedWeight => ({
      name: `layer.${layer}.${name}`,
      kind: 'linear',
      sources,
      rows,
      columns,
    });
    plan.push(
      norm(`layer.${layer}.input_norm`, tensors.inputNorm),
      linear('qkv', [tensors.query, tensors.key, tensors.value], queryRows + 2 * keyRows, hiddenSize),
      linear('attention_output', [tensors.output], hiddenSize, queryRows),
      norm(`layer.${layer}.post_norm`, tensors.postNorm),
      linear('gate', [tensors.gate], intermediateSize, hiddenSize),
      linear('up', [tensors.up], intermediateSize, hiddenSize),
      linear('down', [tensors.down], hiddenSize, intermediateSize),
    );
  }
  const headSource = config.isEmbeddingTied ? EMBEDDING : 'lm_head.weight';
  plan.push(norm('final_norm', FINAL_NORM), {
    name: 'head',
    kind: 'head',
    sources: [headSource],
    rows: vocabularySize,
    columns: hiddenSize,
  });
  return plan;
}
