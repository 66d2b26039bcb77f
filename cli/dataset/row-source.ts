import type { SourceRow } from '../../src/batch/row-format.ts';
import { rowFormatOf } from '../../src/batch/row-format.ts';
import { AlignError } from '../../src/align/errors.ts';
import { readColumns, readRows } from '../batch/read-rows.ts';
import { UsageError } from '../usage-error.ts';

/** The rows of a data file, which can be read more than once. */
export interface RowSource {
  path: string;
  /** In the header, or the keys of the first object. */
  columns: readonly string[];
  /** In order, in memory that does not grow with the file. */
  rows: () => AsyncIterable<SourceRow>;
}

/**
 * Opens a data file by its name's ending.
 *
 * @throws UsageError for a file that is not there or whose ending is not known; AlignError `invalid-request` for one that is
 *   damaged
 */
export async function openRowSource(path: string): Promise<RowSource> {
  const isParquet = path.toLowerCase().endsWith('.parquet');
  const format = rowFormatOf(path);
  if (format === undefined && !isParquet) {
    throw new UsageError(`${path} is not named .jsonl, .csv or .tsv (.gz may follow), or .parquet.`);
  }
  try {
    if (format === undefined) {
      const { readParquetColumns, readParquetRows } = await import('./parquet.ts');
      return { path, columns: await readParquetColumns(path), rows: () => readParquetRows(path) };
    }
    const file = { path, format };
    return { path, columns: await readColumns(file), rows: () => readRows(file) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new UsageError(`The file ${path} does not exist.`);
  }
}

/** @throws AlignError `invalid-request` with what there is when a column is missing */
export function requireColumns({ path, columns }: RowSource, wanted: readonly string[]): void {
  const lacking = wanted.filter((column) => !columns.includes(column));
  if (lacking.length === 0) return;
  throw new AlignError(
    'invalid-request',
    `${path} lacks ${lacking.join(', ')}; it has ${columns.join(', ') || 'none'}.`,
    { details: { path, lacking, columns } },
  );
}

export async function countRows(source: RowSource): Promise<number> {
  let count = 0;
  for await (const _ of source.rows()) count += 1;
  return count;
}
