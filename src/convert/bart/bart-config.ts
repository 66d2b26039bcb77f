import { corrupt, unsupported } from '../checkpoint/checkpoint-errors.ts';
import type { JsonObject } from '../checkpoint/json-reader.ts';
import { SettingReader, show } from '../checkpoint/setting-reader.ts';
import { type ClassifierActivation, readActivation } from '../classifier/classifier-config.ts';

/** What of a BART's shape the converter and the scorer need. Sizes are counts of elements. */
export interface BartConfig {
  vocabularySize: number;
  hiddenSize: number;
  encoder: BartStack;
  decoder: BartStack;
  /** Positions: neither text is longer. */
  positionCount: number;
  activation: ClassifierActivation;
  /** Embeddings are multiplied by it. */
  embeddingScale: number;
  /** What the decoder begins with. */
  startTokenId: number;
}

interface BartStack {
  layerCount: number;
  /** Divides the hidden size. */
  headCount: number;
  intermediateSize: number;
}

/** Rows of BART's position table before that of the first position. */
export const BART_FIRST_POSITION = 2;

/** Settings of old configurations that make another graph. */
const REFUSED = ['normalize_before', 'add_final_layer_norm', 'static_position_embeddings'] as const;

/**
 * Hugging Face's config.json of a BART for conditional generation.
 *
 * @throws AlignError `unsupported-model` names the setting; `checkpoint-corrupt` a value of the wrong kind
 * @see transformers BartConfig (defaults)
 */
export function parseBartConfig(json: JsonObject, file: string): BartConfig {
  if (json.model_type !== 'bart') {
    throw unsupported(file, `its model_type is ${show(json.model_type)}; BARTScore needs bart`);
  }
  for (const key of REFUSED) if (json[key] === true) throw unsupported(file, `${key} is true; we run false`);
  if (json.tie_word_embeddings === false) throw unsupported(file, 'tie_word_embeddings is false; we run true');
  const read = new SettingReader(file, (key) => json[key]);
  const stackOf = (side: 'encoder' | 'decoder'): BartStack => ({
    layerCount: read.size(`${side}_layers`, 12),
    headCount: read.size(`${side}_attention_heads`, 16),
    intermediateSize: read.size(`${side}_ffn_dim`, 4096),
  });
  const config = {
    vocabularySize: read.size('vocab_size', 50265),
    hiddenSize: read.size('d_model', 1024),
    encoder: stackOf('encoder'),
    decoder: stackOf('decoder'),
    positionCount: read.size('max_position_embeddings', 1024),
    activation: readActivation(json, 'activation_function', 'gelu', file),
  };
  for (const { headCount } of [config.encoder, config.decoder]) {
    if (config.hiddenSize % headCount !== 0) {
      throw unsupported(file, `${headCount} attention heads do not divide ${config.hiddenSize} elements`);
    }
  }
  const startTokenId = json.decoder_start_token_id ?? 2;
  if (
    !Number.isSafeInteger(startTokenId) ||
    !(Number(startTokenId) >= 0 && Number(startTokenId) < config.vocabularySize)
  ) {
    throw corrupt(file, `decoder_start_token_id is ${show(startTokenId)} in a vocabulary of ${config.vocabularySize}`);
  }
  const embeddingScale = json.scale_embedding === true ? Math.sqrt(config.hiddenSize) : 1;
  return { ...config, embeddingScale, startTokenId: startTokenId as number };
}
