import type { LlamaConfig } from '../llama-config.ts';
import { corrupt, quote, unsupported } from './checkpoint-errors.ts';
import type { GgufMetadata } from './gguf.ts';
import { isJsonObject, type JsonObject } from './json-reader.ts';
import { SettingReader, show } from './setting-reader.ts';

/** Longer than any Llama was trained for; a graph holds tables of this many rows. */
const MAX_CONTEXT_LENGTH = 1 << 22;

/**
 * Hugging Face's config.json. A setting that our graph does not honour is refused by its name: a model that runs without
 * it would only seem to work.
 *
 * @param json              parsed config.json
 * @param generationConfig  parsed generation_config.json; adds end-of-sequence tokens
 * @throws AlignError `unsupported-model` names the setting; `checkpoint-corrupt` a value of the wrong kind
 * @see transformers LlamaConfig (defaults)
 */
export function parseConfig(json: JsonObject, file: string, generationConfig?: JsonObject): LlamaConfig {
  refuseOtherModels(json, file);
  const read = new SettingReader(file, (key) => json[key]);
  const hiddenSize = read.size('hidden_size');
  const headCount = read.size('num_attention_heads');
  const vocabularySize = read.size('vocab_size');
  const rope = readRope(json, file);
  return checkShape(
    {
      vocabularySize,
      hiddenSize,
      intermediateSize: read.size('intermediate_size'),
      layerCount: read.size('num_hidden_layers'),
      headCount,
      kvHeadCount: read.size('num_key_value_heads', headCount),
      headDim: read.size('head_dim', hiddenSize / headCount),
      rmsNormEpsilon: read.positive('rms_norm_eps', 1e-6),
      ropeTheta: rope.positive('rope_theta', read.positive('rope_theta', 10_000)),
      contextLength: read.size('max_position_embeddings', 2048),
      isEmbeddingTied: read.flag('tie_word_embeddings'),
      bosTokenId: readTokenIds(json.bos_token_id === undefined ? 1 : json.bos_token_id, 'bos_token_id', file)[0],
      eosTokenIds: [
        ...new Set([
          ...readTokenIds(json.eos_token_id === undefined ? 2 : json.eos_token_id, 'eos_token_id', file),
          ...readTokenIds(generationConfig?.eos_token_id, 'eos_token_id of generation_config.json', file),
        ]),
      ],
    },
    file,
  );
}

function refuseOtherModels(json: JsonObject, file: string): void {
  const { architectures, model_type: modelType } = json;
  if (architectures !== undefined && architectures !== null) {
    if (!Array.isArray(architectures) || !architectures.every((name) => typeof name === 'string')) {
      throw corrupt(file, 'architectures must be a list of names');
    }
    if (!architectures.includes('LlamaForCausalLM')) {
      throw unsupported(file, `its architecture is ${quote(architectures.join(', '))}; we run LlamaForCausalLM`);
    }
  }
  if (modelType !== 'llama') {
    if (typeof modelType !== 'string') throw corrupt(file, 'model_type must be a name');
    throw unsupported(file, `its model_type is ${quote(modelType)}; we run “llama”`);
  }
  for (const key of ['attention_bias', 'mlp_bias']) {
    if (json[key] !== undefined && json[key] !== null && json[key] !== false) {
      throw unsupported(file, `${key} is set; we run Llama without biases`);
    }
  }
  const { hidden_act: activation = 'silu', quantization_config: quantization } = json;
  if (activation !== 'silu' && activation !== 'swish') {
    throw unsupported(file, `hidden_act is ${show(activation)}; we run silu`);
  }
  if (isSet(quantization)) {
    const method = isJsonObject(quantization) ? quantization.quant_method : undefined;
    throw unsupported(
      file,
      `quantization_config (${quote(typeof method === 'string' ? method : 'without a method')}) is present; ` +
        'we read F32, F16 and BF16, and GGUF’s blocks',
    );
  }
  if (isSet(json.sliding_window) && json.use_sliding_window !== false) {
    throw unsupported(file, 'sliding_window is set; we run full attention');
  }
  if (Array.isArray(json.layer_types) && json.layer_types.some((type) => type !== 'full_attention')) {
    throw unsupported(file, 'layer_types has others than full_attention');
  }
}

