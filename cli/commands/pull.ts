import { statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { TemplateId } from '../../src/align/prompt.ts';
import { type Variant, VARIANTS } from '../../src/align/variant.ts';
import { parseModelReference } from '../../src/weights/hub.ts';
import { addHubOptions, createHubClient, type HubOptions } from '../hub-options.ts';
import { familyOption } from '../request-options.ts';
import { formatBytes, interruptSignal, note, ProgressLine } from '../terminal.ts';
import { EXIT, UsageError } from '../usage-error.ts';

interface PullOptions extends HubOptions {
  variant: Variant;
  to?: string;
  family?: TemplateId;
}

export function addPullCommand(program: Command): void {
  const command = program
    .command('pull')
    .description('download a model from the hub, converted while it arrives, checked, and resumed when run again')
    .argument('<id>', 'owner/name, owner/name@revision, or the address of a converted folder')
    .addOption(new Option('--variant <name>', 'form to get').choices(VARIANTS).default('q4' satisfies Variant))
    .option('--to <folder>', 'folder to write; by default models/NAME, where the page finds it')
    .addOption(familyOption('what it was trained as; by default what its name says'));
  addHubOptions(command).action(pull);
}

async function pull(id: string, options: PullOptions): Promise<void> {
  const reference = parseModelReference(id, options.hub);
  const path = reference.kind === 'hub' ? reference.id : new URL(reference.url).pathname;
  const name =
    path
      .split('/')
      .filter((part) => part !== '')
      .at(-1) ?? 'model';
  const folder = options.to ?? join('models', name);
  if (await isModel(folder)) {
    throw new UsageError(`${folder} holds a model already. Choose another folder with --to, or remove it first.`);
  }
  const signal = interruptSignal();
  const { acquire, planAcquisition } = await import('../../src/weights/acquire.ts');
  const { NodeStaging } = await import('../../src/weights/node-staging.ts');
  const progress = new ProgressLine();
  const client = await createHubClient(options, progress);
  const staging = await NodeStaging.open(folder);
  try {
    const request = { reference: id, variant: options.variant, endpoint: options.hub, family: options.family };
    const plan = await planAcquisition(request, client, { staging, signal, freeBytes: await freeBytes(folder) });
    const { offer, cost, trust, repository } = plan;
    const what = offer.kind === 'ready' ? 'a ready folder' : `${offer.format}, converted while it arrives`;
    note(
      `${repository.name} at ${repository.revision.slice(0, 12)}: ${what}; downloads ` +
        `${formatBytes(cost.downloadBytes)}, keeps ${formatBytes(cost.keepBytes)}` +
        (cost.expectedSeconds === undefined ? '.' : `, about ${Math.ceil(cost.expectedSeconds)} s.`),
    );
    if (trust === 'first-use') note('Its host publishes no checksums of its own: what comes first is trusted.');
    if (cost.missingBytes !== undefined && cost.missingBytes > 0) {
      throw new UsageError(`The disk of ${folder} lacks ${formatBytes(cost.missingBytes)}. Free them, or use --to.`);
    }
    await acquire(plan, staging, client, {
      signal,
      onProgress: ({ phase, loadedBytes, totalBytes, bytesPerSecond }) =>
        progress.show(
          phase,
          loadedBytes / Math.max(totalBytes, 1),
          `${formatBytes(loadedBytes)} of ${formatBytes(totalBytes)}` +
            (bytesPerSecond === undefined ? '' : `, ${formatBytes(bytesPerSecond)}/s`),
        ),
    });
    progress.end();
    note(`${folder} is ready; every byte was checked.`);
  } catch (error) {
    progress.end();
    if (!signal.aborted) throw error;
    note(`Interrupted; what came is kept in ${folder}. The same command goes on with it.`);
    process.exitCode = EXIT.interrupted;
  } finally {
    await staging.close();
  }
}

async function isModel(folder: string): Promise<boolean> {
  const { openNodeFolder } = await import('../../src/weights/node-folder.ts');
  return openNodeFolder(folder).then(
    async (source) => (await source.list()).includes('metaaligner.json'),
    () => false,
  );
}

/** Of the disk that will hold the folder, which need not exist yet. */
async function freeBytes(folder: string): Promise<number | undefined> {
  for (let path = resolve(folder); ; path = dirname(path)) {
    const status = await statfs(path).catch(() => undefined);
    if (status !== undefined) return status.bavail * status.bsize;
    if (dirname(path) === path) return undefined;
  }
}
