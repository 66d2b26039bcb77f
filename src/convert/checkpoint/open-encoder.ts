import type { SourceFolder } from '../byte-source.ts';
import { type EncoderConfig, parseEncoderConfig } from '../encoder/encoder-config.ts';
import { planBertLayers, weightShapes } from '../onnx/sequence-classifier-plan.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizer-files.ts';
import { findWeightFile, noWeights, readJson, readWeights } from './checkpoint-folder.ts';
import type { CheckpointTensor } from './checkpoint.ts';
import { withNewNames } from './open-classifier.ts';
import { readTextTokenizer } from './read-text-tokenizer.ts';
import { selectTensors } from './select-tensors.ts';

/** An encoder's checkpoint up to one of its layers. Opening one reads headers only. */
export interface EncoderCheckpoint {
  readonly config: EncoderConfig;
  /** Named from the encoder on: `embeddings.…`, `encoder.layer.0.…`. */
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  /** Bytes of these tensors as stored. */
  readonly sizeBytes: number;
  readonly tokenizer: TokenizerFiles;
}

/**
 * Opens a BERT's or RoBERTa's folder as published on Hugging Face, bare or under any head.
 *
 * @param layer  the last one that is run: 0 is the embeddings
 * @throws AlignError `weights-missing` if a file that is needed is not there, `checkpoint-corrupt` if one is damaged,
 *   `unsupported-model` if the model asks for something we do not do
 */
export async function openEncoderCheckpoint(folder: SourceFolder, layer: number): Promise<EncoderCheckpoint> {
  const paths = await folder.list();
  const config = parseEncoderConfig(await readJson(folder, paths, 'config.json'), 'config.json', layer);
  const weights = findWeightFile(paths);
  if (weights === undefined) throw noWeights(folder);
  const all = withNewNames(await readWeights(folder, paths, weights));
  // A model with a head has the encoder's tensors under its name; its other tensors change no state.
  const prefix = [...all.keys()].some((name) => name.startsWith(`${config.architecture}.`))
    ? `${config.architecture}.`
    : '';
  const stored = new Map(
    [...all].flatMap(([name, tensor]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), tensor] as const] : [],
    ),
  );
  const wanted = {
    shapes: weightShapes(planBertLayers(config, '')),
    isIgnored: (name: string) => !changesStates(name, layer),
    what: `a ${config.architecture} encoder`,
  };
  const { tensors, sizeBytes } = selectTensors(wanted, stored, weights.path);
  const tokenizer = await readTextTokenizer(folder, paths, config);
  return { config, tensors, sizeBytes, tokenizer };
}

/** Whether the states up to this layer would be others without the tensor. */
function changesStates(name: string, layer: number): boolean {
  if (/position_ids$|token_type_ids$/.test(name)) return false;
  const [, ofLayer] = /^encoder\.layer\.(\d+)\./.exec(name) ?? [];
  if (ofLayer !== undefined) return Number(ofLayer) < layer;
  return name.startsWith('embeddings.') || name.startsWith('encoder.');
}
