import { expect, it } from 'vitest';

import type { SourceRow } from '../batch/row-format.ts';
import type { RowsClient } from '../worker-client/rows-client.ts';
import { createAppStore } from './app-store.ts';
import { fakeDependencies } from './fake-client.fixture.ts';

const COLUMNS = ['instruction', 'completions'];
const ROWS: SourceRow[] = [{ index: 0, line: 1, cells: { instruction: 'Why?', completions: [] } }];

function setUp(read: RowsClient['read'] = async () => ({ columns: COLUMNS, rows: ROWS })) {
  return createAppStore(fakeDependencies({ rows: { read } }));
}

it('reads a file, knows its kind, and forgets it when it is closed', async () => {
  const store = setUp();
  await store.getState().openData(new File(['x'], 'rated.jsonl'));
  expect(store.getState().data).toEqual({
    ...{ status: 'ready', fileName: 'rated.jsonl', kind: 'ultrafeedback', rows: ROWS },
  });
  store.getState().closeData();
  expect(store.getState().data).toEqual({ status: 'none' });
});

it.each([
  ['pairs.parquet', COLUMNS, ROWS, /^pairs\.parquet is no \.csv, \.tsv or \.jsonl file\.$/],
  ['pairs.csv.gz', COLUMNS, ROWS, /^pairs\.csv\.gz is no /],
  ['pairs.csv', COLUMNS, [], /^pairs\.csv has no rows\.$/],
  ['pairs.csv', ['prompt'], ROWS, /^pairs\.csv has no column chosen_response and .*Its columns: prompt\.$/],
])('explains why %s with columns %j cannot be used', async (name, columns, rows, message) => {
  const store = setUp(async () => ({ columns, rows: [...rows] }));
  await store.getState().openData(new File(['x'], name));
  expect(store.getState().data).toMatchObject({ status: 'failed', fileName: name });
  const { data } = store.getState();
  expect(data.status === 'failed' && data.error.message).toMatch(message);
});

it('refuses a file that is too large with both numbers', async () => {
  const store = setUp();
  const file = new File([], 'pairs.csv');
  Object.defineProperty(file, 'size', { value: 50_000_001 });
  await store.getState().openData(file);
  const { data } = store.getState();
  expect(data.status === 'failed' && data.error.message).toMatch(/50000001 bytes; this view reads up to 50000000/);
});

it('shows the file that was chosen last, though an earlier one is read later', async () => {
  const answers = new Map<string, () => void>();
  const store = setUp(
    (_, name) => new Promise((resolve) => answers.set(name, () => resolve({ columns: COLUMNS, rows: ROWS }))),
  );
  const reading = ['slow.jsonl', 'quick.jsonl'].map((name) => store.getState().openData(new File(['x'], name)));
  answers.get('quick.jsonl')!();
  answers.get('slow.jsonl')!();
  await Promise.all(reading);
  expect(store.getState().data).toMatchObject({ status: 'ready', fileName: 'quick.jsonl' });
});
