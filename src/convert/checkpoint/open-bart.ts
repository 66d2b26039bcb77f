import { type BartConfig, parseBartConfig } from '../bart/bart-config.ts';
import type { SourceFolder } from '../byte-source.ts';
import { planBartWeights } from '../onnx/bart-graph.ts';
import { weightShapes } from '../onnx/sequence-classifier-plan.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizer-files.ts';
import { findWeightFile, noWeights, readJson, readWeights } from './checkpoint-folder.ts';
import type { CheckpointTensor } from './checkpoint.ts';
import { readTextTokenizer } from './read-text-tokenizer.ts';
import { selectTensors } from './select-tensors.ts';

/** A BART's checkpoint. Opening one reads headers only. */
export interface BartCheckpoint {
  readonly config: BartConfig;
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  /** Bytes of these tensors as stored. */
  readonly sizeBytes: number;
  readonly tokenizer: TokenizerFiles;
}

const SHARED = 'model.shared.weight';
/** The embedding's other names; a checkpoint may hold it under any of them, or under several. */
const COPIES = ['lm_head.weight', 'model.encoder.embed_tokens.weight', 'model.decoder.embed_tokens.weight'];

/**
 * Opens a BART's folder as published on Hugging Face: BartForConditionalGeneration.
 *
 * @throws AlignError `weights-missing` if a file that is needed is not there, `checkpoint-corrupt` if one is damaged,
 *   `unsupported-model` if the model asks for something we do not do
 */
export async function openBartCheckpoint(folder: SourceFolder): Promise<BartCheckpoint> {
  const paths = await folder.list();
  const config = parseBartConfig(await readJson(folder, paths, 'config.json'), 'config.json');
  const weights = findWeightFile(paths);
  if (weights === undefined) throw noWeights(folder);
  const stored = await readWeights(folder, paths, weights);
  const embedding = [SHARED, ...COPIES].map((name) => stored.get(name)).find((tensor) => tensor !== undefined);
  if (embedding !== undefined) stored.set(SHARED, embedding);
  const wanted = {
    shapes: weightShapes(planBartWeights(config)),
    isIgnored: (name: string) => COPIES.includes(name),
    what: 'a BART for conditional generation',
  };
  const { tensors, sizeBytes } = selectTensors(wanted, stored, weights.path);
  const tokenizer = await readTextTokenizer(folder, paths, { architecture: 'bart' });
  return { config, tensors, sizeBytes, tokenizer };
}
