import type { TargetFolder } from '../byte-source.ts';
import type { EncoderCheckpoint } from '../checkpoint/open-encoder.ts';
import type { ManifestFile } from '../manifest.ts';
import { buildEncoderGraph, CLASSIFIER_FORMATS } from '../onnx/sequence-classifier-graph.ts';
import { planBertLayers } from '../onnx/sequence-classifier-plan.ts';
import { type WriteOptions, writeGraphs } from '../write-graphs.ts';

/**
 * Writes the layers of an encoder as a graph in float32.
 *
 * @returns the graph's file first, then its data
 * @throws AlignError of the checkpoint's reader; the signal's reason. Files that were begun are removed
 */
export async function convertEncoder(
  checkpoint: EncoderCheckpoint,
  target: TargetFolder,
  options: WriteOptions = {},
): Promise<ManifestFile[]> {
  const { config } = checkpoint;
  const written = await writeGraphs(
    checkpoint,
    target,
    {
      graphName: `${config.architecture}_encoder`,
      weights: planBertLayers(config, ''),
      build: (format) => buildEncoderGraph(config, format),
      variants: [{ variant: 'fp32', format: CLASSIFIER_FORMATS.fp32 }],
    },
    options,
  );
  return written.fp32!;
}
