import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { type Variant, VARIANTS } from '../../src/align/variant.ts';
import { loadLocalModel, parseCount } from '../generate-options.ts';
import { findModel } from '../model-lookup.ts';
import { packageVersion } from '../package-version.ts';
import { interruptSignal, note } from '../terminal.ts';
import { parseOrigin, parsePort, untilStopped } from './start.ts';

interface ServeOptions {
  model: string;
  variant?: Variant;
  threads?: number;
  port: number;
  models: string;
  mirror: string[];
  concurrency: number;
  queue: number;
  deadline: number;
}

export function addServeCommand(program: Command): void {
  program
    .command('serve')
    .description('run a model for other programs, over HTTP, beside the page (docs/server.md)')
    .option('--model <folder|id>', 'converted folder, or the id of one', 'demo-aligner')
    .addOption(new Option('--variant <variant>', 'of those that the model has').choices(VARIANTS))
    .option('--threads <number>', 'of the CPU; by default one for each core', parseCount)
    .option('--port <number>', 'port on 127.0.0.1; 0 takes a free one', parsePort, 4173)
    .option('--concurrency <requests>', 'that run at a time and share each step', parseCount, 4)
    .option('--queue <requests>', 'that wait at most; further ones are told to come again', parseCount, 64)
    .option('--deadline <seconds>', 'of a request, its wait included', parseCount, 300)
    .option('--models <folder>', 'folder of converted models for the page', 'models')
    .option('--mirror <origin...>', 'hosts beside the hub that the page may download models from', parseOrigin, [])
    .action(serve);
}

async function serve(options: ServeOptions): Promise<void> {
  const interrupted = interruptSignal();
  const folder = await findModel(options.model);
  const { model, variant } = await loadLocalModel(folder, options, interrupted);
  const { ServedModel } = await import('../../server/api/served-model.ts');
  const { startServer } = await import('../../server/main.ts');
  const served = new ServedModel({
    id: folder.id,
    family: folder.manifest.family,
    variant,
    model,
    version: packageVersion(),
    maxWaiting: options.queue,
    deadlineMs: options.deadline * 1000,
  });
  const server = await startServer({
    port: options.port,
    modelsDirectory: resolve(options.models),
    mirrors: options.mirror,
    served,
  }).catch(async (error: unknown) => {
    await served.close();
    throw error;
  });
  note(`${folder.id}, ${variant}, is at ${server.url}v1 and the page at ${server.url} (Ctrl-C stops both).`);
  await untilStopped(interrupted);
  await server.close();
}
