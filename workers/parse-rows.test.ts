import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readColumns, readRows } from '../cli/batch/read-rows.ts';
import type { RowFormat, SourceRow } from '../src/batch/row-format.ts';
import { parseRows } from './parse-rows.ts';

const DATA = process.env.METAALIGNER_DATA ?? join(import.meta.dirname, '../../shared/data');

async function readByCli(path: string, format: RowFormat) {
  const rows: SourceRow[] = [];
  for await (const row of readRows({ path, format })) rows.push(row);
  return { columns: await readColumns({ path, format }), rows };
}

it('reads what the command line reads, whatever the cells hold', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rows-'));
  const cell = fc.constantFrom('a', '', 'NA', '"q"', '"a\nb"', '"x, y"', 'é', '\\', '"\r\n"', '\u2028');
  const line = fc.array(cell, { minLength: 1, maxLength: 4 }).map((cells) => cells.join(','));
  const text = fc
    .tuple(fc.constantFrom('', '\uFEFF'), fc.array(line, { maxLength: 6 }), fc.constantFrom('\n', '\r\n', '\r'))
    .map(([mark, lines, end]) => mark + lines.join(end));
  await fc.assert(
    fc.asyncProperty(text, async (content) => {
      const path = join(folder, 'rows.csv');
      await writeFile(path, content);
      expect(parseRows(readFileSync(path), path, 'csv')).toEqual(await readByCli(path, 'csv'));
    }),
    { numRuns: 60 },
  );
  await writeFile(join(folder, 'rows.jsonl'), '{"a":1}\r\n\nno\n{"b":"x\u2028y"}');
  const path = join(folder, 'rows.jsonl');
  expect(parseRows(readFileSync(path), path, 'jsonl')).toEqual(await readByCli(path, 'jsonl'));
  await rm(folder, { recursive: true });
});

it('reads the real files as the command line does', async ({ skip }) => {
  const folder = join(DATA, 'hh-rlhf');
  if (!existsSync(folder)) skip(`no data at ${DATA}`);
  const files = readdirSync(folder).filter((file) => file.endsWith('.csv'));
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) {
    const path = join(folder, file);
    expect(parseRows(readFileSync(path), file, 'csv')).toEqual(await readByCli(path, 'csv'));
  }
});

it('says what is wrong with a file that it cannot read', () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  expect(() => parseRows(bytes('a,b\n"open,1\n'), 'x.csv', 'csv')).toThrow(/^x\.csv is not CSV at line \d+: /);
  expect(() => parseRows(Uint8Array.of(0x61, 0xff), 'x.csv', 'csv')).toThrow('x.csv is not UTF-8 text.');
});
