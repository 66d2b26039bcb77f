import { proxy, wrap } from 'comlink';

import type { RowFormat, SourceRow } from '../batch/row-format.ts';
import { installErrorTransfer } from '../../workers/protocol.ts';
import type { RowsWorkerApi } from '../../workers/rows.worker.ts';

export interface RowsClient {
  /**
   * The rows of a file, read beside the page.
   *
   * @throws AlignError `invalid-request` when the file cannot be read as rows
   */
  read: (file: Blob, name: string, format: RowFormat) => Promise<{ columns: string[]; rows: SourceRow[] }>;
}

/** The worker lives as long as one file is read: what it took is free again after. */
export function createRowsClient(): RowsClient {
  installErrorTransfer();
  return {
    async read(file, name, format) {
      const worker = new Worker(new URL('../../workers/rows.worker.ts', import.meta.url), { type: 'module' });
      const failed = new Promise<never>((_, reject) => {
        worker.addEventListener('error', ({ message }) => {
          reject(new Error(`The worker that reads files stopped${message ? `: ${message}` : ''}.`));
        });
      });
      try {
        const rows: SourceRow[] = [];
        const onRows = proxy(async (more: SourceRow[]) => void rows.push(...more));
        const columns = await Promise.race([wrap<RowsWorkerApi>(worker).read(file, name, format, onRows), failed]);
        return { columns, rows };
      } finally {
        worker.terminate();
      }
    },
  };
}
