import { mkdir, open, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Command, Option } from 'commander';
import { AlignError } from '../../../src/align/errors.ts';
import { formatHeader, formatRow, rowFormatOf } from '../../../src/batch/row-format.ts';
import { editsOfPair, HH_RLHF_OBJECTIVES, splitPair } from '../../../src/datasets/hh-rlhf.ts';
import { shuffled } from '../../../src/datasets/training-item.ts';
import { SeededRandom } from '../../../src/align/random.ts';
import { readColumns, readRows, type RowFile } from '../../batch/read-rows.ts';
import { addBuildOptions, type BuildOptions, parseCount } from '../../dataset/build-options.ts';
import { ItemLists, sumOf } from '../../dataset/item-lists.ts';
import { RowProblems } from '../../dataset/problems.ts';
import { note, print } from '../../terminal.ts';
import { UsageError } from '../../usage-error.ts';

const SPLIT_COLUMNS = ['prompt', 'chosen_response', 'rejected_response'] as const;
/** In the objectives' order. */
const scoreColumns = (side: 'chosen' | 'rejected') => HH_RLHF_OBJECTIVES.map((_, i) => `${side}_score${i + 1}`);
/** As the reference's. */
const VALIDATION_ITEMS = 15_000;

export function addHhRlhfCommands(dataset: Command): void {
  const command = dataset
    .command('hh-rlhf')
    .description('pairs of dialogues, chosen and rejected (Anthropic’s HH-RLHF)');
  command
    .command('split')
    .description('take each dialogue apart at its last answer')
    .requiredOption('--input <file>', 'JSONL or CSV with chosen and rejected; .gz is unpacked')
    .requiredOption('--to <file>', `CSV with ${SPLIT_COLUMNS.join(', ')}`)
    .option('--strict', 'stop at the first row that cannot be used, instead of leaving it out')
    .option('--json', 'print the report as one JSON object')
    .action(split);
  addBuildOptions(
    command
      .command('build')
      .description('training items from scored pairs')
      .requiredOption(
        '--scored <file>',
        `CSV with ${SPLIT_COLUMNS.join(', ')}, ${scoreColumns('chosen').join(', ')}, ${scoreColumns('rejected').join(', ')}`,
      )
      .addOption(
        new Option('--split <name>', 'which files are written').choices(['train', 'test']).makeOptionMandatory(),
      )
      .option('--val-size <items>', 'of train, the items kept for validation', parseCount, VALIDATION_ITEMS),
  ).action(build);
}

interface SplitOptions {
  input: string;
  to: string;
  strict?: true;
  json?: true;
}

async function split(options: SplitOptions): Promise<void> {
  const file = await openRows(options.input, ['chosen', 'rejected']);
  const problems = new RowProblems(options.input, options.strict === true);
  const counts = { read: 0, written: 0, otherPrompts: 0 };
  await mkdir(dirname(options.to), { recursive: true });
  const temporary = `${options.to}.part`;
  const target = await open(temporary, 'w');
  try {
    let text = formatHeader('csv', SPLIT_COLUMNS);
    for await (const { index, line = index + 1, cells, problem } of readRows(file)) {
      counts.read += 1;
      const { chosen, rejected } = cells;
      const pair = typeof chosen === 'string' && typeof rejected === 'string' ? splitPair(chosen, rejected) : undefined;
      if (problem !== undefined) problems.add(line, problem);
      else if (pair === undefined) problems.add(line, 'chosen or rejected is no dialogue with an “Assistant:” turn.');
      else if (pair.chosen === '' || pair.rejected === '') problems.add(line, 'A response is empty.');
      else {
        counts.written += 1;
        if (pair.hasOtherPrompt) counts.otherPrompts += 1;
        text += formatRow('csv', SPLIT_COLUMNS, [pair.prompt, pair.chosen, pair.rejected]);
      }
      if (text.length > 1 << 20) {
        await target.write(text);
        text = '';
      }
    }
    await target.write(text);
    await target.sync();
  } finally {
    await target.close();
  }
  await rename(temporary, options.to);
  const report = { input: options.input, ...counts, leftOut: problems.list };
  if (options.json) await print(`${JSON.stringify(report, undefined, 2)}\n`);
  note(
    `${counts.read} pairs read, ${counts.written} written to ${options.to}, ${problems.list.length} left out; ` +
      `${counts.otherPrompts} have two prompts, of which the chosen one’s is kept.`,
  );
}