/** `rope_parameters` is the form of transformers 5 and holds rope_theta as well, `rope_scaling` the one before. */
function readRope(json: JsonObject, file: string): SettingReader {
  for (const key of ['rope_parameters', 'rope_scaling'] as const) {
    const rope = json[key];
    if (!isSet(rope)) continue;
    if (!isJsonObject(rope)) throw corrupt(file, `${key} must be an object`);
    const kind = rope.rope_type ?? rope.type ?? 'default';
    if (kind !== 'default') throw unsupported(file, `${key} is of kind ${show(kind)}; we run “default”`);
    const strange = Object.keys(rope).find((name) => !['rope_type', 'type', 'rope_theta'].includes(name));
    if (strange !== undefined && !(strange === 'partial_rotary_factor' && rope[strange] === 1)) {
      throw unsupported(file, `${key} has ${quote(strange)}; we run plain rotary embedding`);
    }
  }
  if (isSet(json.partial_rotary_factor) && json.partial_rotary_factor !== 1) {
    throw unsupported(file, 'partial_rotary_factor is not 1; we rotate whole heads');
  }
  const parameters = isJsonObject(json.rope_parameters) ? json.rope_parameters : {};
  return new SettingReader(file, (key) => parameters[key], 'rope_parameters.');
}

/**
 * The same from GGUF's metadata.
 *
 * @param shape  what only the tensors tell: the embedding's rows, and whether there is an output projection
 * @throws AlignError `unsupported-model` names the setting; `checkpoint-corrupt` a value of the wrong kind
 * @see llama.cpp gguf-py/gguf/constants.py (keys), src/llama-model.cpp load_hparams (defaults)
 */
export function parseGgufConfig(
  metadata: GgufMetadata,
  file: string,
  shape: { vocabularySize: number; isEmbeddingTied: boolean },
): LlamaConfig {
  const architecture = metadata.get('general.architecture');
  if (architecture !== 'llama') {
    const name = typeof architecture === 'string' ? architecture : 'not named';
    throw unsupported(file, `its architecture is ${quote(name)}; we run “llama”`);
  }
  refuseGgufSettings(metadata, file);
  const read = new SettingReader(file, (key) => metadata.get(key));
  const hiddenSize = read.size('llama.embedding_length');
  const headCount = read.size('llama.attention.head_count');
  const headDim = read.size('llama.attention.key_length', hiddenSize / headCount);
  for (const key of ['llama.attention.value_length', 'llama.rope.dimension_count']) {
    const other = read.size(key, headDim);
    if (other !== headDim) throw unsupported(file, `${key} is ${other} where a head has ${headDim} elements`);
  }
  const vocabularySize = read.size('llama.vocab_size', shape.vocabularySize);
  if (vocabularySize !== shape.vocabularySize) {
    throw corrupt(file, `llama.vocab_size is ${vocabularySize}; the embedding has ${shape.vocabularySize} rows`);
  }
  // llama.cpp's defaults for a SentencePiece vocabulary that names none.
  const isSentencePiece = metadata.get('tokenizer.ggml.model') === 'llama';
  const tokenIds = (key: string, fallback?: number) =>
    readTokenIds(
      metadata.get(`tokenizer.ggml.${key}`) ?? (isSentencePiece ? fallback : undefined),
      `tokenizer.ggml.${key}`,
      file,
    );
  return checkShape(
    {
      vocabularySize,
      hiddenSize,
      intermediateSize: read.size('llama.feed_forward_length'),
      layerCount: read.size('llama.block_count'),
      headCount,
      kvHeadCount: read.size('llama.attention.head_count_kv', headCount),
      headDim,
      rmsNormEpsilon: read.positive('llama.attention.layer_norm_rms_epsilon'),
      ropeTheta: read.positive('llama.rope.freq_base', 10_000),
      contextLength: read.size('llama.context_length'),
      isEmbeddingTied: shape.isEmbeddingTied,
      bosTokenId: tokenIds('bos_token_id', 1)[0],
      eosTokenIds: [...new Set([...tokenIds('eos_token_id', 2), ...tokenIds('eot_token_id')])],
    },
    file,
  );
}

