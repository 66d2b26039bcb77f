import type { LlamaConfig } from '../llama-config.ts';
import { corrupt, quote, unsupported } from './checkpoint-errors.ts';
import type { CheckpointTensor } from './checkpoint.ts';
import { checkpointTensor, elementCount, rowBytes, type StoredTensor } from './stored-tensor.ts';

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
 * The tensors that the configuration asks for, each there with the right shape in a form that we read.
 *
 * @param where  the file or folder, for what is missing
 * @throws AlignError `checkpoint-corrupt` for a missing tensor or a wrong shape; `unsupported-model` for a type we do
 *   not read, or a tensor that a plain Llama decoder does not have (a bias, an adapter): leaving it out would give
 *   another model
 */
export function selectLlamaTensors(
  config: LlamaConfig,
  stored: ReadonlyMap<string, StoredTensor>,
  where: string,
): { tensors: Map<string, CheckpointTensor>; sizeBytes: number } {
  const tensors = new Map<string, CheckpointTensor>();
  let sizeBytes = 0;
  for (const [name, shape] of llamaTensorShapes(config)) {
    const tensor = stored.get(name);
    if (tensor === undefined) {
      throw corrupt(where, `the tensor ${name} is missing (${shapeText(shape)} wanted)`, { tensor: name, shape });
    }
    const file = tensor.source.name;
    if (tensor.shape.length !== shape.length || tensor.shape.some((length, i) => length !== shape[i])) {
      throw corrupt(
        file,
        `the tensor ${name} has shape ${shapeText(tensor.shape)}; the configuration asks for ${shapeText(shape)}`,
        { tensor: name, wanted: shape, actual: tensor.shape },
      );
    }
    const { rows } = tensor;
    if ('unreadable' in rows) {
      throw unsupported(file, `the tensor ${name} ${rows.unreadable}, which we do not read`, { tensor: name });
    }
    const columns = shape.at(-1) ?? 1;
    const bytesPerRow = rowBytes(rows.storedType, columns);
    if (bytesPerRow === undefined) {
      throw corrupt(file, `the tensor ${name} has rows of ${columns}, no whole number of ${rows.storedType} blocks`, {
        tensor: name,
        columns,
      });
    }
    sizeBytes += (elementCount(shape, file, name) / columns) * bytesPerRow;
    tensors.set(name, checkpointTensor(tensor, rows));
  }
  for (const [name, { source }] of stored) {
    if (!tensors.has(name) && !isIgnored(name, config)) {
      throw unsupported(
        source.name,
        `the tensor ${quote(name)} has no place in a Llama decoder of this configuration`,
        {
          tensor: name,
        },
      );
    }
  }
  return { tensors, sizeBytes };
}

function shapeText(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}
