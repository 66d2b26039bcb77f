import type { SourceFolder } from '../byte-source.ts';
import { type ClassifierConfig, parseClassifierConfig } from '../classifier/classifier-config.ts';
import {
  classifierTensorShapes,
  isIgnoredByClassifier,
  planClassifierWeights,
} from '../onnx/sequence-classifier-plan.ts';
import { findWeightFile, noWeights, readJson, readWeights } from './checkpoint-folder.ts';
import type { CheckpointTensor } from './checkpoint.ts';
import { readTextTokenizer } from './read-text-tokenizer.ts';
import { selectTensors } from './select-tensors.ts';
import type { StoredTensor } from './stored-tensor.ts';
import { transposed } from './transposed-tensor.ts';

/** A sequence classifier's checkpoint. Opening one reads headers only. */
export interface ClassifierCheckpoint {
  readonly config: ClassifierConfig;
  /** Hugging Face names; every projection as [outFeatures, inFeatures]. */
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  /** Bytes of all tensors as stored. */
  readonly sizeBytes: number;
  /** config.json as it is, tokenizer.json and tokenizer_config.json as they are or as made from a vocabulary. */
  readonly sidecars: ReadonlyMap<string, string>;
}

/**
 * Opens a BERT, DistilBERT or GPT-2 sequence classifier's folder as published on Hugging Face.
 *
 * @throws AlignError `weights-missing` if a file that is needed is not there, `checkpoint-corrupt` if one is damaged,
 *   `unsupported-model` if the model asks for something we do not do
 */
export async function openClassifierCheckpoint(folder: SourceFolder): Promise<ClassifierCheckpoint> {
  const paths = await folder.list();
  const json = await readJson(folder, paths, 'config.json');
  const config = parseClassifierConfig(json, 'config.json');
  const weights = findWeightFile(paths);
  if (weights === undefined) throw noWeights(folder);
  const stored = withNewNames(await readWeights(folder, paths, weights));
  const wanted = {
    shapes: classifierTensorShapes(config),
    isIgnored: isIgnoredByClassifier,
    what: `a ${config.architecture} sequence classifier`,
  };
  const { tensors, sizeBytes } = selectTensors(wanted, stored, weights.path);
  for (const { sources, isStoredTransposed } of planClassifierWeights(config)) {
    if (!isStoredTransposed) continue;
    for (const name of sources) tensors.set(name, transposed(tensors.get(name)!));
  }
  const tokenizer = await readTextTokenizer(folder, paths, config);
  return {
    config,
    tensors,
    sizeBytes,
    sidecars: new Map([
      ['config.json', `${JSON.stringify(json, null, 2)}\n`],
      ['tokenizer.json', tokenizer.tokenizerJson],
      ['tokenizer_config.json', tokenizer.tokenizerConfigJson],
    ]),
  };
}

/** Whether a folder's config.json speaks of a model that scores texts rather than one that writes them. */
export async function isClassifierFolder(folder: SourceFolder): Promise<boolean> {
  const paths = await folder.list();
  if (!paths.includes('config.json')) return false;
  const { architectures } = await readJson(folder, paths, 'config.json');
  return Array.isArray(architectures) && architectures.some((name) => String(name).endsWith('SequenceClassification'));
}

/** The first BERTs named their norms' tensors after TensorFlow's. */
export function withNewNames(stored: ReadonlyMap<string, StoredTensor>): Map<string, StoredTensor> {
  return new Map(
    [...stored].map(([name, tensor]) => [
      name.replace(/LayerNorm\.gamma$/, 'LayerNorm.weight').replace(/LayerNorm\.beta$/, 'LayerNorm.bias'),
      tensor,
    ]),
  );
}
