import { unsupported } from '../checkpoint/checkpoint-errors.ts';
import type { JsonObject } from '../checkpoint/json-reader.ts';
import { SettingReader, show } from '../checkpoint/setting-reader.ts';
import { type ClassifierSizes, readSizes } from '../classifier/classifier-config.ts';

/** Encoders whose states we give, by Hugging Face's `model_type`. */
const ENCODER_ARCHITECTURES = ['bert', 'roberta'] as const;
export type EncoderArchitecture = (typeof ENCODER_ARCHITECTURES)[number];

/** What of an encoder's shape the converter and the engine need; `layerCount` are the layers that are run. */
export interface EncoderConfig extends ClassifierSizes {
  architecture: EncoderArchitecture;
  /** Row of the position table for the first token: RoBERTa counts from behind its padding token's id. */
  firstPosition: number;
  padTokenId: number;
}

/**
 * Hugging Face's config.json of a BERT or RoBERTa, whatever head it has.
 *
 * @param layer  the layer after which the states are wanted: 0 is the embeddings
 * @throws AlignError `unsupported-model` names the setting; `checkpoint-corrupt` a value of the wrong kind
 * @see transformers BertConfig, RobertaConfig (defaults)
 */
export function parseEncoderConfig(json: JsonObject, file: string, layer: number): EncoderConfig {
  const architecture = ENCODER_ARCHITECTURES.find((name) => name === json.model_type);
  if (architecture === undefined) {
    const names = ENCODER_ARCHITECTURES.join(' and ');
    throw unsupported(file, `its model_type is ${show(json.model_type)}; we read states of ${names}`);
  }
  const read = new SettingReader(file, (key) => json[key]);
  const sizes = readSizes('bert', read, json, file);
  if (layer > sizes.layerCount) {
    throw unsupported(file, `it has ${sizes.layerCount} layers; the states behind layer ${layer} are asked for`);
  }
  if (sizes.hiddenSize % sizes.headCount !== 0) {
    throw unsupported(file, `${sizes.headCount} attention heads do not divide ${sizes.hiddenSize} elements`);
  }
  const isRoberta = architecture === 'roberta';
  const padTokenId = json.pad_token_id ?? (isRoberta ? 1 : 0);
  const firstPosition = isRoberta ? (padTokenId as number) + 1 : 0;
  if (!Number.isSafeInteger(padTokenId) || (padTokenId as number) < 0 || firstPosition >= sizes.positionCount) {
    throw unsupported(file, `pad_token_id is ${show(padTokenId)} of ${sizes.positionCount} positions`);
  }
  return { ...sizes, layerCount: layer, architecture, firstPosition, padTokenId: padTokenId as number };
}
