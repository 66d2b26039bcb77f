import type { TargetFolder } from '../byte-source.ts';
import type { ClassifierCheckpoint } from '../checkpoint/open-classifier.ts';
import { buildClassifierGraph, CLASSIFIER_FORMATS, type ClassifierVariant } from '../onnx/sequence-classifier-graph.ts';
import { planClassifierWeights } from '../onnx/sequence-classifier-plan.ts';
import { parameterCount, type WriteOptions, writeFile, writeGraphs } from '../write-graphs.ts';
import { CLASSIFIER_MANIFEST_PATH, type ClassifierManifest } from './classifier-manifest.ts';

export interface ConvertClassifierOptions extends WriteOptions {
  /** At least one. */
  variants: readonly ClassifierVariant[];
  /** Where the weights came from. */
  source: string;
  /** Of the target, where it holds other variants of the same checkpoint already: they stay. */
  existing?: ClassifierManifest | undefined;
}

/**
 * Writes a sequence classifier as a folder that our classifier and transformers.js load.
 *
 * @returns the manifest, which is the last file written
 * @throws AlignError of the checkpoint's reader; the signal's reason. Files that were begun are removed
 */
export async function convertClassifier(
  checkpoint: ClassifierCheckpoint,
  target: TargetFolder,
  options: ConvertClassifierOptions,
): Promise<ClassifierManifest> {
  const { config } = checkpoint;
  const written = await writeGraphs(
    checkpoint,
    target,
    {
      graphName: `${config.architecture}_sequence_classifier`,
      weights: planClassifierWeights(config),
      build: (format) => buildClassifierGraph(config, format),
      variants: options.variants.map((variant) => ({ variant, format: CLASSIFIER_FORMATS[variant] })),
    },
    options,
  );
  const encoder = new TextEncoder();
  for (const [path, text] of checkpoint.sidecars) await writeFile(target, path, encoder.encode(text));
  const manifest: ClassifierManifest = {
    formatVersion: 1,
    source: options.source,
    parameterCount: parameterCount(checkpoint),
    variants: { ...options.existing?.variants, ...written },
  };
  await writeFile(target, CLASSIFIER_MANIFEST_PATH, encoder.encode(`${JSON.stringify(manifest, null, 2)}\n`));
  return manifest;
}
