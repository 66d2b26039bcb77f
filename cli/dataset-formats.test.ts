import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parquetWriteFile } from 'hyparquet-writer';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startLocalHub } from '../e2e/local-hub.ts';
import { formatHeader, formatRow } from '../src/batch/row-format.ts';
import type { TrainingItem } from '../src/datasets/training-item.ts';
import { readParquetRows } from './dataset/parquet.ts';
import { runCli } from './run-cli.fixture.ts';

// Each test starts Node anew.
vi.setConfig({ testTimeout: 60_000 });

const ULTRAFEEDBACK = join(import.meta.dirname, 'fixtures/ultrafeedback.jsonl');

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'metaaligner-formats-'))));
afterEach(() => rm(folder, { recursive: true }));

async function run(...args: string[]): Promise<string> {
  const { code, stderr } = await runCli(['dataset', ...args]);
  expect(code, stderr).toBe(0);
  return stderr;
}

const read = (...path: string[]) => readFile(join(folder, ...path), 'utf8');

async function readLines<Row>(...path: string[]): Promise<Row[]> {
  return (await read(...path))
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Row);
}

interface Chat {
  id?: number;
  messages: { role: string; content: string }[];
}

async function parquetRows(...path: string[]): Promise<Chat[]> {
  const rows: Chat[] = [];
  for await (const { cells } of readParquetRows(join(folder, ...path))) rows.push(cells as unknown as Chat);
  return rows;
}

describe('the formats of items', () => {
  const build = (format: string) =>
    run(
      ...['ultrafeedback', 'build', '--input', ULTRAFEEDBACK, '--to', join(folder, format), '--format', format],
      ...['--val-size', '20', '--test-size', '5'],
    );

  it('hold the same items in the same order', async () => {
    for (const format of ['fastchat', 'jsonl', 'openai', 'parquet']) await build(format);
    for (const name of ['no_equal/train', 'no_equal/val', 'all_equal/train']) {
      const items = JSON.parse(await read('fastchat', `${name}.json`)) as TrainingItem[];
      expect(items.length).toBeGreaterThan(10);
      const chats = items.map(({ conversations: [prompt, target] }) => [
        { role: 'user', content: prompt.value },
        { role: 'assistant', content: target.value },
      ]);
      expect(await readLines('jsonl', `${name}.jsonl`)).toEqual(items);
      expect(await readLines('openai', `${name}.jsonl`)).toEqual(chats.map((messages) => ({ messages })));
      expect(await parquetRows('parquet', `${name}.parquet`)).toEqual(
        chats.map((messages, i) => ({ id: items[i]!.id, messages })),
      );
    }
  });

  it('come with a data card of what was built, which keeps what somebody wrote', async () => {
    await build('parquet');
    const card = await read('parquet', 'README.md');
    const items = await parquetRows('parquet', 'no_equal', 'train.parquet');
    expect(card).toContain('  - split: validation\n    path: no_equal/val.parquet\n');
    expect(card).toContain(`| no_equal/train.parquet | ${items.length} |`);
    expect(card).toContain('| honesty | Honesty: the response should not tell lies | 0 |');
    expect(card).toContain('seed 0');
    await writeFile(join(folder, 'parquet', 'README.md'), 'mine');
    await build('parquet');
    expect(await read('parquet', 'README.md')).toBe('mine');
  });
});

describe('Parquet', () => {
  const dialogues = Array.from({ length: 2500 }, (_, i) => `\n\nHuman: ${i} é 😀\n\nAssistant: answer ${i}`);

  it.each(['SNAPPY', 'UNCOMPRESSED'] as const)('is split like JSONL, %s', async (codec) => {
    const rejected = dialogues.map((text) => `${text}, worse`);
    const path = join(folder, 'pairs.parquet');
    parquetWriteFile({
      filename: path,
      columnData: [
        { name: 'chosen', data: dialogues, type: 'STRING' },
        { name: 'rejected', data: rejected, type: 'STRING' },
      ],
      codec,
      rowGroupSize: 1000,
    });
    const lines = dialogues.map((chosen, i) => JSON.stringify({ chosen, rejected: rejected[i] }));
    await writeFile(join(folder, 'pairs.jsonl'), lines.join('\n'));
    for (const name of ['parquet', 'jsonl']) {
      const said = await run(
        ...['hh-rlhf', 'split', '--input', join(folder, `pairs.${name}`), '--to', join(folder, `${name}.csv`)],
      );
      expect(said).toContain('2500 written');
    }
    expect(await read('parquet.csv')).toBe(await read('jsonl.csv'));
  });

  it('is refused when it is cut short, or is something else', async () => {
    const path = join(folder, 'pairs.parquet');
    const columnData = ['chosen', 'rejected'].map((name) => ({ name, data: dialogues, type: 'STRING' as const }));
    parquetWriteFile({ filename: path, columnData });
    const whole = await readFile(path);
    for (const bytes of [
      whole.subarray(0, whole.length / 2),
      whole.subarray(1),
      Buffer.from('PAR1'),
      Buffer.alloc(0),
    ]) {
      await writeFile(path, bytes);
      const { code, stderr } = await runCli([
        ...['dataset', 'hh-rlhf', 'split', '--input', path, '--to', join(folder, 'x.csv')],
      ]);
      expect(code).toBe(1);
      expect(stderr).toContain('is no Parquet file, or damaged or cut short');
    }
  });
});

