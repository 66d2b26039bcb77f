import type { AlignRequest } from '../../src/align/request.ts';
import type { Objective } from '../../src/align/objectives.ts';
import type { ColumnMap } from '../../src/batch/columns.ts';
import type { OnTooLong } from '../../src/batch/fit-context.ts';
import type { EditOutcome } from '../../src/batch/run-batch.ts';
import type { Selection } from '../../src/batch/select-rows.ts';
import type { RowFile } from './read-rows.ts';

/** One batch: one input file to one output file. */
export interface Job {
  input: RowFile;
  /** The contexts of the input's rows, row for row, where they are in a file of their own. */
  queries: QueryFile | undefined;
  output: RowFile;
  columns: ColumnMap;
  sets: readonly ObjectiveSet[];
  isLong: boolean;
  selection: Selection;
  /** What all rows share. */
  settings: Omit<AlignRequest, 'objectives' | 'context' | 'answer'>;
  onTooLong: OnTooLong;
  isRestarted: boolean;
  isRetryingFailed: boolean;
}

export interface QueryFile {
  file: RowFile;
  column: string;
}

/** Objectives of one prompt, in order. */
export interface ObjectiveSet {
  /** Goes into the column's name where there are several. */
  name: string;
  objectives: readonly Objective[];
}

/** What writes the edits. */
export interface Runner {
  /** What the edits depend on, for the journal. */
  identity: Record<string, unknown>;
  /** Shown and reported. */
  description: Record<string, unknown>;
  /** Of what runs here, by package. */
  versions: Record<string, string>;
  concurrency: number;
  /** @returns the request that fits, or undefined where the row is too long; absent when the length is not known */
  fit?: (request: AlignRequest) => { request: AlignRequest; droppedCharacters?: number } | undefined;
  run: (request: AlignRequest, signal: AbortSignal) => Promise<EditOutcome>;
  dispose: () => Promise<void>;
}
