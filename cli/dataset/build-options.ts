import { type Command, InvalidArgumentError, Option } from 'commander';
import { ITEM_FORMATS, type ItemFormat } from '../../src/datasets/item-format.ts';

export interface BuildOptions {
  to: string;
  seed: number;
  strict?: true;
  format: ItemFormat;
  maxObjectives?: number;
}

/** What every `build` takes. */
export function addBuildOptions(command: Command): Command {
  return command
    .requiredOption('--to <folder>', 'where the files go; they appear whole')
    .addOption(
      new Option('--format <name>', 'of the items’ files')
        .choices(ITEM_FORMATS)
        .default('fastchat' satisfies ItemFormat),
    )
    .option('--max-objectives <count>', 'that an item names; of more a random subset', parseAtLeastOne)
    .option('--seed <number>', 'of all that is random: the same seed gives the same bytes', parseCount, 0)
    .option('--strict', 'stop at the first row that cannot be used, instead of leaving it out');
}

/** A whole number from 0 to 2^32 - 1. */
export function parseCount(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value >= 2 ** 32) throw new InvalidArgumentError('It must be a whole number from 0.');
  return value;
}

/** A whole number from 1. */
function parseAtLeastOne(text: string): number {
  const value = parseCount(text);
  if (value === 0) throw new InvalidArgumentError('It must be a whole number from 1.');
  return value;
}