function refuseGgufSettings(metadata: GgufMetadata, file: string): void {
  const scaling = metadata.get('llama.rope.scaling.type');
  if (scaling !== undefined && scaling !== 'none') {
    throw unsupported(file, `llama.rope.scaling.type is ${show(scaling)}; we run “none”`);
  }
  // Values that mean "off" where a writer states it.
  const off: Readonly<Record<string, readonly unknown[]>> = {
    'llama.rope.scale_linear': [0, 1],
    'llama.expert_count': [0],
    'llama.attention.sliding_window': [0],
    'llama.attention.causal': [true],
    'llama.attention.clamp_kqv': [0],
    'llama.attention.scale': [0],
    'llama.logit_scale': [0, 1],
    'llama.residual_scale': [0, 1],
    'llama.embedding_scale': [0, 1],
    'llama.attn_logit_softcapping': [0],
    'llama.final_logit_softcapping': [0],
    'llama.use_parallel_residual': [false],
  };
  for (const [key, allowed] of Object.entries(off)) {
    const value = metadata.get(key);
    if (value !== undefined && !allowed.includes(value)) {
      throw unsupported(file, `${key} is ${show(value)}, which we do not run`);
    }
  }
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** A token id, a list of them, or nothing. */
function readTokenIds(value: unknown, key: string, file: string): number[] {
  if (!isSet(value)) return [];
  const ids: unknown[] = Array.isArray(value) ? value : [value];
  return ids.map((id) => {
    if (!Number.isSafeInteger(id) || (id as number) < 0) {
      throw corrupt(file, `${key} is ${show(id)}; it must be a token id`);
    }
    return id as number;
  });
}

/** generation_config.json of a checkpoint that has none: greedy, with its own tokens. */
export function generationConfigText({ bosTokenId, eosTokenIds }: LlamaConfig): string {
  const [first, ...others] = eosTokenIds;
  const json = {
    ...(bosTokenId === undefined ? {} : { bos_token_id: bosTokenId }),
    eos_token_id: others.length === 0 ? first : eosTokenIds,
  };
  return `${JSON.stringify(json, null, 2)}\n`;
}

/** What no single setting tells: how they go together. */
function checkShape(config: LlamaConfig, file: string): LlamaConfig {
  const { headCount, kvHeadCount, headDim, vocabularySize, contextLength, bosTokenId, eosTokenIds } = config;
  if (headCount % kvHeadCount !== 0) {
    throw unsupported(file, `${headCount} attention heads are no multiple of ${kvHeadCount} key and value heads`, {
      headCount,
      kvHeadCount,
    });
  }
  if (headDim % 16 !== 0) {
    throw unsupported(file, `a head has ${headDim} elements; the attention operator needs a multiple of 16`, {
      headDim,
    });
  }
  if (contextLength > MAX_CONTEXT_LENGTH) {
    throw unsupported(file, `its context of ${contextLength} tokens is longer than ${MAX_CONTEXT_LENGTH}`);
  }
  if (eosTokenIds.length === 0) {
    throw unsupported(file, 'no end-of-sequence token is named, so generation would never stop');
  }
  for (const id of [...eosTokenIds, ...(bosTokenId === undefined ? [] : [bosTokenId])]) {
    if (id >= vocabularySize) {
      throw corrupt(file, `the token id ${id} is outside the vocabulary of ${vocabularySize}`, { id, vocabularySize });
    }
  }
  return config;
}
