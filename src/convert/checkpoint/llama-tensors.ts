import type { LlamaConfig } from '../llama-config.ts';
import type { CheckpointTensor } from './checkpoint.ts';
import { selectTensors } from './select-tensors.ts';
import type { StoredTensor } from './stored-tensor.ts';

/** Hugging Face's names and shapes of everything that a Llama decoder is made of. */
function* llamaTensorShapes(config: LlamaConfig): Generator<[name: string, shape: readonly number[]]> {
  const { vocabularySize, hiddenSize, intermediateSize, headDim } = config;
  const queryRows = config.headCount * headDim;
  const keyRows = config.kvHeadCount * headDim;
  yield ['model.embed_tokens.weight', [vocabularySize, hiddenSize]];
  for (let i = 0; i < config.layerCount; i++) {
    const layer = `model.layers.${i}`;
    yield [`${layer}.input_layernorm.weight`, [hiddenSize]];
    yield [`${layer}.self_attn.q_proj.weight`, [queryRows, hiddenSize]];
    yield [`${layer}.self_attn.k_proj.weight`, [keyRows, hiddenSize]];
    yield [`${layer}.self_attn.v_proj.weight`, [keyRows, hiddenSize]];
    yield [`${layer}.self_attn.o_proj.weight`, [hiddenSize, queryRows]];
    yield [`${layer}.post_attention_layernorm.weight`, [hiddenSize]];
    yield [`${layer}.mlp.gate_proj.weight`, [intermediateSize, hiddenSize]];
    yield [`${layer}.mlp.up_proj.weight`, [intermediateSize, hiddenSize]];
    yield [`${layer}.mlp.down_proj.weight`, [hiddenSize, intermediateSize]];
  }
  yield ['model.norm.weight', [hiddenSize]];
  if (!config.isEmbeddingTied) yield ['lm_head.weight', [vocabularySize, hiddenSize]];
}

/**
 * What Hugging Face's Llama ignores too: rotary frequencies, which old versions saved and which follow from the
 * configuration, and the copy of a tied embedding.
 */
function isIgnored(name: string, config: LlamaConfig): boolean {
  return /^model\.(?:layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq$/.test(name)
    ? true
    : config.isEmbeddingTied && name === 'lm_head.weight';
}

/**
 * The tensors of a Llama decoder.
 *
 * @throws as {@link selectTensors}
 */
export function selectLlamaTensors(
  config: LlamaConfig,
  stored: ReadonlyMap<string, StoredTensor>,
  where: string,
): { tensors: Map<string, CheckpointTensor>; sizeBytes: number } {
  const wanted = {
    shapes: llamaTensorShapes(config),
    isIgnored: (name: string) => isIgnored(name, config),
    what: 'a Llama decoder',
  };
  return selectTensors(wanted, stored, where);
}