it('takes a file of the hub by its address', async () => {
  const content = new TextEncoder().encode(
    JSON.stringify({ chosen: '\n\nAssistant: a', rejected: '\n\nAssistant: b' }),
  );
  const hub = await startLocalHub({
    repositories: { 'datasets/Anthropic/hh-rlhf': { files: { 'x.jsonl': content } } },
  });
  try {
    const said = await run(
      ...['hh-rlhf', 'split', '--input', 'hf://datasets/Anthropic/hh-rlhf/x.jsonl', '--to', join(folder, 'x.csv')],
      ...['--hub', hub.endpoint, '--downloads', join(folder, 'downloads')],
    );
    expect(said).toContain('1 written');
  } finally {
    await hub.close();
  }
});

describe('objectives of a build', () => {
  const COLUMNS = ['prompt', 'chosen_response', 'rejected_response', 'c1', 'r1', 'c2', 'r2', 'c3', 'r3'];
  const objectives = [1, 2, 3].map((i) => ({
    name: `o${i}`,
    description: `O${i}: it should`,
    chosen: `c${i}`,
    rejected: `r${i}`,
    threshold: 0.5,
  }));

  async function aspectsOf(...args: string[]): Promise<Record<string, string[][]>> {
    const scored = join(folder, 'scored.csv');
    const rows = Array.from({ length: 40 }, (_, i) => [`p${i}`, 'c', 'r', '1', '0', '0.5', '0', '2', '0']);
    await writeFile(scored, formatHeader('csv', COLUMNS) + rows.map((row) => formatRow('csv', COLUMNS, row)).join(''));
    await writeFile(join(folder, 'objectives.json'), JSON.stringify(objectives));
    await run(
      ...['hh-rlhf', 'build', '--scored', scored, '--to', folder, '--split', 'test', ...args],
      ...['--objectives', join(folder, 'objectives.json')],
    );
    const found: Record<string, string[][]> = {};
    for (const path of ['no_equal/test', 'all_equal/val']) {
      const items = JSON.parse(await read(`${path}.json`)) as TrainingItem[];
      found[path] = items.map(({ conversations: [prompt] }) =>
        [...prompt.value.matchAll(/O(\d): it should/g)].map(([, number]) => number!),
      );
    }
    return found;
  }

  it('are the user’s, better beyond their threshold', async () => {
    const found = await aspectsOf();
    expect(found['no_equal/test']!.map((numbers) => [...numbers].sort())).toEqual(Array(40).fill(['1', '3']));
    expect(found['all_equal/val']).toEqual(Array(40).fill(['2']));
  });

  it('are fewer where fewer are wanted, another subset from item to item', async () => {
    const found = (await aspectsOf('--max-objectives', '1'))['no_equal/test']!;
    expect(new Set(found.map((numbers) => numbers.join()))).toEqual(new Set(['1', '3']));
    expect((await aspectsOf('--only', 'o3,o2'))['no_equal/test']).toEqual(Array(40).fill(['3']));
  });

  it.each([
    ['[]', 'no list of objectives'],
    ['[{"name":"wit"}]', 'needs a description'],
    ['[{"name":"humour"},{"name":"humor"}]', 'twice'],
    ['[{"name":"humour","threshold":-1}]', 'threshold must be'],
    ['[{"name":"humour","weight":1}]', 'no field “weight”'],
    ['[{"name":"humour","score":{"model":"a/b","server":"http://x/y"}}]', 'one of model, server and columns'],
    ['[{', 'is not JSON'],
  ])('are refused as %s', async (text, said) => {
    const path = join(folder, 'objectives.json');
    await writeFile(path, text);
    const { code, stderr } = await runCli([
      ...['dataset', 'ultrafeedback', 'build', '--input', ULTRAFEEDBACK, '--to', folder, '--objectives', path],
    ]);
    expect(code).toBe(2);
    expect(stderr).toContain(said);
  });
});
