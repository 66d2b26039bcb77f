import { corrupt, quote, unsupported } from '../checkpoint/checkpoint-errors.ts';
import { isJsonObject, type JsonObject } from '../checkpoint/json-reader.ts';
import { SettingReader, show } from '../checkpoint/setting-reader.ts';

/** Sequence classifiers that we run, by Hugging Face's `model_type`. */
export const CLASSIFIER_ARCHITECTURES = ['bert', 'distilbert', 'gpt2'] as const;
export type ClassifierArchitecture = (typeof CLASSIFIER_ARCHITECTURES)[number];

/** `gelu-tanh`: GPT-2's approximation. */
export type ClassifierActivation = 'gelu' | 'gelu-tanh' | 'relu';

/** What of a sequence classifier's shape the converter and the engine need. Sizes are counts of elements. */
export interface ClassifierConfig {
  architecture: ClassifierArchitecture;
  vocabularySize: number;
  hiddenSize: number;
  intermediateSize: number;
  layerCount: number;
  /** Divides `hiddenSize`. */
  headCount: number;
  /** Positions: no input is longer. */
  positionCount: number;
  /** Segments of BERT's input; 0 for the others. */
  typeCount: number;
  layerNormEpsilon: number;
  activation: ClassifierActivation;
  /** By index of the logit; at least one. */
  labels: readonly string[];
  /** Batches are filled up with it; GPT-2 scores the last token that is not it. */
  padTokenId: number | undefined;
}

/** Hugging Face's name of each class. */
const CLASS_NAMES: Record<ClassifierArchitecture, string> = {
  bert: 'BertForSequenceClassification',
  distilbert: 'DistilBertForSequenceClassification',
  gpt2: 'GPT2ForSequenceClassification',
};

const ACTIVATIONS: Readonly<Record<string, ClassifierActivation>> = {
  gelu: 'gelu',
  gelu_python: 'gelu',
  gelu_new: 'gelu-tanh',
  gelu_pytorch_tanh: 'gelu-tanh',
  relu: 'relu',
};

/** Longer than any of the three was trained for. */
const MAX_POSITIONS = 1 << 16;
const MAX_LABELS = 1 << 16;

/**
 * Hugging Face's config.json of a sequence classifier. A setting that our graph does not honour is refused by its name.
 *
 * @param json  parsed config.json
 * @throws AlignError `unsupported-model` names the setting; `checkpoint-corrupt` a value of the wrong kind
 * @see transformers BertConfig, DistilBertConfig, GPT2Config (defaults)
 */
export function parseClassifierConfig(json: JsonObject, file: string): ClassifierConfig {
  const architecture = readArchitecture(json, file);
  const read = new SettingReader(file, (key) => json[key]);
  const sizes = readSizes(architecture, read, json, file);
  const config: ClassifierConfig = {
    architecture,
    ...sizes,
    labels: readLabels(json, read, file),
    padTokenId: readPadTokenId(json, architecture, file),
  };
  if (config.hiddenSize % config.headCount !== 0) {
    throw unsupported(file, `${config.headCount} attention heads do not divide ${config.hiddenSize} elements`);
  }
  if (config.positionCount > MAX_POSITIONS) {
    throw unsupported(file, `it has ${config.positionCount} positions, more than ${MAX_POSITIONS}`);
  }
  if (config.padTokenId !== undefined && config.padTokenId >= config.vocabularySize) {
    throw corrupt(file, `pad_token_id ${config.padTokenId} is outside the vocabulary of ${config.vocabularySize}`);
  }
  return config;
}

function readArchitecture(json: JsonObject, file: string): ClassifierArchitecture {
  const { model_type: modelType, architectures, quantization_config: quantization } = json;
  const run = `we run ${Object.values(CLASS_NAMES).join(', ')}`;
  const architecture = CLASSIFIER_ARCHITECTURES.find((name) => name === modelType);
  if (architecture === undefined) {
    throw unsupported(file, `its model_type is ${modelType === undefined ? 'missing' : show(modelType)}; ${run}`);
  }
  if (Array.isArray(architectures) && !architectures.includes(CLASS_NAMES[architecture])) {
    throw unsupported(file, `its architecture is ${quote(architectures.join(', '))}; ${run}`);
  }
  if (quantization !== undefined && quantization !== null) {
    throw unsupported(file, 'quantization_config is present; we read F32, F16 and BF16');
  }
  return architecture;
}

