import type { TargetFolder } from '../byte-source.ts';
import type { BartCheckpoint } from '../checkpoint/open-bart.ts';
import type { ManifestFile } from '../manifest.ts';
import { buildBartGraph, planBartWeights } from '../onnx/bart-graph.ts';
import { CLASSIFIER_FORMATS } from '../onnx/sequence-classifier-graph.ts';
import { type WriteOptions, writeGraphs } from '../write-graphs.ts';

/**
 * Writes a BART that scores texts as a graph in float32.
 *
 * @returns the graph's file first, then its data
 * @throws AlignError of the checkpoint's reader; the signal's reason. Files that were begun are removed
 */
export async function convertBart(
  checkpoint: BartCheckpoint,
  target: TargetFolder,
  options: WriteOptions = {},
): Promise<ManifestFile[]> {
  const { config } = checkpoint;
  const written = await writeGraphs(
    checkpoint,
    target,
    {
      graphName: 'bart_scorer',
      weights: planBartWeights(config),
      build: () => buildBartGraph(config),
      variants: [{ variant: 'fp32', format: CLASSIFIER_FORMATS.fp32 }],
    },
    options,
  );
  return written.fp32!;
}
