import { open, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { formatHeader, formatRow } from '../../../src/batch/row-format.ts';
import {
  editsOfInstruction,
  goldenResponse,
  readInstruction,
  ULTRAFEEDBACK_OBJECTIVES,
} from '../../../src/datasets/ultrafeedback.ts';
import { shuffled } from '../../../src/datasets/training-item.ts';
import { SeededRandom } from '../../../src/align/random.ts';
import { readRows, type RowFile } from '../../batch/read-rows.ts';
import { addBuildOptions, type BuildOptions, parseCount } from '../../dataset/build-options.ts';
import { ItemLists, sumOf } from '../../dataset/item-lists.ts';
import { RowProblems } from '../../dataset/problems.ts';
import { note } from '../../terminal.ts';
import { UsageError } from '../../usage-error.ts';

const TEST_COLUMNS = ['query', 'golden_response'] as const;
/** As the reference's. */
const HELD_OUT = 15_000;

export function addUltraFeedbackCommands(dataset: Command): void {
  const command = dataset
    .command('ultrafeedback')
    .description('instructions with rated completions (openbmb’s UltraFeedback)');
  addBuildOptions(
    command
      .command('build')
      .description('training items from all pairs of completions, and a test set')
      .requiredOption('--input <file>', 'JSONL with instruction and completions; .gz is unpacked')
      .option('--val-size <items>', 'training items kept for validation', parseCount, HELD_OUT)
      .option('--test-size <rows>', 'instructions at the end that make the test set', parseCount, HELD_OUT),
  ).action(build);
}

async function build(options: BuildOptions & { input: string; valSize: number; testSize: number }): Promise<void> {
  const file: RowFile = { path: options.input, format: 'jsonl' };
  const count = await countRows(file);
  if (count <= options.testSize) {
    throw new UsageError(
      `${options.input} has ${count} instructions and the last ${options.testSize} are the test set, so none is left to ` +
        'train on. Choose a smaller --test-size.',
    );
  }
  const problems = new RowProblems(options.input, options.strict === true);
  const random = new SeededRandom(options.seed);
  const items = await ItemLists.create(options.to);
  const pairs = { read: 0, unrated: 0, tied: 0 };
  let withoutResponse = 0;
  let tests = formatHeader('csv', TEST_COLUMNS);
  let testRows = 0;
  try {
    for await (const { index, line = index + 1, cells, problem } of readRows(file)) {
      const instruction = problem === undefined ? readInstruction(cells) : { problem };
      if ('problem' in instruction) {
        problems.add(line, instruction.problem);
        continue;
      }
      withoutResponse += instruction.withoutResponse;
      if (index >= count - options.testSize) {
        const golden = goldenResponse(instruction);
        if (golden === undefined) problems.add(line, 'It has no completion with a response.');
        else {
          tests += formatRow('csv', TEST_COLUMNS, [instruction.instruction, golden]);
          testRows += 1;
        }
        continue;
      }
      const found = editsOfInstruction(instruction, ULTRAFEEDBACK_OBJECTIVES, random);
      pairs.read += found.pairs;
      pairs.unrated += found.unratedPairs;
      pairs.tied += found.tiedPairs;
      for (const edit of found.edits) await items.add(edit);
    }
    const order = shuffled([...Array(items.better.count).keys()], random);
    if (order.length <= options.valSize) {
      throw new UsageError(
        `There are ${order.length} items and ${options.valSize} are kept for validation, so none is left to train on. ` +
          'Choose a smaller --val-size.',
      );
    }
    await items.better.write(join(options.to, 'no_equal/val.json'), order.slice(0, options.valSize));
    await items.better.write(join(options.to, 'no_equal/train.json'), order.slice(options.valSize));
    await items.equal.write(join(options.to, 'all_equal/train.json'), Array(items.equal.count).keys());
    await writeWhole(join(options.to, 'no_equal/test.csv'), tests);
    const report = {
      input: options.input,
      seed: options.seed,
      objectives: ULTRAFEEDBACK_OBJECTIVES.map(({ key }) => key),
      instructions: count,
      pairs,
      completionsWithoutResponse: withoutResponse,
      itemsByObjectives: items.counts,
      files: {
        'no_equal/train.json': order.length - options.valSize,
        'no_equal/val.json': options.valSize,
        'all_equal/train.json': items.equal.count,
        'no_equal/test.csv': testRows,
      },
      leftOut: problems.list,
    };
    await writeFile(join(options.to, 'report.json'), `${JSON.stringify(report, undefined, 2)}\n`);
    note(
      `${count} instructions, ${problems.list.length} left out; ${pairs.read} pairs, ${pairs.unrated} without all ratings, ` +
        `${pairs.tied} tied: ${sumOf(items.counts.better)} items with better targets, ` +
        `${sumOf(items.counts.equal)} with equal ones, ${testRows} tests, in ${options.to}.`,
    );
  } finally {
    await items.discard();
  }
}

async function countRows(file: RowFile): Promise<number> {
  let count = 0;
  try {
    for await (const _ of readRows(file)) count += 1;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new UsageError(`The file ${file.path} does not exist.`);
    throw error;
  }
  return count;
}

async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.part`;
  const file = await open(temporary, 'w');
  try {
    await file.write(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}
