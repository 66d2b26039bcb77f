import { type CsvError, parse } from 'csv-parse/browser/esm/sync';
import { AlignError } from '../src/align/errors.ts';
import { DELIMITERS, nameCells, parseJsonLine, type RowFormat, type SourceRow } from '../src/batch/row-format.ts';

/** What a file holds: its columns, and its rows in order. */
export interface ParsedRows {
  /** The names in the header; for JSONL, the keys of the first object. */
  columns: string[];
  rows: SourceRow[];
}

/**
 * The rows of a whole file in memory, as the command line reads them one by one: UTF-8 with or without a byte order mark,
 * lines ending in LF, CRLF or CR, cells as they are.
 *
 * @throws AlignError `invalid-request` when the file is not UTF-8 or ends inside a quoted cell
 */
export function parseRows(bytes: Uint8Array, name: string, format: RowFormat): ParsedRows {
  const text = decode(bytes, name);
  if (format === 'jsonl') return parseJsonLines(text);
  const [header = [], ...records] = parseDelimited(text, name, DELIMITERS[format]);
  return { columns: header, rows: records.map((record, index) => nameCells(index, header, record)) };
}

function decode(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new AlignError('invalid-request', `${name} is not UTF-8 text.`, { cause });
  }
}

function parseDelimited(text: string, name: string, delimiter: string): string[][] {
  try {
    return parse(text, {
      delimiter,
      record_delimiter: ['\r\n', '\n', '\r'],
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
    });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && String(error.code).startsWith('CSV_'))) throw error;
    const { lines, message } = error as CsvError;
    throw new AlignError('invalid-request', `${name} is not CSV at line ${String(lines)}: ${message}.`, {
      cause: error,
    });
  }
}

function parseJsonLines(text: string): ParsedRows {
  const rows: SourceRow[] = [];
  text.split('\n').forEach((line, i) => {
    if (line.trim() !== '') rows.push({ ...parseJsonLine(rows.length, line), line: i + 1 });
  });
  const first = rows.find(({ problem }) => problem === undefined);
  return { columns: Object.keys(first?.cells ?? {}), rows };
}
