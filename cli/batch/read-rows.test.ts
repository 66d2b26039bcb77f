import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { formatHeader, formatRow, type RowFormat, ROW_FORMATS } from '../../src/batch/row-format.ts';
import { readColumns, readRows } from './read-rows.ts';

// Every example is a file, written and read.
vi.setConfig({ testTimeout: 60_000 });

let directory: string;
let fileCount = 0;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'metaaligner-rows-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function read(format: RowFormat, content: string | Uint8Array) {
  const path = join(directory, `rows-${fileCount++}.${format}`);
  await writeFile(path, content);
  const rows: Record<string, unknown>[] = [];
  const problems: number[] = [];
  for await (const row of readRows({ path, format })) {
    if (row.problem !== undefined) problems.push(row.index);
    rows.push({ ...row.cells });
  }
  return { rows, problems, columns: await readColumns({ path, format }) };
}

/** Cells made of what breaks parsers, and of any characters. */
const cell = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc
    .array(fc.constantFrom('"', ',', '\t', '\n', '\r', '\r\n', '\\', ' ', 'None', 'NA', 'é', '🙂', '\u2028', '\uFEFF'))
    .map((parts) => parts.join('')),
);

describe('readRows', () => {
  it.each(ROW_FORMATS)('reads back what formatRow wrote, in %s', async (format) => {
    const columns = ['query', 'goldens', 'a,"b"\n'];
    const row = fc.array(cell, { minLength: 3, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 4 }), async (cells) => {
        const content = formatHeader(format, columns) + cells.map((line) => formatRow(format, columns, line)).join('');
        const { rows, problems } = await read(format, content);
        expect(problems).toEqual([]);
        expect(rows).toEqual(cells.map((line) => Object.fromEntries(columns.map((name, i) => [name, line[i]]))));
      }),
      { numRuns: 150 },
    );
  });

  it('keeps a single blank cell a row', async () => {
    const { rows } = await read('csv', formatHeader('csv', ['a']) + formatRow('csv', ['a'], ['']));
    expect(rows).toEqual([{ a: '' }]);
  });

  it('takes a byte order mark, CRLF, blank lines and no line end at the end', async () => {
    const { rows, columns } = await read('csv', '\uFEFFa,b\r\n1,"x\r\ny"\r\n\r\nNone,NA');
    expect(columns).toEqual(['a', 'b']);
    expect(rows).toEqual([
      { a: '1', b: 'x\r\ny' },
      { a: 'None', b: 'NA' },
    ]);
  });

  it('reads line ends and characters that fall on the border of two chunks', async () => {
    // Files are read 64 KiB at a time.
    for (let length = 65_526; length <= 65_538; length++) {
      const cells = ['x'.repeat(length), '"é\r\n🙂'];
      const { rows, problems } = await read(
        'csv',
        `a,b\r\n${formatRow('csv', ['a', 'b'], cells).trimEnd()}\r\n1,2\r\n`,
      );
      expect(problems).toEqual([]);
      expect(rows).toEqual([
        { a: cells[0], b: cells[1] },
        { a: '1', b: '2' },
      ]);
    }
  });

  it('tells rows of the wrong length and keeps what they have', async () => {
    const { rows, problems } = await read('csv', 'a,b\n1\n1,2\n1,2,3\n');
    expect(problems).toEqual([0, 2]);
    expect(rows[0]).toEqual({ a: '1', b: '' });
  });

  it('tells lines that are no JSON object, and keeps the others', async () => {
    const { rows, problems } = await read('jsonl', '{"a":1}\n{"a":\n\n[1]\n{"a":"x\u2028"}\r\n');
    expect(problems).toEqual([1, 2]);
    expect(rows[3]).toEqual({ a: 'x\u2028' });
  });

  it.each([
    ['an open quote', 'a,b\n1,"2\n', 'is not CSV at line'],
    ['bytes that are not UTF-8', new Uint8Array([0x61, 0x0a, 0xff, 0x0a]), 'is not UTF-8'],
    ['a character cut at the end', new Uint8Array([0x61, 0x0a, 0xc3]), 'is not UTF-8'],
  ])('refuses %s', async (_name, content, message) => {
    await expect(read('csv', content)).rejects.toThrow(message);
  });

  it('reads nothing from an empty file', async () => {
    expect(await read('csv', '')).toEqual({ rows: [], problems: [], columns: [] });
  });
});
