import { join } from 'node:path';
import type { Command } from 'commander';
import { ULTRAFEEDBACK_OBJECTIVES } from '../../../src/datasets/preference-objectives.ts';
import {
  editsOfInstruction,
  goldenResponse,
  readInstruction,
  TEST_COLUMNS,
  trainingInstructions,
} from '../../../src/datasets/ultrafeedback.ts';
import { HELD_OUT, itemLists } from '../../../src/datasets/item-lists.ts';
import { lineOf } from '../../../src/batch/row-format.ts';
import { SeededRandom } from '../../../src/align/random.ts';
import { addBuildOptions, type BuildOptions, parseCount } from '../../dataset/build-options.ts';
import { writeReport } from '../../dataset/data-card-file.ts';
import { addInputOptions, type InputOptions, localInput } from '../../dataset/input-file.ts';
import { ItemLists, sumOf } from '../../dataset/item-lists.ts';
import { addObjectiveOptions, type ObjectiveOptions, readObjectives } from '../../dataset/objective-options.ts';
import { RowProblems } from '../../dataset/problems.ts';
import { countRows, openRowSource } from '../../dataset/row-source.ts';
import { writeRows } from '../../dataset/row-writer.ts';
import { counted, note } from '../../terminal.ts';
import { asUsage } from '../../usage-error.ts';

export function addUltraFeedbackCommands(dataset: Command): void {
  const command = dataset
    .command('ultrafeedback')
    .description('instructions with rated completions (openbmb’s UltraFeedback)');
  const buildCommand = command
    .command('build')
    .description('training items from all pairs of completions, and a test set')
    .option('--val-size <items>', 'training items kept for validation', parseCount, HELD_OUT)
    .option('--test-size <rows>', 'instructions at the end that make the test set', parseCount, HELD_OUT);
  addInputOptions(buildCommand, 'JSONL (.gz is unpacked) or Parquet with instruction and completions');
  addBuildOptions(addObjectiveOptions(buildCommand, ULTRAFEEDBACK_OBJECTIVES)).action(build);
}

interface UltraFeedbackBuildOptions extends InputOptions, BuildOptions, ObjectiveOptions {
  valSize: number;
  testSize: number;
}

async function build(options: UltraFeedbackBuildOptions): Promise<void> {
  const objectives = await readObjectives(options, ULTRAFEEDBACK_OBJECTIVES, 'ultrafeedback');
  const source = await openRowSource(await localInput(options));
  const count = await countRows(source);
  const trainingCount = asUsage(() => trainingInstructions(options.input, count, options.testSize));
  const problems = new RowProblems(options.input, options.strict === true);
  const random = new SeededRandom(options.seed);
  const items = await ItemLists.create(options.to);
  const pairs = { read: 0, unrated: 0, tied: 0 };
  let withoutResponse = 0;
  const tests: [query: string, golden: string][] = [];
  try {
    for await (const row of counted(source.rows(), 'instructions read')) {
      const { index, cells, problem } = row;
      const instruction = problem === undefined ? readInstruction(cells, objectives) : { problem };
      if ('problem' in instruction) {
        problems.add(lineOf(row), instruction.problem);
        continue;
      }
      withoutResponse += instruction.withoutResponse;
      if (index >= trainingCount) {
        const golden = goldenResponse(instruction);
        if (golden === undefined) problems.add(lineOf(row), 'It has no completion with a response.');
        else tests.push([instruction.instruction, golden]);
        continue;
      }
      const found = editsOfInstruction(instruction, objectives, random, options.maxObjectives);
      pairs.read += found.pairs;
      pairs.unrated += found.unratedPairs;
      pairs.tied += found.tiedPairs;
      for (const edit of found.compared.flatMap(({ edits }) => edits)) await items.add(edit);
    }
    const lists = asUsage(() => itemLists('train', items.sizes, options.valSize, random));
    const files = await items.write(lists, options);
    await writeRows(join(options.to, 'no_equal/test.csv'), TEST_COLUMNS, async (writer) => {
      for (const test of tests) await writer.add(test);
    });
    await writeReport(options.to, 'report.json', {
      source: options.input,
      split: 'all',
      seed: options.seed,
      format: options.format,
      template: 'ultrafeedback',
      objectives: objectives.map(({ key, description, threshold }) => ({ key, description, threshold })),
      maxObjectives: options.maxObjectives ?? null,
      pairs: { instructions: count, ...pairs, completionsWithoutResponse: withoutResponse },
      itemsByObjectives: items.counts,
      files: { ...files, 'no_equal/test.csv': tests.length },
      leftOut: problems.list,
    });
    note(
      `${count} instructions, ${problems.list.length} left out; ${pairs.read} pairs, ${pairs.unrated} without all ratings, ` +
        `${pairs.tied} tied: ${sumOf(items.counts.better)} items with better targets, ` +
        `${sumOf(items.counts.equal)} with equal ones, ${tests.length} tests, in ${options.to}.`,
    );
  } finally {
    await items.discard();
  }
}
