import { readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { AlignError } from '../../../src/align/errors.ts';
import { readColumns, readRows } from '../../batch/read-rows.ts';
import { UsageError } from '../../usage-error.ts';

/** The outputs of one data set: what a batch or an IMHI run writes. */
export interface OutputFile {
  /** The file's name without its ending. */
  dataset: string;
  path: string;
}

/** @returns the folder's CSV files by name, letter case aside @throws UsageError where there is none */
export async function listOutputs(directory: string): Promise<OutputFile[]> {
  const names = await readdir(directory).catch((cause: unknown) => {
    throw new UsageError(`The folder ${directory} cannot be read.`, { cause });
  });
  const files = names
    .filter((name) => name.toLowerCase().endsWith('.csv'))
    .map((name) => ({ dataset: basename(name).slice(0, -'.csv'.length), path: join(directory, name) }))
    .sort((one, other) => one.dataset.localeCompare(other.dataset, 'en', { sensitivity: 'base' }));
  if (files.length === 0) throw new UsageError(`${directory} has no CSV files (it has ${names.length} others).`);
  return files;
}

/** The outputs of one aligner: a file for each policy model. */
export interface AlignerOutputs {
  aligner: string;
  files: OutputFile[];
}

/**
 * @param folders  `DIR` or `NAME=DIR`; without a name the folder's
 * @throws UsageError where two have one name, and as {@link listOutputs}
 */
export async function listAligners(folders: readonly string[]): Promise<AlignerOutputs[]> {
  const aligners = new Map<string, AlignerOutputs>();
  for (const text of folders) {
    const { name, folder } = splitName(text);
    if (aligners.has(name)) {
      throw new UsageError(`Two folders of outputs are named “${name}”; tell them apart with --outputs NAME=DIR.`);
    }
    aligners.set(name, { aligner: name, files: await listOutputs(folder) });
  }
  return [...aligners.values()];
}

/** A name has no slash: `a=b/c` is the folder b/c named a, `./a=b` is a folder. */
export function splitName(text: string): { name: string; folder: string } {
  const [, name, folder] = /^([^/\\=]+)=(.+)$/s.exec(text) ?? [];
  if (name !== undefined && folder !== undefined) return { name: name.trim(), folder };
  return { name: basename(resolve(text)), folder: text };
}

/**
 * The cells of some columns, row by row.
 *
 * @throws AlignError `invalid-request` for a file without one of them, or with a row that has too few or too many cells
 */
export async function readCells<Column extends string>(
  path: string,
  columns: readonly Column[],
): Promise<Record<Column, string>[]> {
  const file = { path, format: 'csv' } as const;
  const found = await readColumns(file);
  const lacking = columns.filter((column) => !found.includes(column));
  if (lacking.length > 0) {
    throw new AlignError(
      'invalid-request',
      `${path} has no column ${lacking.join(', ')}; it has ${found.join(', ') || 'none'}.`,
      { details: { path, lacking, found } },
    );
  }
  const rows: Record<Column, string>[] = [];
  for await (const { index, cells, problem } of readRows(file)) {
    if (problem !== undefined) {
      throw new AlignError('invalid-request', `Row ${index + 1} of ${path} cannot be read: ${problem}`, {
        details: { path, row: index + 1 },
      });
    }
    rows.push(Object.fromEntries(columns.map((column) => [column, cells[column]])) as Record<Column, string>);
  }
  if (rows.length === 0) throw new AlignError('invalid-request', `${path} has no rows.`, { details: { path } });
  return rows;
}

/** Columns as wide as their widest cell; numbers, which is all but the first column, to the right. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ');
  return `${[header, ...rows].map((cells) => line(cells).trimEnd()).join('\n')}\n`;
}
