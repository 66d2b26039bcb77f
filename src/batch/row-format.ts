import { AlignError } from '../align/errors.ts';

/** How rows lie in a file. CSV is RFC 4180; TSV the same with tabs; JSONL one object a line. */
export const ROW_FORMATS = ['csv', 'tsv', 'jsonl'] as const;
export type RowFormat = (typeof ROW_FORMATS)[number];

export const DELIMITERS = { csv: ',', tsv: '\t' } as const satisfies Partial<Record<RowFormat, string>>;

/** @returns the format that the name ends in, in any case, `.gz` after it aside; undefined for another ending */
export function rowFormatOf(path: string): RowFormat | undefined {
  const name = path.toLowerCase().replace(/\.gz$/, '');
  const ending = name.slice(name.lastIndexOf('.') + 1);
  return ROW_FORMATS.find((format) => format === ending);
}

/** One row of an input file. */
export interface SourceRow {
  /** From 0, the header not counted. */
  index: number;
  /** Of its line in a JSONL file, from 1. */
  line?: number;
  /** Cells by column. In JSONL a cell is whatever the object holds; elsewhere a string. */
  cells: Readonly<Record<string, unknown>>;
  /** Why the row cannot be used although its file can be read: too few cells, a line that is no JSON. */
  problem?: string;
}

/** How a person finds a row: its line in a JSONL file, its number elsewhere, from 1. */
export function lineOf({ line, index }: SourceRow): number {
  return line ?? index + 1;
}

/**
 * Names the cells of one delimited record. A record of the wrong length keeps what it has.
 *
 * @param header  column names; the first of two equal names wins
 */
export function nameCells(index: number, header: readonly string[], record: readonly string[]): SourceRow {
  const cells: Record<string, string> = Object.create(null) as Record<string, string>;
  header.forEach((name, i) => {
    if (!(name in cells)) cells[name] = record[i] ?? '';
  });
  if (record.length === header.length) return { index, cells };
  return { index, cells, problem: `It has ${record.length} cells and the header has ${header.length}.` };
}

/** Reads one line of JSONL; a line that is no object becomes a row with a problem. */
export function parseJsonLine(index: number, line: string): SourceRow {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return { index, cells: value as Record<string, unknown> };
    }
    return { index, cells: {}, problem: 'The line is JSON but no object.' };
  } catch (error) {
    return { index, cells: {}, problem: `The line is no JSON: ${(error as Error).message}.` };
  }
}

/**
 * One line of output, with its line feed. A cell with the delimiter, a quote, CR or LF is quoted and its quotes are
 * doubled; a backslash is an ordinary character. These are the bytes that Python's csv module writes (QUOTE_MINIMAL).
 */
export function formatRow(format: RowFormat, columns: readonly string[], cells: readonly string[]): string {
  if (columns.length !== cells.length) throw new Error('A row has not one cell per column; this is a bug.');
  if (format === 'jsonl') {
    return `${JSON.stringify(Object.fromEntries(columns.map((name, i) => [name, cells[i]])))}\n`;
  }
  const delimiter = DELIMITERS[format];
  // A lone empty cell would be a blank line, which readers skip.
  if (cells.length === 1 && cells[0] === '') return '""\n';
  return `${cells.map((cell) => formatCell(cell, delimiter)).join(delimiter)}\n`;
}

/** @returns the header line; '' for JSONL, which has none */
export function formatHeader(format: RowFormat, columns: readonly string[]): string {
  return format === 'jsonl' ? '' : formatRow(format, columns, columns);
}

function formatCell(cell: string, delimiter: string): string {
  const isPlain = !cell.includes(delimiter) && !/["\r\n]/.test(cell);
  return isPlain ? cell : `"${cell.replaceAll('"', '""')}"`;
}

/**
 * A cell as text: strings as they are, nothing (null, a missing key) as '', anything else as JSON.
 */
export function cellText(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? '' : JSON.stringify(value);
}

/** @throws AlignError `invalid-request` with the columns found when one is missing */
export function requireColumns(path: string, found: readonly string[], wanted: readonly string[]): void {
  const missing = wanted.filter((name) => !found.includes(name));
  if (missing.length === 0) return;
  throw new AlignError(
    'invalid-request',
    `${path} has no column ${missing.join(' and no column ')}. Its columns: ${found.join(', ') || 'none'}.`,
    { details: { missing, found } },
  );
}
