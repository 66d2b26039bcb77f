import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { familyOfName } from '../../src/align/catalogue.ts';
import type { TemplateId } from '../../src/align/prompt.ts';
import { type Variant, VARIANTS } from '../../src/align/variant.ts';
import type { Checkpoint } from '../../src/convert/checkpoint/checkpoint.ts';
import { MANIFEST_PATH, type ModelManifest } from '../../src/convert/manifest.ts';
import { createNodeTarget, openNodeFile, openNodeFolder } from '../../src/weights/node-folder.ts';
import { readModelFolder } from '../../src/weights/node-model-folders.ts';
import { familyOption } from '../request-options.ts';
import { formatBytes, interruptSignal, note, ProgressLine } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

interface ConvertCommandOptions {
  from: string;
  to: string;
  variant?: readonly Variant[];
  family?: TemplateId;
  name?: string;
}

const LLAMA_VARIANTS: readonly Variant[] = ['q4f16', 'q8'];

export function addConvertCommand(program: Command): void {
  program
    .command('convert')
    .description(
      'convert a Llama checkpoint (safetensors, GGUF, PyTorch .bin) to a folder that runs here and in the page; ' +
        'or a BERT, DistilBERT or GPT-2 sequence classifier to one that scores texts here',
    )
    .requiredOption('--from <path>', 'folder of the checkpoint, or one .gguf file')
    .requiredOption('--to <folder>', 'folder to write; the page finds it in models/NAME')
    .option(
      '--variant <list>',
      `comma-separated: ${VARIANTS.join(', ')}; by default ${LLAMA_VARIANTS.join(',')}, of a classifier fp32`,
      parseVariants,
    )
    .addOption(familyOption('what it was trained as; by default what its name says'))
    .option('--name <text>', 'shown to the user; by default the name of the checkpoint')
    .action(convert);
}

async function convert(given: ConvertCommandOptions): Promise<void> {
  const isFile = await stat(given.from).then(
    (status) => status.isFile(),
    () => false,
  );
  if (!isFile && (await isClassifier(given.from))) return convertClassifierFolder(given);
  const options = { ...given, variant: given.variant ?? LLAMA_VARIANTS };
  const existing = await readExisting(options.to);
  const signal = interruptSignal();
  const { openCheckpoint, openGgufFile } = await import('../../src/convert/checkpoint/open-checkpoint.ts');
  const { convertCheckpoint } = await import('../../src/convert/convert.ts');

  if (isFile && !options.from.endsWith('.gguf')) {
    throw new UsageError(`${options.from} is a file but not a .gguf; name the checkpoint’s folder instead.`);
  }
  const checkpoint: Checkpoint = isFile
    ? await openGgufFile(await openNodeFile(options.from))
    : await openCheckpoint(await openNodeFolder(options.from));

  const source = basename(resolve(options.from));
  if (existing !== undefined) refuseConflict(options, existing, checkpoint, source);
  const name = options.name ?? existing?.name ?? source.replace(/\.gguf$/, '');
  const family = options.family ?? existing?.family ?? familyOfName(name) ?? familyOfName(resolve(options.from));
  if (family === undefined) {
    note('The name tells no family: whoever runs the model chooses one. To store it, convert with --family.');
  }
  const target = createNodeTarget(options.to);
  const progress = new ProgressLine();
  let manifest: ModelManifest;
  try {
    manifest = await convertCheckpoint(checkpoint, target, {
      variants: options.variant,
      name,
      source,
      family,
      existing,
      signal,
      onProgress: ({ doneBytes, totalBytes }) =>
        progress.show('converting', doneBytes / totalBytes, `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`),
    });
  } catch (error) {
    progress.end();
    await target.rollBack();
    throw error;
  }
  progress.end();
  note(`${options.to}: ${describe(manifest)}`);
}

async function isClassifier(path: string): Promise<boolean> {
  const { isClassifierFolder } = await import('../../src/convert/checkpoint/open-classifier.ts');
  return isClassifierFolder(await openNodeFolder(path));
}

async function convertClassifierFolder({ from, to, variant = ['fp32'], family, name }: ConvertCommandOptions) {
  const { openClassifierCheckpoint } = await import('../../src/convert/checkpoint/open-classifier.ts');
  const { convertClassifier } = await import('../../src/convert/classifier/convert-classifier.ts');
  const { CLASSIFIER_FORMATS } = await import('../../src/convert/onnx/sequence-classifier-graph.ts');
  const { CLASSIFIER_MANIFEST_PATH } = await import('../../src/convert/classifier/classifier-manifest.ts');
  if (family !== undefined || name !== undefined) {
    throw new UsageError(`${from} is a sequence classifier, which has neither --family nor --name.`);
  }
  const variants = variant.map((each) => {
    if (Object.hasOwn(CLASSIFIER_FORMATS, each)) return each as keyof typeof CLASSIFIER_FORMATS;
    const known = Object.keys(CLASSIFIER_FORMATS).join(' and ');
    throw new UsageError(`${from} is a sequence classifier, which has no variant ${each}; it has ${known}.`);
  });
  for (const path of [MANIFEST_PATH, CLASSIFIER_MANIFEST_PATH]) {
    if (!(await isThere(join(to, path)))) continue;
    throw new UsageError(`${to} holds a model already. Choose another folder, or remove it first.`);
  }
  const target = createNodeTarget(to);
  const progress = new ProgressLine();
  try {
    const { parameterCount } = await convertClassifier(
      await openClassifierCheckpoint(await openNodeFolder(from)),
      target,
      {
        variants,
        source: basename(resolve(from)),
        signal: interruptSignal(),
        onProgress: (done) =>
          progress.show('converting', done.doneBytes / done.totalBytes, formatBytes(done.doneBytes)),
      },
    );
    progress.end();
    note(
      `${to}: a sequence classifier of ${parameterCount.toLocaleString('en-US')} parameters, ${variants.join(', ')}`,
    );
  } catch (error) {
    progress.end();
    await target.rollBack();
    throw error;
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function parseVariants(text: string): Variant[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !VARIANTS.includes(name as Variant));
  if (unknown !== undefined) {
    throw new InvalidArgumentError(`There is no variant “${unknown}”. Known: ${VARIANTS.join(', ')}.`);
  }
  return [...new Set(names as Variant[])];
}

async function readExisting(folder: string): Promise<ModelManifest | undefined> {
  const isModel = await isThere(join(folder, MANIFEST_PATH));
  return isModel ? (await readModelFolder(basename(resolve(folder)), folder)).manifest : undefined;
}

/** @throws UsageError unless the folder only gains variants of the model that it holds: nothing is replaced */
function refuseConflict(
  options: ConvertCommandOptions & { variant: readonly Variant[] },
  existing: ModelManifest,
  checkpoint: Checkpoint,
  source: string,
) {
  const holds = `${options.to} holds ${describe(existing)} already`;
  const isSame = existing.source === source && JSON.stringify(existing.config) === JSON.stringify(checkpoint.config);
  if (!isSame)
    throw new UsageError(`${holds}, made from ${existing.source}. Choose another folder, or remove it first.`);
  const present = options.variant.filter((variant) => existing.variants[variant] !== undefined);
  if (present.length > 0) {
    throw new UsageError(`${holds}. Leave out ${present.join(', ')}, choose another folder, or remove it first.`);
  }
}

function describe({ name, variants }: ModelManifest): string {
  const list = Object.entries(variants).map(([variant, files]) => {
    const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
    return `${variant} (${formatBytes(sizeBytes)})`;
  });
  return `${name}, ${list.join(', ')}`;
}
