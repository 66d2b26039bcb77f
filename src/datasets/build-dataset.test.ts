import { describe, expect, it } from 'vitest';
import { AlignError } from '../align/errors.ts';
import type { SourceRow } from '../batch/row-format.ts';
import { buildDataset, type BuildSettings, datasetFiles, dataKindOf } from './build-dataset.ts';
import type { TrainingItem } from './training-item.ts';

const SETTINGS: BuildSettings = { seed: 7, split: 'train', valSize: 1, testSize: 0, maxObjectives: Infinity };

function scoredRow(index: number, chosenScores: readonly string[], rejectedScores: readonly string[]): SourceRow {
  const scores = [
    ...chosenScores.map((score, i) => [`chosen_score${i + 1}`, score] as const),
    ...rejectedScores.map((score, i) => [`rejected_score${i + 1}`, score] as const),
  ];
  const texts = { prompt: `p${index} \n\nAssistant:`, chosen_response: `c${index}`, rejected_response: `r${index}` };
  return { index, cells: { ...texts, ...(Object.fromEntries(scores) as Record<string, string>) } };
}

/** Chosen is better in harmlessness, rejected in helpfulness; equal in humour. */
const ROWS = [
  scoredRow(0, ['1', '0', '0.5'], ['0', '1', '0.5']),
  scoredRow(1, ['1', '', '0'], ['0', '0', '0']),
  scoredRow(2, ['2', '3', '0'], ['0', '1', '0']),
  { ...scoredRow(3, ['1', '1', '1'], ['0', '0', '0']), problem: 'It has 2 cells and the header has 9.' },
];

function rated(...completions: [response: string, ...ratings: string[]][]): Record<string, unknown> {
  const names = ['instruction_following', 'honesty', 'truthfulness', 'helpfulness'];
  return {
    instruction: 'Why?',
    completions: completions.map(([response, ...ratings]) => ({
      response,
      annotations: Object.fromEntries(names.map((name, i) => [name, { Rating: ratings[i] }])),
    })),
  };
}

describe('scored pairs', () => {
  it('shows what each direction teaches, and leaves out rows with their line and why', () => {
    const { pairs, leftOut, itemsByObjectives } = buildDataset('x.csv', 'hh-rlhf', ROWS, SETTINGS);
    expect(leftOut).toEqual([
      { line: 2, problem: 'A score is no number.' },
      { line: 4, problem: 'It has 2 cells and the header has 9.' },
    ]);
    const taught = pairs[0]!.edits.map(({ id, towards, edit }) => [
      ...[id, towards, edit.relation, edit.answer, edit.target],
      ...edit.objectives.map(({ key }) => key),
    ]);
    expect(taught).toEqual([
      [0, 0, 'better', 'r0', 'c0', 'harmlessness'],
      [1, 1, 'better', 'c0', 'r0', 'helpfulness'],
      [2, 0, 'equal', 'r0', 'c0', 'humour'],
    ]);
    expect(pairs[1]!.line).toBe(3);
    expect(itemsByObjectives).toEqual({ better: { 1: 2, 2: 1 }, equal: { 1: 2 } });
  });

  it('names at most so many objectives', () => {
    const { pairs } = buildDataset('x.csv', 'hh-rlhf', ROWS, { ...SETTINGS, maxObjectives: 1 });
    expect(pairs[1]!.edits[0]!.edit.objectives).toHaveLength(1);
  });

  it('tells directions apart where both responses are one text', () => {
    const { cells } = ROWS[0]!;
    const row = { index: 0, cells: { ...cells, rejected_response: 'c0' } };
    const { pairs } = buildDataset('x.csv', 'hh-rlhf', [row], { ...SETTINGS, valSize: 0 });
    expect(pairs[0]!.edits.map(({ towards }) => towards)).toEqual([0, 1, 0]);
  });

  it('puts every item into one file, in each format, and makes other bytes only for another seed', () => {
    const files = (seed: number, format: 'fastchat' | 'jsonl' | 'openai') =>
      datasetFiles(buildDataset('x.csv', 'hh-rlhf', ROWS, { ...SETTINGS, seed }), format).map(
        ({ path, count, pieces }) => ({ path, count, text: [...pieces()].join('') }),
      );
    const fastchat = files(7, 'fastchat');
    expect(fastchat.map(({ path, count }) => [path, count])).toEqual([
      ['no_equal/val.json', 1],
      ['no_equal/train.json', 2],
      ['all_equal/train.json', 2],
    ]);
    const items = fastchat.flatMap(({ text }) => JSON.parse(text) as TrainingItem[]);
    expect(items.map(({ id }) => id).sort()).toEqual([0, 1, 2, 3, 4]);
    const lines = files(7, 'jsonl').map(({ text }) => text.trimEnd().split('\n'));
    expect(lines.flat().map((line) => JSON.parse(line) as TrainingItem)).toEqual(items);
    const [openai] = files(7, 'openai');
    const [prompt, target] = items[0]!.conversations;
    expect(openai!.text).toBe(
      `${JSON.stringify({
        messages: [
          { role: 'user', content: prompt.value },
          { role: 'assistant', content: target.value },
        ],
      })}\n`,
    );
    expect(files(7, 'fastchat')).toEqual(fastchat);
    expect([1, 2, 3, 4].some((seed) => files(seed, 'fastchat')[1]!.text !== fastchat[1]!.text)).toBe(true);
  });

  it('writes an empty list where a file has no item, and the test split’s names', () => {
    const built = buildDataset('x.csv', 'hh-rlhf', [scoredRow(0, ['1', '1', '1'], ['0', '0', '0'])], {
      ...SETTINGS,
      split: 'test',
    });
    const files = datasetFiles(built, 'fastchat');
    expect(files.map(({ path, pieces }) => [path, [...pieces()].join('').length > 3])).toEqual([
      ['no_equal/test.json', true],
      ['all_equal/val.json', false],
    ]);
    expect([...files[1]!.pieces()].join('')).toBe('[]\n');
  });

  it('says with numbers when nothing is left to train on, and still shows the pairs', () => {
    const built = buildDataset('x.csv', 'hh-rlhf', ROWS, { ...SETTINGS, valSize: 3 });
    expect(built.pairs).toHaveLength(2);
    expect(built.lists).toBeInstanceOf(AlignError);
    expect((built.lists as AlignError).message).toMatch(/There are 3 items and 3 are kept for validation/);
    expect(datasetFiles(built, 'fastchat')).toEqual([]);
  });
});

