import { AlignError } from '../align/errors.ts';
import { SeededRandom } from '../align/random.ts';
import { formatHeader, formatRow, lineOf, requireColumns, type SourceRow } from '../batch/row-format.ts';
import { editsOfPair } from './hh-rlhf.ts';
import { formatItem, ITEM_EXTENSIONS, ITEM_FRAMES, type TextItemFormat } from './item-format.ts';
import { type ItemList, itemLists, type ItemSplit } from './item-lists.ts';
import { HH_RLHF_OBJECTIVES, type PreferenceObjective, ULTRAFEEDBACK_OBJECTIVES } from './preference-objectives.ts';
import { readScoredPair, scoredColumns } from './scored-pairs.ts';
import { type Edit, toTrainingItem } from './training-item.ts';
import {
  editsOfInstruction,
  type RatedCompletion,
  goldenResponse,
  readInstruction,
  TEST_COLUMNS,
  trainingInstructions,
} from './ultrafeedback.ts';

/** Data whose building is known, by the name of its prompt template. */
export type DataKind = Edit['template'];

export const DATA_OBJECTIVES: Record<DataKind, readonly PreferenceObjective[]> = {
  'hh-rlhf': HH_RLHF_OBJECTIVES,
  ultrafeedback: ULTRAFEEDBACK_OBJECTIVES,
};

/**
 * Tells rated instructions from scored pairs by their columns.
 *
 * @param name  of the file, for messages
 * @throws AlignError `invalid-request` with the columns found when one is missing
 */
export function dataKindOf(name: string, columns: readonly string[]): DataKind {
  if (columns.includes('instruction') && columns.includes('completions')) return 'ultrafeedback';
  requireColumns(name, columns, scoredColumns(HH_RLHF_OBJECTIVES));
  return 'hh-rlhf';
}

export interface BuildSettings {
  /** The same seed gives the same bytes as on the command line. Unsigned 32-bit. */
  seed: number;
  /** UltraFeedback has both in one file: there it is not read. */
  split: ItemSplit;
  /** Of train, items kept for validation. */
  valSize: number;
  /** Of UltraFeedback, the last instructions that make the test set. */
  testSize: number;
  /** That an item names at most. At least 1; all where there are no more. */
  maxObjectives: number;
}

/** Two responses to one prompt, and what they teach. */
export interface BuiltPair {
  /** Of its row: see `lineOf`. */
  line: number;
  prompt: string;
  /** Chosen and rejected, or two completions in the order of the file. */
  sides: readonly [PairSide, PairSide];
  edits: readonly NumberedEdit[];
}

export interface PairSide {
  response: string;
  /** In the objectives' order. */
  scores: readonly number[];
}

export interface NumberedEdit {
  /** Of its item: they are numbered through both lists. */
  id: number;
  edit: Edit;
  /** The side that is the edit's target. */
  towards: 0 | 1;
}

export interface BuiltDataset {
  kind: DataKind;
  objectives: readonly PreferenceObjective[];
  pairs: readonly BuiltPair[];
  /** By how many objectives their prompt names. */
  itemsByObjectives: Readonly<Record<Edit['relation'], Readonly<Record<number, number>>>>;
  /** Rows that are left out, and why. */
  leftOut: readonly { line: number; problem: string }[];
  /** Pairs with a completion that lacks a rating, and completions without a response; both of UltraFeedback. */
  unratedPairs: number;
  withoutResponse: number;
  /** Pairs on which neither side is better in anything: their only item is between equals. */
  tiedPairs: number;
  /** UltraFeedback's test set: instructions with their best completion. */
  tests: readonly (readonly [query: string, golden: string])[];
  /** Which items go into which file; an error where the settings leave nothing to train on. */
  lists: readonly ItemList[] | AlignError;
}

/**
 * Builds training items from rows in memory, as `dataset … build` does from files of any size.
 *
 * @param name  of the file, for messages
 * @throws AlignError `invalid-request` when the test set would be everything
 */
export function buildDataset(
  name: string,
  kind: DataKind,
  rows: readonly SourceRow[],
  settings: BuildSettings,
): BuiltDataset {
  const random = new SeededRandom(settings.seed);
  const counts = { pairs: [], leftOut: [], unratedPairs: 0, withoutResponse: 0, tests: [] };
  const read = kind === 'hh-rlhf' ? readPairs(rows, settings, random) : readInstructions(name, rows, settings, random);
  const built = { ...counts, ...read };
  const itemsByObjectives: Record<Edit['relation'], Record<number, number>> = { better: {}, equal: {} };
  const sizes = { better: 0, equal: 0 };
  for (const { edit } of built.pairs.flatMap(({ edits }) => edits)) {
    const byObjectives = itemsByObjectives[edit.relation];
    byObjectives[edit.objectives.length] = (byObjectives[edit.objectives.length] ?? 0) + 1;
    sizes[edit.relation] += 1;
  }
  const split = kind === 'hh-rlhf' ? settings.split : 'train';
  return {
    ...built,
    kind,
    objectives: DATA_OBJECTIVES[kind],
    itemsByObjectives,
    tiedPairs: built.pairs.filter(({ edits }) => edits.every(({ edit }) => edit.relation === 'equal')).length,
    lists: listsOrError(() => itemLists(split, sizes, settings.valSize, random)),
  };
}

