import { type Command, Option } from 'commander';
import { editsOfPair } from '../../../src/datasets/hh-rlhf.ts';
import { HH_RLHF_OBJECTIVES } from '../../../src/datasets/preference-objectives.ts';
import { HELD_OUT, ITEM_SPLITS, itemLists, type ItemSplit } from '../../../src/datasets/item-lists.ts';
import { PAIR_COLUMNS, readScoredPair, scoredColumns } from '../../../src/datasets/scored-pairs.ts';
import { lineOf } from '../../../src/batch/row-format.ts';
import { SeededRandom } from '../../../src/align/random.ts';
import { addBuildOptions, type BuildOptions, parseCount } from '../../dataset/build-options.ts';
import { writeReport } from '../../dataset/data-card-file.ts';
import { addInputOptions, type InputOptions, localInput } from '../../dataset/input-file.ts';
import { ItemLists, sumOf } from '../../dataset/item-lists.ts';
import { addObjectiveOptions, type ObjectiveOptions, readObjectives } from '../../dataset/objective-options.ts';
import { addPairColumnOptions, openPairs, type PairColumnOptions } from '../../dataset/pairs.ts';
import { RowProblems } from '../../dataset/problems.ts';
import { openRowSource, requireColumns } from '../../dataset/row-source.ts';
import { writeRows } from '../../dataset/row-writer.ts';
import { counted, note, print } from '../../terminal.ts';
import { asUsage } from '../../usage-error.ts';
import { addScoreCommand } from './score.ts';

export function addHhRlhfCommands(dataset: Command): void {
  const command = dataset
    .command('hh-rlhf')
    .description('pairs of dialogues, chosen and rejected (Anthropic’s HH-RLHF)');
  const splitCommand = command
    .command('split')
    .description('take each dialogue apart at its last answer')
    .requiredOption('--to <file>', `CSV with ${PAIR_COLUMNS.join(', ')}`)
    .option('--strict', 'stop at the first row that cannot be used, instead of leaving it out')
    .option('--json', 'print the report as one JSON object');
  addInputOptions(splitCommand, 'pairs of dialogues: JSONL, CSV, TSV (.gz is unpacked) or Parquet');
  addPairColumnOptions(splitCommand).action(split);
  addScoreCommand(command);
  const buildCommand = command
    .command('build')
    .description('training items from scored pairs')
    .requiredOption(
      '--scored <file>',
      `CSV, JSONL or Parquet with ${PAIR_COLUMNS.join(', ')} and the objectives’ scores`,
    )
    .addOption(new Option('--split <name>', 'which files are written').choices(ITEM_SPLITS).makeOptionMandatory())
    .option('--val-size <items>', 'of train, the items kept for validation', parseCount, HELD_OUT);
  addBuildOptions(addObjectiveOptions(buildCommand, HH_RLHF_OBJECTIVES)).action(build);
}

interface SplitOptions extends InputOptions, PairColumnOptions {
  to: string;
  strict?: true;
  json?: true;
}

async function split(options: SplitOptions): Promise<void> {
  const { source, readPair } = await openPairs(await localInput(options), options);
  const problems = new RowProblems(options.input, options.strict === true);
  const counts = { read: 0, written: 0, otherPrompts: 0 };
  await writeRows(options.to, PAIR_COLUMNS, async (writer) => {
    for await (const row of counted(source.rows(), 'pairs split')) {
      counts.read += 1;
      const pair = readPair(row);
      if ('problem' in pair) {
        problems.add(lineOf(row), pair.problem);
        continue;
      }
      counts.written += 1;
      if (pair.hasOtherPrompt) counts.otherPrompts += 1;
      await writer.add([pair.prompt, pair.chosen, pair.rejected]);
    }
  });
  const report = { input: options.input, ...counts, leftOut: problems.list };
  if (options.json) await print(`${JSON.stringify(report, undefined, 2)}\n`);
  note(
    `${counts.read} pairs read, ${counts.written} written to ${options.to}, ${problems.list.length} left out; ` +
      `${counts.otherPrompts} have two prompts, of which the chosen one’s is kept.`,
  );
}

interface HhRlhfBuildOptions extends BuildOptions, ObjectiveOptions {
  scored: string;
  split: ItemSplit;
  valSize: number;
}

async function build(options: HhRlhfBuildOptions): Promise<void> {
  const objectives = await readObjectives(options, HH_RLHF_OBJECTIVES, 'hh-rlhf');
  const source = await openRowSource(options.scored);
  requireColumns(source, scoredColumns(objectives));
  const problems = new RowProblems(options.scored, options.strict === true);
  const random = new SeededRandom(options.seed);
  const items = await ItemLists.create(options.to);
  let read = 0;
  try {
    for await (const row of counted(source.rows(), 'pairs read')) {
      read += 1;
      const pair = readScoredPair(row, objectives);
      if ('problem' in pair) {
        problems.add(lineOf(row), pair.problem);
        continue;
      }
      for (const edit of editsOfPair(pair, objectives, random, options.maxObjectives)) await items.add(edit);
    }
    const lists = asUsage(() => itemLists(options.split, items.sizes, options.valSize, random));
    const files = await items.write(lists, options);
    await writeReport(options.to, `report-${options.split}.json`, {
      source: options.scored,
      split: options.split,
      seed: options.seed,
      format: options.format,
      template: 'hh-rlhf',
      objectives: objectives.map(({ key, description, threshold }) => ({ key, description, threshold })),
      maxObjectives: options.maxObjectives ?? null,
      pairs: { read, used: read - problems.list.length },
      itemsByObjectives: items.counts,
      files,
      leftOut: problems.list,
    });
    note(
      `${read} pairs, ${problems.list.length} left out: ${sumOf(items.counts.better)} items with better targets, ` +
        `${sumOf(items.counts.equal)} with equal ones, in ${options.to}.`,
    );
  } finally {
    await items.discard();
  }
}