async function build(options: BuildOptions & { scored: string; split: 'train' | 'test'; valSize: number }) {
  const columns = [...SPLIT_COLUMNS, ...scoreColumns('chosen'), ...scoreColumns('rejected')];
  const file = await openRows(options.scored, columns);
  const problems = new RowProblems(options.scored, options.strict === true);
  const random = new SeededRandom(options.seed);
  const items = await ItemLists.create(options.to);
  let read = 0;
  try {
    for await (const { index, line = index + 1, cells, problem } of readRows(file)) {
      read += 1;
      const [prompt, chosen, rejected] = SPLIT_COLUMNS.map((column) => cells[column]);
      const chosenScores = scoreColumns('chosen').map((column) => toScore(cells[column]));
      const rejectedScores = scoreColumns('rejected').map((column) => toScore(cells[column]));
      if (problem !== undefined) problems.add(line, problem);
      else if (typeof prompt !== 'string' || typeof chosen !== 'string' || typeof rejected !== 'string') {
        problems.add(line, 'The prompt or a response is no text.');
      } else if (chosen === '' || rejected === '') problems.add(line, 'A response is empty.');
      else if ([...chosenScores, ...rejectedScores].some(Number.isNaN)) problems.add(line, 'A score is no number.');
      else {
        const pair = { prompt, chosen, rejected, chosenScores, rejectedScores };
        for (const edit of editsOfPair(pair, HH_RLHF_OBJECTIVES, random)) await items.add(edit);
      }
    }
    const files = await writeFiles(options, items, random);
    const report = {
      scored: options.scored,
      split: options.split,
      seed: options.seed,
      objectives: HH_RLHF_OBJECTIVES.map(({ key }) => key),
      pairs: { read, used: read - problems.list.length },
      itemsByObjectives: items.counts,
      files,
      leftOut: problems.list,
    };
    await writeFile(join(options.to, `report-${options.split}.json`), `${JSON.stringify(report, undefined, 2)}\n`);
    note(
      `${read} pairs, ${problems.list.length} left out: ${sumOf(items.counts.better)} items with better targets, ` +
        `${sumOf(items.counts.equal)} with equal ones, in ${options.to}.`,
    );
  } finally {
    await items.discard();
  }
}

async function writeFiles(
  { to, split, valSize }: { to: string; split: 'train' | 'test'; valSize: number },
  items: ItemLists,
  random: SeededRandom,
): Promise<Record<string, number>> {
  const order = shuffled([...Array(items.better.count).keys()], random);
  const equal = Array(items.equal.count).keys();
  if (split === 'test') {
    await items.better.write(join(to, 'no_equal/test.json'), order);
    await items.equal.write(join(to, 'all_equal/val.json'), equal);
    return { 'no_equal/test.json': order.length, 'all_equal/val.json': items.equal.count };
  }
  if (order.length <= valSize) {
    throw new UsageError(
      `There are ${order.length} items and ${valSize} are kept for validation, so none is left to train on. ` +
        'Choose a smaller --val-size.',
    );
  }
  await items.better.write(join(to, 'no_equal/val.json'), order.slice(0, valSize));
  await items.better.write(join(to, 'no_equal/train.json'), order.slice(valSize));
  await items.equal.write(join(to, 'all_equal/train.json'), equal);
  return {
    'no_equal/train.json': order.length - valSize,
    'no_equal/val.json': valSize,
    'all_equal/train.json': items.equal.count,
  };
}

/** NaN for what is no number: an empty cell is not 0. */
function toScore(cell: unknown): number {
  if (typeof cell === 'number') return cell;
  const text = typeof cell === 'string' ? cell.trim() : '';
  const value = text === '' ? NaN : Number(text);
  return Number.isFinite(value) ? value : NaN;
}

/** @throws UsageError for a file whose name ends in no known format; AlignError for one that lacks a column */
async function openRows(path: string, columns: readonly string[]): Promise<RowFile> {
  const format = rowFormatOf(path);
  if (format === undefined) throw new UsageError(`${path} is not named .jsonl, .csv or .tsv (.gz may follow).`);
  const file = { path, format };
  const found = await readColumns(file).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? new UsageError(`The file ${path} does not exist.`) : error;
  });
  const lacking = columns.filter((column) => !found.includes(column));
  if (lacking.length === 0) return file;
  throw new AlignError(
    'invalid-request',
    `${path} lacks ${lacking.join(', ')}; it has ${found.join(', ') || 'none'}.`,
    {
      details: { path, lacking, found },
    },
  );
}
