import { cp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Variant } from '../src/align/variant.ts';
import { openClassifierCheckpoint } from '../src/convert/checkpoint/open-classifier.ts';
import { convertClassifier } from '../src/convert/classifier/convert-classifier.ts';
import {
  CLASSIFIER_CASES,
  type ClassifierCase,
  classifierCheckpointFolder,
} from '../src/convert/classifier/small-classifier.fixture.ts';
import { convertCheckpoint } from '../src/convert/convert.ts';
import type { LlamaConfig } from '../src/convert/llama-config.ts';
import { randomCheckpoint, SMALL_LLAMA } from '../src/convert/small-llama.fixture.ts';
import { createNodeTarget } from '../src/weights/node-folder.ts';
import { MODELS_DIRECTORY } from '../playwright.config.ts';

/** Large enough, and without an end of its own (no token has that id), so that a run can be stopped. */
const SLOW_LLAMA: LlamaConfig = {
  ...SMALL_LLAMA,
  hiddenSize: 512,
  intermediateSize: 1024,
  layerCount: 12,
  headCount: 32,
  eosTokenIds: [SMALL_LLAMA.vocabularySize],
};

/** Writes the models that the tests use, whole ones and broken ones, by their names. */
export default async function makeModels(): Promise<void> {
  await rm(MODELS_DIRECTORY, { recursive: true, force: true });
  await make('Tiny', SMALL_LLAMA, ['fp32', 'q8', 'q4', 'q4f16']);
  await make('Slow', SLOW_LLAMA, ['q8']);
  await make('NoData', SMALL_LLAMA, ['q8']);
  await rm(join(MODELS_DIRECTORY, 'NoData/onnx/model_quantized.onnx_data'));
  await make('ShortData', SMALL_LLAMA, ['q8']);
  await truncate(join(MODELS_DIRECTORY, 'ShortData/onnx/model_quantized.onnx_data'), 1000);
  await make('BadGraph', SMALL_LLAMA, ['q8']);
  await scramble(join(MODELS_DIRECTORY, 'BadGraph/onnx/model_quantized.onnx'));
  await make('BadTokenizer', SMALL_LLAMA, ['q8']);
  await scramble(join(MODELS_DIRECTORY, 'BadTokenizer/tokenizer.json'));
  for (const classifier of CLASSIFIER_CASES) await makeClassifier(classifier);
  await cp(join(MODELS_DIRECTORY, 'NoData'), join(MODELS_DIRECTORY, 'BadManifest'), { recursive: true });
  await writeFile(join(MODELS_DIRECTORY, 'BadManifest/metaaligner.json'), '{');
}

async function make(name: string, config: LlamaConfig, variants: Variant[]): Promise<void> {
  await convertCheckpoint(randomCheckpoint(config), createNodeTarget(join(MODELS_DIRECTORY, name)), {
    variants,
    name,
    source: 'random weights',
    family: 'hh-rlhf',
  });
}

/** A small random classifier, converted where `dataset … score` keeps its own. */
async function makeClassifier(classifier: ClassifierCase): Promise<void> {
  const checkpoint = await openClassifierCheckpoint(classifierCheckpointFolder(classifier));
  await convertClassifier(
    checkpoint,
    createNodeTarget(join(MODELS_DIRECTORY, 'classifiers', classifierName(classifier))),
    {
      variants: ['fp32'],
      source: 'random weights',
    },
  );
}

/** Other bytes, as many as before. */
async function scramble(path: string): Promise<void> {
  await writeFile(path, (await readFile(path)).fill('?'));
}

/** `BERT, three labels` is `bert-three-labels`. */
export function classifierName({ name }: ClassifierCase): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
}