type Read = Pick<BuiltDataset, 'pairs' | 'leftOut'> &
  Partial<Pick<BuiltDataset, 'unratedPairs' | 'withoutResponse' | 'tests'>>;

function readPairs(rows: readonly SourceRow[], { maxObjectives }: BuildSettings, random: SeededRandom): Read {
  const objectives = DATA_OBJECTIVES['hh-rlhf'];
  const pairs: BuiltPair[] = [];
  const leftOut: { line: number; problem: string }[] = [];
  const number = numberEdits();
  for (const row of rows) {
    const line = lineOf(row);
    const pair = readScoredPair(row, objectives);
    if ('problem' in pair) {
      leftOut.push({ line, problem: pair.problem });
      continue;
    }
    const { prompt, chosen, rejected, chosenScores, rejectedScores } = pair;
    const sides = [
      { response: chosen, scores: chosenScores },
      { response: rejected, scores: rejectedScores },
    ] as const;
    const edits = editsOfPair(pair, objectives, random, maxObjectives);
    pairs.push({ line, prompt, sides, edits: number(edits, sides, objectives) });
  }
  return { pairs, leftOut };
}

function readInstructions(
  name: string,
  rows: readonly SourceRow[],
  { maxObjectives, testSize }: BuildSettings,
  random: SeededRandom,
): Read {
  const objectives = DATA_OBJECTIVES.ultrafeedback;
  const trainingCount = trainingInstructions(name, rows.length, testSize);
  const pairs: BuiltPair[] = [];
  const leftOut: { line: number; problem: string }[] = [];
  const tests: [query: string, golden: string][] = [];
  let [unratedPairs, withoutResponse] = [0, 0];
  const number = numberEdits();
  for (const row of rows) {
    const line = lineOf(row);
    const instruction = row.problem === undefined ? readInstruction(row.cells, objectives) : { problem: row.problem };
    if ('problem' in instruction) {
      leftOut.push({ line, problem: instruction.problem });
      continue;
    }
    withoutResponse += instruction.withoutResponse;
    if (row.index >= trainingCount) {
      const golden = goldenResponse(instruction);
      if (golden === undefined) leftOut.push({ line, problem: 'It has no completion with a response.' });
      else tests.push([instruction.instruction, golden]);
      continue;
    }
    const found = editsOfInstruction(instruction, objectives, random, maxObjectives);
    unratedPairs += found.unratedPairs;
    for (const { first, second, edits } of found.compared) {
      const sides = [sideOf(first), sideOf(second)] as const;
      pairs.push({ line, prompt: instruction.instruction, sides, edits: number(edits, sides, objectives) });
    }
  }
  return { pairs, leftOut, unratedPairs, withoutResponse, tests };
}

/** Of a completion with all ratings. */
function sideOf({ response, ratings }: RatedCompletion): PairSide {
  return { response, scores: ratings.map((rating) => rating ?? NaN) };
}

/** Gives each edit the next id, and says which side it leads to. */
function numberEdits() {
  let nextId = 0;
  return (edits: readonly Edit[], sides: BuiltPair['sides'], objectives: readonly PreferenceObjective[]) =>
    edits.map((edit): NumberedEdit => {
      // Two responses may have one text: where one is better, the scores tell them apart.
      const index = objectives.findIndex(({ key }) => key === edit.objectives[0]?.key);
      const [one = NaN, other = NaN] = sides.map(({ scores }) => scores[index]);
      const isFirst = edit.relation === 'better' ? one > other : edit.target === sides[0].response;
      return { id: nextId++, edit, towards: isFirst ? 0 : 1 };
    });
}

function listsOrError(make: () => ItemList[]): ItemList[] | AlignError {
  try {
    return make();
  } catch (error) {
    if (error instanceof AlignError) return error;
    throw error;
  }
}

/** A file of a build. */
export interface DatasetFile {
  /** Below the folder: `no_equal/train.json`. */
  path: string;
  /** Items, or rows of a test set. */
  count: number;
  /** Its bytes as text, in pieces that are made when they are asked for. */
  pieces: () => Generator<string, void, void>;
}

/** What the command line would write for these settings, but the report and the data card. */
export function datasetFiles({ kind, pairs, lists, tests }: BuiltDataset, format: TextItemFormat): DatasetFile[] {
  if (lists instanceof AlignError) return [];
  const edits = pairs.flatMap((pair) => pair.edits);
  const files = lists.map(({ name, relation, order }): DatasetFile => {
    const ofRelation = edits.filter(({ edit }) => edit.relation === relation);
    return {
      path: `${name}.${ITEM_EXTENSIONS[format]}`,
      count: order.length,
      *pieces() {
        const { start, between, end, none } = ITEM_FRAMES[format];
        for (const [i, place] of order.entries()) {
          const { id, edit } = ofRelation[place]!;
          yield (i === 0 ? start : between) + formatItem(format, toTrainingItem(id, edit));
        }
        yield order.length === 0 ? none : end;
      },
    };
  });
  if (kind === 'hh-rlhf') return files;
  const test: DatasetFile = {
    path: 'no_equal/test.csv',
    count: tests.length,
    *pieces() {
      yield formatHeader('csv', TEST_COLUMNS);
      for (const row of tests) yield formatRow('csv', TEST_COLUMNS, row);
    },
  };
  return [...files, test];
}
