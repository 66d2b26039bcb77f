import { expose } from 'comlink';
import type { RowFormat, SourceRow } from '../src/batch/row-format.ts';
import { parseRows } from './parse-rows.ts';
import { installErrorTransfer } from './protocol.ts';

/** Rows of one message: handed over at once, a hundred thousand would hold the page up. */
const ROWS_AT_ONCE = 1000;

/** Reads files of rows beside the page, which hundreds of megabytes would hold up. */
const api = {
  /** @returns the columns, after the last rows were handed over in order */
  async read(file: Blob, name: string, format: RowFormat, onRows: (rows: SourceRow[]) => Promise<void>) {
    const { columns, rows } = parseRows(new Uint8Array(await file.arrayBuffer()), name, format);
    for (let start = 0; start < rows.length; start += ROWS_AT_ONCE) {
      await onRows(rows.slice(start, start + ROWS_AT_ONCE));
    }
    return columns;
  },
};

export type RowsWorkerApi = typeof api;

installErrorTransfer();
expose(api);
