import type { StateCreator } from 'zustand/vanilla';

import { AlignError, type AlignErrorData } from '../align/errors.ts';
import { rowFormatOf, type SourceRow } from '../batch/row-format.ts';
import { type BuildSettings, type DataKind, dataKindOf } from '../datasets/build-dataset.ts';
import type { AppDependencies, AppState } from './app-store.ts';
import { toErrorData } from './error-data.ts';

/** A file of preference data. It outlives the view, not the page. */
export type Data =
  | { status: 'none' }
  | { status: 'reading'; fileName: string }
  | { status: 'ready'; fileName: string; kind: DataKind; rows: readonly SourceRow[] }
  | { status: 'failed'; fileName: string; error: AlignErrorData };

export interface DataSlice {
  data: Data;
  dataSettings: BuildSettings;
  /** Puts a file in the place of the one before. */
  openData: (file: File) => Promise<void>;
  changeDataSettings: (changes: Partial<BuildSettings>) => void;
  closeData: () => void;
}

/** Larger files are the command line's: the page builds all items anew with each change of a setting. */
const MAX_FILE_BYTES = 50_000_000;

/** A small file: unlike the command line's, nothing is held out unless it is asked for. */
const SETTINGS: BuildSettings = { seed: 0, split: 'train', valSize: 0, testSize: 0, maxObjectives: Infinity };

export function createDataSlice({ rows: rowsClient }: AppDependencies): StateCreator<AppState, [], [], DataSlice> {
  return (set) => {
    /** Of the file that was chosen last: an earlier one that is still being read is forgotten. */
    let latest: File | undefined;
    return {
      data: { status: 'none' },
      dataSettings: SETTINGS,

      async openData(file) {
        latest = file;
        const fileName = file.name;
        const show = (data: Data) => latest === file && set({ data });
        show({ status: 'reading', fileName });
        try {
          const format = rowFormatOf(fileName);
          if (format === undefined || fileName.toLowerCase().endsWith('.gz')) {
            throw new AlignError('invalid-request', `${fileName} is no .csv, .tsv or .jsonl file.`);
          }
          if (file.size > MAX_FILE_BYTES) {
            throw new AlignError(
              'invalid-request',
              `${fileName} has ${file.size} bytes; this view reads up to ${MAX_FILE_BYTES}. The command line’s “dataset” builds from files of any size.`,
            );
          }
          const { columns, rows } = await rowsClient.read(file, fileName, format);
          if (rows.length === 0) throw new AlignError('invalid-request', `${fileName} has no rows.`);
          show({ status: 'ready', fileName, kind: dataKindOf(fileName, columns), rows });
        } catch (error) {
          show({ status: 'failed', fileName, error: toErrorData(error) });
        }
      },

      changeDataSettings: (changes) => set(({ dataSettings }) => ({ dataSettings: { ...dataSettings, ...changes } })),

      closeData() {
        latest = undefined;
        set({ data: { status: 'none' } });
      },
    };
  };
}
