import type { Command } from 'commander';
import { CATALOGUE } from '../../src/align/catalogue.ts';
import type { ModelFolder } from '../../src/weights/node-model-folders.ts';
import { localModels } from '../model-lookup.ts';
import { formatBytes, note, print } from '../terminal.ts';

export function addModelsCommand(program: Command): void {
  program
    .command('models')
    .description('list the published models and the converted ones on this machine')
    .option('--json', 'as one JSON object')
    .action(async (options: { json?: true }) => {
      const { models, problems } = await localModels();
      for (const { id, error } of problems) note(`${id} is left out: ${error.message}`);
      const converted = models.map(describe);
      if (options.json) {
        await print(`${JSON.stringify({ converted, published: CATALOGUE }, undefined, 2)}\n`);
        return;
      }
      const lines = [
        'Converted, ready to run:',
        ...(converted.length === 0 ? ['  none'] : []),
        ...converted.map(
          ({ id, family, variants }) =>
            `  ${id}  ${family ?? 'family unknown'}  ${variants.map(({ variant, sizeBytes }) => `${variant} (${formatBytes(sizeBytes)})`).join(', ')}`,
        ),
        'Published (to be downloaded and converted):',
        ...CATALOGUE.map(
          ({ id, family, downloadBytes, licence }) => `  ${id}  ${family}  ${formatBytes(downloadBytes)}  ${licence}`,
        ),
      ];
      await print(`${lines.join('\n')}\n`);
    });
}

function describe({ id, directory, manifest }: ModelFolder) {
  const { name, source, family, parameterCount, config } = manifest;
  const variants = Object.entries(manifest.variants).map(([variant, files]) => ({
    variant,
    sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
  }));
  return { id, name, directory, source, family, parameterCount, contextLength: config.contextLength, variants };
}
