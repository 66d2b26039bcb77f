import { type Command, Option } from 'commander';
import { editsOfPair } from '../../../src/datasets/hh-rlhf.ts';
import { HH_RLHF_OBJECTIVES } from '../../../src/datasets/preference-objectives.ts';
import { shuffled } from '../../../src/datasets/training-item.ts';
import { SeededRandom } from '../../../src/align/random.ts';
import { addBuildOptions, type BuildOptions, parseCount } from '../../dataset/build-options.ts';
import { writeReport } from '../../dataset/data-card-file.ts';
import { addInputOptions, type InputOptions, localInput } from '../../dataset/input-file.ts';
import { ItemLists, sumOf } from '../../dataset/item-lists.ts';
import { addObjectiveOptions, type ObjectiveOptions, readObjectives } from '../../dataset/objective-options.ts';
import { addPairColumnOptions, openPairs, PAIR_COLUMNS, type PairColumnOptions } from '../../dataset/pairs.ts';
import { RowProblems } from '../../dataset/problems.ts';
import { lineOf, openRowSource, requireColumns } from '../../dataset/row-source.ts';
import { writeRows } from '../../dataset/row-writer.ts';
import { toScore } from '../../dataset/scorers.ts';
import { counted, note, print } from '../../terminal.ts';
import { UsageError } from '../../usage-error.ts';
import { addScoreCommand } from './score.ts';

/** As the reference's. */
const VALIDATION_ITEMS = 15_000;

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
    .addOption(new Option('--split <name>', 'which files are written').choices(['train', 'test']).makeOptionMandatory())
    .option('--val-size <items>', 'of train, the items kept for validation', parseCount, VALIDATION_ITEMS);
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
  split: 'train' | 'test';
  valSize: number;
}

async function build(options: HhRlhfBuildOptions): Promise<void> {
  const objectives = await readObjectives(options, HH_RLHF_OBJECTIVES, 'hh-rlhf');
  const source = await openRowSource(options.scored);
  requireColumns(source, [
    ...PAIR_COLUMNS,
    ...objectives.map(({ chosenColumn }) => chosenColumn),
    ...objectives.map(({ rejectedColumn }) => rejectedColumn),
  ]);
  const problems = new RowProblems(options.scored, options.strict === true);
  const random = new SeededRandom(options.seed);
  const items = await ItemLists.create(options.to);
  let read = 0;
  try {
    for await (const row of counted(source.rows(), 'pairs read')) {
      const { cells, problem } = row;
      const line = lineOf(row);
      read += 1;
      const [prompt, chosen, rejected] = PAIR_COLUMNS.map((column) => cells[column]);
      const chosenScores = objectives.map(({ chosenColumn }) => toScore(cells[chosenColumn]));
      const rejectedScores = objectives.map(({ rejectedColumn }) => toScore(cells[rejectedColumn]));
      if (problem !== undefined) problems.add(line, problem);
      else if (typeof prompt !== 'string' || typeof chosen !== 'string' || typeof rejected !== 'string') {
        problems.add(line, 'The prompt or a response is no text.');
      } else if (chosen === '' || rejected === '') problems.add(line, 'A response is empty.');
      else if ([...chosenScores, ...rejectedScores].some(Number.isNaN)) problems.add(line, 'A score is no number.');
      else {
        const pair = { prompt, chosen, rejected, chosenScores, rejectedScores };
        for (const edit of editsOfPair(pair, objectives, random, options.maxObjectives)) await items.add(edit);
      }
    }
    const files = await writeFiles(options, items, random);
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

async function writeFiles(
  options: HhRlhfBuildOptions,
  items: ItemLists,
  random: SeededRandom,
): Promise<Record<string, number>> {
  const { split, valSize } = options;
  const order = shuffled([...Array(items.better.count).keys()], random);
  if (split === 'test') {
    return Object.fromEntries([
      await items.write('better', 'no_equal/test', options, order),
      await items.write('equal', 'all_equal/val', options),
    ]);
  }
  if (order.length <= valSize) {
    throw new UsageError(
      `There are ${order.length} items and ${valSize} are kept for validation, so none is left to train on. ` +
        'Choose a smaller --val-size.',
    );
  }
  return Object.fromEntries([
    await items.write('better', 'no_equal/val', options, order.slice(0, valSize)),
    await items.write('better', 'no_equal/train', options, order.slice(valSize)),
    await items.write('equal', 'all_equal/train', options),
  ]);
}
