import {
  asyncBufferFromFile,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { AlignError } from '../../src/align/errors.ts';
import type { SourceRow } from '../../src/batch/row-format.ts';

/** @throws AlignError `invalid-request` for a file that is no Parquet or damaged; Node's error where it cannot be opened */
export async function readParquetColumns(path: string): Promise<string[]> {
  const { metadata } = await open(path);
  return parquetSchema(metadata).children.map(({ element }) => element.name);
}

/** The rows, a row group in memory at a time; lists, structs and numbers as JSON would have them. */
export async function* readParquetRows(path: string): AsyncGenerator<SourceRow, void, void> {
  const { file, metadata } = await open(path);
  let index = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = index + Number(group.num_rows);
    const rows = await orDamaged(path, () =>
      parquetReadObjects({ file, metadata, compressors, rowStart: index, rowEnd }),
    );
    for (const row of rows) yield { index: index++, cells: asJson(row) as Record<string, unknown> };
  }
}

async function open(
  path: string,
): Promise<{ file: Awaited<ReturnType<typeof asyncBufferFromFile>>; metadata: FileMetaData }> {
  const file = await asyncBufferFromFile(path);
  return { file, metadata: await orDamaged(path, () => parquetMetadataAsync(file)) };
}

async function orDamaged<Result>(path: string, read: () => Promise<Result>): Promise<Result> {
  try {
    return await read();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AlignError('invalid-request', `${path} is no Parquet file, or damaged or cut short: ${reason}.`, {
      cause,
      details: { path },
    });
  }
}

function asJson(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return Array.from(value as ArrayLike<unknown>, asJson);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, asJson(inner)]));
}
