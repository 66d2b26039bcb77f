import fc from 'fast-check';
import { expect, it } from 'vitest';

import { AlignError } from '../align/errors.ts';
import { exampleEntry } from './history-entry.fixture.ts';
import { matchesSearch, parseHistoryFile, writeHistoryFile } from './history-entry.ts';

it('reads the file that it writes, decisions included', () => {
  const entries = [
    exampleEntry({
      decisions: [
        [0, { type: 'rejected' }],
        [2, { type: 'reworded', text: 'warm' }],
      ],
    }),
    exampleEntry({ id: 'two', isPinned: true }),
  ];
  expect(parseHistoryFile(writeHistoryFile(entries))).toEqual({ entries, damaged: 0 });
});

it('keeps an edit’s scores, and the edit without them where they are damaged', () => {
  const score = { value: 4, spread: { low: 3, high: 5 }, replies: 2, invalid: 1 };
  const whole = { ...score, cutAtTokens: undefined, problem: undefined };
  const line = {
    objective: { key: 'humour', label: 'Humour' },
    scorer: { type: 'judge', name: 'strict', host: undefined, repeats: 3 } as const,
    original: whole,
    edit: whole,
    reviewed: undefined,
    comparison: undefined,
  };
  const entry = exampleEntry({ scores: { scoredAt: 5, reviewedText: 'so', scores: [line] } });
  expect(parseHistoryFile(writeHistoryFile([entry]))).toEqual({ entries: [entry], damaged: 0 });
  const damaged = JSON.parse(writeHistoryFile([entry])) as { entries: { scores: { scoredAt: unknown } }[] };
  damaged.entries[0]!.scores.scoredAt = 'yesterday';
  expect(parseHistoryFile(JSON.stringify(damaged))).toEqual({ entries: [exampleEntry()], damaged: 0 });
});

it('keeps what is whole and counts what is not', () => {
  const file = JSON.parse(writeHistoryFile([exampleEntry()])) as { entries: unknown[] };
  file.entries.push({ ...exampleEntry(), edit: 3 }, { ...exampleEntry(), createdAt: 1e300 }, null);
  expect(parseHistoryFile(JSON.stringify(file))).toEqual({ entries: [exampleEntry()], damaged: 3 });
});

it('refuses other files, and tells a newer release’s from a foreign one', () => {
  expect(() => parseHistoryFile('{')).toThrow('The file is no JSON');
  expect(() => parseHistoryFile('[]')).toThrow('no history');
  expect(() => parseHistoryFile('null')).toThrow('no history');
  const newer = writeHistoryFile([]).replace('"version": 1', '"version": 7');
  expect(() => parseHistoryFile(newer)).toThrow('The file is of version 7; this page reads up to 1.');
});

it('ends in a typed error, whatever the file holds', () => {
  fc.assert(
    fc.property(fc.anything(), (entry) => {
      const file = { format: 'metaaligner-history', version: 1, entries: [entry] };
      try {
        parseHistoryFile(JSON.stringify(file));
      } catch (error) {
        expect(error).toBeInstanceOf(AlignError);
      }
    }),
  );
});

it('finds an entry by words of its texts, objectives and model, in any order and case', () => {
  const entry = exampleEntry();
  for (const search of ['', 'KIND answer', 'plants', 'harmlessness rude', 'demo']) {
    expect(matchesSearch(entry, search), search).toBe(true);
  }
  expect(matchesSearch(entry, 'kind elephants')).toBe(false);
});
