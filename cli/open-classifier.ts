import { join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { CLASSIFIER_FORMATS, type ClassifierVariant } from '../src/convert/onnx/sequence-classifier-graph.ts';
import type { Classifier } from '../src/engines/classifier.ts';
import { createHubClient, type HubOptions } from './hub-options.ts';
import { formatBytes, ProgressLine } from './terminal.ts';

/** Where classifiers come from and how they are run. */
export interface ClassifierOptions extends HubOptions {
  variant: ClassifierVariant;
  classifiers: string;
  threads?: number;
}

/** What every command takes that runs a sequence classifier, besides `addHubOptions`. */
export function addClassifierOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--variant <name>', 'fp32: exact; q8: int8, faster, scores differ a little')
        .choices(Object.keys(CLASSIFIER_FORMATS))
        .default('fp32' satisfies ClassifierVariant),
    )
    .option('--classifiers <folder>', 'where converted classifiers are kept', join('models', 'classifiers'))
    .option('--threads <count>', 'threads of the classifier; by default one per physical core', parseThreads);
}

/**
 * A classifier by its folder, converted or as published, or by hub id, ready to run.
 *
 * @throws AlignError as `prepareClassifier` and `loadClassifier`
 */
export async function openClassifier(
  reference: string,
  options: ClassifierOptions,
  signal: AbortSignal,
): Promise<{ classifier: Classifier; source: string }> {
  const { prepareClassifier } = await import('../src/weights/prepare-classifier.ts');
  const { openNodeFolder } = await import('../src/weights/node-folder.ts');
  const { loadClassifier } = await import('../src/engines/load-classifier.ts');
  const { startNodeSession } = await import('../src/engines/node-classifier.ts');
  const { variant, classifiers, hub, threads } = options;
  const progress = new ProgressLine();
  const client = await createHubClient(options, progress);
  try {
    const prepared = await prepareClassifier({
      reference,
      variant,
      cacheDirectory: classifiers,
      endpoint: hub,
      client,
      signal,
      onProgress: (phase, done, total) =>
        progress.show(
          `${phase} ${reference}`,
          done / Math.max(total, 1),
          `${formatBytes(done)} of ${formatBytes(total)}`,
        ),
    });
    progress.end();
    const { directory, source } = prepared;
    const start = startNodeSession({ directory, ...(threads !== undefined && { threads }) });
    return { classifier: await loadClassifier(await openNodeFolder(directory), variant, start), source };
  } finally {
    progress.end();
  }
}

function parseThreads(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > 1024) throw new InvalidArgumentError('It must be from 1 to 1024.');
  return count;
}
