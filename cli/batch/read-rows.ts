import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { type CsvError, parse } from 'csv-parse';
import { AlignError } from '../../src/align/errors.ts';
import { DELIMITERS, nameCells, parseJsonLine, type RowFormat, type SourceRow } from '../../src/batch/row-format.ts';
import { splitLines } from '../../src/batch/split-lines.ts';
import { atPath } from '../disk-fault.ts';

export interface RowFile {
  path: string;
  format: RowFormat;
}

/** Longer records are a quote that was never closed, which would otherwise take in the rest of the file. */
const MAX_RECORD_BYTES = 64 << 20;

/**
 * The rows of a file in order, in memory that does not grow with it; a name in .gz is unpacked. UTF-8, with or without a byte order mark; lines end
 * in LF, CRLF or CR; blank lines are no rows; cells are text as they are, `NA` and `None` too.
 *
 * @throws AlignError `invalid-request` when the file is not UTF-8 or ends inside a quoted cell
 */
export async function* readRows(file: RowFile): AsyncGenerator<SourceRow, void, void> {
  if (file.format === 'jsonl') {
    yield* readJsonLines(file.path);
    return;
  }
  let header: string[] | undefined;
  let index = 0;
  for await (const record of readRecords(file.path, DELIMITERS[file.format])) {
    if (header === undefined) header = record;
    else yield nameCells(index++, header, record);
  }
}

/**
 * Rows with one cell from another file, row for row, in a column `name` that they do not have.
 *
 * @throws AlignError `invalid-request` when one of the files has more rows
 */
export async function* readRowsBeside(
  file: RowFile,
  { file: other, column }: { file: RowFile; column: string },
  name: string,
): AsyncGenerator<SourceRow, void, void> {
  const others = readRows(other);
  let count = 0;
  try {
    for await (const row of readRows(file)) {
      const { done, value } = await others.next();
      if (done) throw ofOtherLength(file, other, count);
      count += 1;
      const cell = value.cells[column];
      const theirs = value.problem ?? (cell === undefined ? `There is no “${column}”.` : undefined);
      const problem = row.problem ?? (theirs === undefined ? undefined : `In ${other.path}: ${theirs}`);
      yield { ...row, cells: { ...row.cells, [name]: cell }, ...(problem !== undefined && { problem }) };
    }
    if (!(await others.next()).done) throw ofOtherLength(other, file, count);
  } finally {
    await others.return();
  }
}

function ofOtherLength(longer: RowFile, shorter: RowFile, count: number): AlignError {
  return new AlignError(
    'invalid-request',
    `${longer.path} has more rows than ${shorter.path}, which has ${count}: they do not belong together row for row.`,
    { details: { longer: longer.path, shorter: shorter.path } },
  );
}

/** @returns the names in the header; for JSONL, the keys of the first object; none for an empty file */
export async function readColumns(file: RowFile): Promise<string[]> {
  if (file.format === 'jsonl') {
    for await (const { cells, problem } of readJsonLines(file.path)) {
      if (problem === undefined) return Object.keys(cells);
    }
    return [];
  }
  for await (const record of readRecords(file.path, DELIMITERS[file.format])) return record;
  return [];
}

async function* readRecords(path: string, delimiter: string): AsyncGenerator<string[], void, void> {
  const source = Readable.from(decodeStrictly(path));
  const parser = parse({
    delimiter,
    // Longest first: one CRLF is one line end. All three, since a file may mix them.
    record_delimiter: ['\r\n', '\n', '\r'],
    relax_column_count: true,
    // A quote inside an unquoted cell is text, as for pandas.
    relax_quotes: true,
    skip_empty_lines: true,
    max_record_size: MAX_RECORD_BYTES,
  });
  source.on('error', (error) => parser.destroy(error));
  try {
    yield* source.pipe(parser) as AsyncIterable<string[]>;
  } catch (error) {
    if (error instanceof AlignError || !isCsvError(error)) throw error;
    throw new AlignError('invalid-request', `${path} is not CSV at line ${String(error.lines)}: ${error.message}.`, {
      cause: error,
    });
  } finally {
    source.destroy();
  }
}

function isCsvError(error: unknown): error is CsvError {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('CSV_');
}

async function* decodeStrictly(path: string): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let readBytes = 0;
  const decode = (bytes?: Uint8Array) => {
    try {
      return bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true });
    } catch (cause) {
      throw notUtf8(path, readBytes, cause);
    }
  };
  for await (const chunk of readFileBytes(path)) {
    const text = decode(chunk);
    readBytes += chunk.length;
    if (text !== '') yield text;
  }
  decode();
}

async function* readJsonLines(path: string): AsyncGenerator<SourceRow, void, void> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let index = 0;
  let number = 0;
  for await (const { bytes, offset } of splitLines(readFileBytes(path))) {
    number += 1;
    let line: string;
    try {
      line = decoder.decode(bytes);
    } catch (cause) {
      throw notUtf8(path, offset, cause);
    }
    if (line.trim() !== '') yield { ...parseJsonLine(index++, line), line: number };
  }
}

/** @throws AlignError `invalid-request` for a .gz file that is damaged or cut short */
async function* readFileBytes(path: string): AsyncGenerator<Buffer, void, void> {
  const source = createReadStream(path);
  if (!path.toLowerCase().endsWith('.gz')) {
    try {
      yield* source as AsyncIterable<Buffer>;
    } catch (error) {
      throw atPath(error, path);
    }
    return;
  }
  const plain = createGunzip();
  source.on('error', (error) => plain.destroy(error));
  try {
    yield* source.pipe(plain) as AsyncIterable<Buffer>;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && String(error.code).startsWith('Z_'))) throw atPath(error, path);
    throw new AlignError('invalid-request', `${path} is no gzip file, or damaged or cut short: ${error.message}.`, {
      cause: error,
      details: { path },
    });
  } finally {
    source.destroy();
  }
}

function notUtf8(path: string, afterBytes: number, cause: unknown): AlignError {
  return new AlignError('invalid-request', `${path} is not UTF-8 text (somewhere after byte ${afterBytes}).`, {
    cause,
  });
}
