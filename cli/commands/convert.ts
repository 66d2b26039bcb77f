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
  variant: Variant[];
  family?: TemplateId;
  name?: string;
}

export function addConvertCommand(program: Command): void {
  program
    .command('convert')
    .description(
      'convert a Llama checkpoint (safetensors, GGUF, PyTorch .bin) to a folder that runs here and in the page',
    )
    .requiredOption('--from <path>', 'folder of the checkpoint, or one .gguf file')
    .requiredOption('--to <folder>', 'folder to write; the page finds it in models/NAME')
    .option('--variant <list>', `comma-separated: ${VARIANTS.join(', ')}`, parseVariants, ['q4f16', 'q8'] as Variant[])
    .addOption(familyOption('what it was trained as; by default what its name says'))
    .option('--name <text>', 'shown to the user; by default the name of the checkpoint')
    .action(convert);
}

async function convert(options: ConvertCommandOptions): Promise<void> {
  const existing = await readExisting(options.to);
  const signal = interruptSignal();
  const { openCheckpoint, openGgufFile } = await import('../../src/convert/checkpoint/open-checkpoint.ts');
  const { convertCheckpoint } = await import('../../src/convert/convert.ts');

  const isFile = await stat(options.from).then(
    (status) => status.isFile(),
    () => false,
  );
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

function parseVariants(text: string): Variant[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !VARIANTS.includes(name as Variant));
  if (unknown !== undefined) {
    throw new InvalidArgumentError(`There is no variant “${unknown}”. Known: ${VARIANTS.join(', ')}.`);
  }
  return [...new Set(names as Variant[])];
}

async function readExisting(folder: string): Promise<ModelManifest | undefined> {
  const isModel = await stat(join(folder, MANIFEST_PATH)).then(
    () => true,
    () => false,
  );
  return isModel ? (await readModelFolder(basename(resolve(folder)), folder)).manifest : undefined;
}

/** @throws UsageError unless the folder only gains variants of the model that it holds: nothing is replaced */
function refuseConflict(
  options: ConvertCommandOptions,
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