export type ClassifierSizes = Omit<ClassifierConfig, 'architecture' | 'labels' | 'padTokenId'>;

/** Sizes as the architecture's config names them. */
export function readSizes(
  architecture: ClassifierArchitecture,
  read: SettingReader,
  json: JsonObject,
  file: string,
): ClassifierSizes {
  switch (architecture) {
    case 'bert':
      refuse(json, file, 'position_embedding_type', ['absolute']);
      refuse(json, file, 'is_decoder', [false]);
      return {
        vocabularySize: read.size('vocab_size', 30522),
        hiddenSize: read.size('hidden_size', 768),
        intermediateSize: read.size('intermediate_size', 3072),
        layerCount: read.size('num_hidden_layers', 12),
        headCount: read.size('num_attention_heads', 12),
        positionCount: read.size('max_position_embeddings', 512),
        typeCount: read.size('type_vocab_size', 2),
        layerNormEpsilon: read.positive('layer_norm_eps', 1e-12),
        activation: readActivation(json, 'hidden_act', 'gelu', file),
      };
    case 'distilbert':
      return {
        vocabularySize: read.size('vocab_size', 30522),
        hiddenSize: read.size('dim', 768),
        intermediateSize: read.size('hidden_dim', 3072),
        layerCount: read.size('n_layers', 6),
        headCount: read.size('n_heads', 12),
        positionCount: read.size('max_position_embeddings', 512),
        typeCount: 0,
        layerNormEpsilon: 1e-12,
        activation: readActivation(json, 'activation', 'gelu', file),
      };
    case 'gpt2': {
      refuse(json, file, 'scale_attn_weights', [true]);
      refuse(json, file, 'scale_attn_by_inverse_layer_idx', [false]);
      refuse(json, file, 'add_cross_attention', [false]);
      const hiddenSize = read.size('n_embd', 768);
      return {
        vocabularySize: read.size('vocab_size', 50257),
        hiddenSize,
        intermediateSize: read.size('n_inner', 4 * hiddenSize),
        layerCount: read.size('n_layer', 12),
        headCount: read.size('n_head', 12),
        positionCount: read.size('n_positions', 1024),
        typeCount: 0,
        layerNormEpsilon: read.positive('layer_norm_epsilon', 1e-5),
        activation: readActivation(json, 'activation_function', 'gelu_new', file),
      };
    }
    default:
      return architecture satisfies never;
  }
}

function refuse(json: JsonObject, file: string, key: string, run: readonly unknown[]): void {
  const value = json[key];
  if (value === undefined || value === null || run.includes(value)) return;
  throw unsupported(file, `${key} is ${show(value)}; we run ${run.join(' or ')}`);
}

export function readActivation(json: JsonObject, key: string, fallback: string, file: string): ClassifierActivation {
  const name = json[key] ?? fallback;
  const found = typeof name === 'string' && Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name] : undefined;
  if (found === undefined) {
    throw unsupported(file, `${key} is ${show(name)}; we run ${Object.keys(ACTIVATIONS).join(', ')}`);
  }
  return found;
}

/** `id2label`, keyed by decimal index; without it `num_labels` names, two by default. */
function readLabels(json: JsonObject, read: SettingReader, file: string): string[] {
  const { id2label } = json;
  if (id2label === undefined || id2label === null) {
    const count = read.size('num_labels', 2);
    if (count > MAX_LABELS) throw unsupported(file, `it has ${count} labels, more than ${MAX_LABELS}`);
    return Array.from({ length: count }, (_, i) => `LABEL_${i}`);
  }
  if (!isJsonObject(id2label)) throw corrupt(file, 'id2label must be an object');
  const count = Object.keys(id2label).length;
  const labels = Array.from({ length: count }, (_, i) => id2label[i]);
  if (count === 0 || !labels.every((label) => typeof label === 'string' || typeof label === 'number')) {
    throw corrupt(file, 'id2label must name a label for each index from 0');
  }
  return labels.map(String);
}

function readPadTokenId(json: JsonObject, architecture: ClassifierArchitecture, file: string): number | undefined {
  const value = json.pad_token_id === undefined && architecture !== 'gpt2' ? 0 : json.pad_token_id;
  if (value === undefined || value === null) return undefined;
  if (!Number.isSafeInteger(value) || (value as number) < 0) {
    throw corrupt(file, `pad_token_id is ${show(value)}; it must be a token id`);
  }
  return value as number;
}
