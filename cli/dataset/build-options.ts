import { type Command, InvalidArgumentError } from 'commander';

export interface BuildOptions {
  to: string;
  seed: number;
  strict?: true;
}

/** What every `build` takes. */
export function addBuildOptions(command: Command): Command {
  return command
    .requiredOption('--to <folder>', 'where the files go; they appear whole')
    .option('--seed <number>', 'of all that is random: the same seed gives the same bytes', parseCount, 0)
    .option('--strict', 'stop at the first row that cannot be used, instead of leaving it out');
}

/** A whole number from 0 to 2^32 - 1. */
export function parseCount(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value >= 2 ** 32) throw new InvalidArgumentError('It must be a whole number from 0.');
  return value;
}
