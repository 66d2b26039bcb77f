import { open, readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { AlignError } from '../../src/align/errors.ts';
import { makeKey, parseKeys } from '../../server/keys.ts';
import { parseCount } from '../generate-options.ts';
import { note, print } from '../terminal.ts';
import { asUsage } from '../usage-error.ts';

interface KeyOptions {
  keysFile: string;
  maxRequests?: number;
}

export function addKeyCommand(program: Command): void {
  program
    .command('key')
    .description('make a key for serve --keys-file: printed once, kept as its hash')
    .argument('<name>', 'whose it is; the log shows it')
    .requiredOption('--keys-file <file>', 'to add it to; delete its line there to take it back')
    .option('--max-requests <number>', 'at a time, those that wait included', parseCount)
    .action(addKey);
}

async function addKey(name: string, { keysFile, maxRequests }: KeyOptions): Promise<void> {
  const { key, line } = asUsage(() => makeKey(name, maxRequests));
  const before = await readFile(keysFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const separator = before === '' || before.endsWith('\n') ? '' : '\n';
  // A name that is there already, or a file of something else, is noticed before it is changed.
  asUsage(() => parseKeys(`${before}${separator}${line}\n`, keysFile));
  const file = await open(keysFile, 'a', 0o600);
  const { size } = await file.stat();
  try {
    await file.appendFile(`${separator}${line}\n`);
  } catch (cause) {
    // Half a line would keep the server from starting.
    await file.truncate(size);
    const message = `The key was not added: ${keysFile} cannot be written (${(cause as Error).message}).`;
    throw new AlignError('storage-full', message, { cause });
  } finally {
    await file.close();
  }
  note(`Added to ${keysFile}; a server that runs takes it after a restart. The key, which is shown only now:`);
  await print(`${key}\n`);
}