describe('rated instructions', () => {
  const rows = [
    rated(['a', '5', '5', '5', '1'], ['b', '1', '5', '1', '5'], ['c', '1', 'N/A', '1', '1'], ['', '1', '1', '1', '1']),
    rated(['d', '3', '3', '3', '3'], ['e', '3', '3', '3', '3']),
    rated(['f', '1', '1', '1', '1'], ['g', '2', '2', '2', '2']),
  ].map((cells, index): SourceRow => ({ index, line: index + 1, cells }));

  it('counts what is unrated, tied and without a response, and keeps the last for the test set', () => {
    const built = buildDataset('x.jsonl', 'ultrafeedback', rows, { ...SETTINGS, valSize: 0, testSize: 1 });
    expect(built).toMatchObject({ unratedPairs: 2, tiedPairs: 1, withoutResponse: 1, tests: [['Why?', 'g']] });
    expect(built.pairs.map(({ line, sides }) => [line, ...sides.map(({ response }) => response)])).toEqual([
      [1, 'a', 'b'],
      [2, 'd', 'e'],
    ]);
    const [better] = built.pairs[0]!.edits;
    expect(better!.towards).toBe(0);
    expect(better!.edit.objectives.map(({ key }) => key).sort()).toEqual(['instruction_following', 'truthfulness']);
    const test = datasetFiles(built, 'jsonl').at(-1)!;
    expect([test.path, ...test.pieces()]).toEqual(['no_equal/test.csv', 'query,golden_response\n', 'Why?,g\n']);
  });

  it('refuses a test set that is everything', () => {
    expect(() => buildDataset('x.jsonl', 'ultrafeedback', rows, { ...SETTINGS, testSize: 3 })).toThrow(
      'x.jsonl has 3 instructions and the last 3 are the test set',
    );
  });
});

it('knows the kind of a file by its columns, and names those that are missing', () => {
  expect(dataKindOf('x.jsonl', ['source', 'instruction', 'completions'])).toBe('ultrafeedback');
  expect(dataKindOf('x.csv', Object.keys(ROWS[0]!.cells))).toBe('hh-rlhf');
  expect(() => dataKindOf('x.csv', ['prompt', 'chosen_response', 'chosen'])).toThrow(
    /x\.csv has no column rejected_response and no column chosen_score1.*Its columns: prompt, chosen_response, chosen\./,
  );
});
