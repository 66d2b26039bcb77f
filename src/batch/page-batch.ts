import type { Alignment } from '../align/alignment.ts';
import type { AlignRequest } from '../align/request.ts';
import { type ColumnMap, readTexts } from './columns.ts';
import { formatHeader, formatRow, type RowFormat, type SourceRow } from './row-format.ts';
import type { BatchItem, ResultOf } from './run-batch.ts';

/** What a run in the page finds out of a row: enough to open it like any other edit. */
export type RowOutcome = Pick<Alignment, 'edit' | 'finishReason' | 'usage' | 'timings' | 'model'>;
export type RowState = ResultOf<RowOutcome>;

/** Everything of a request but its texts: it is the same for every row. */
export type BatchSettings = Omit<AlignRequest, 'context' | 'answer'>;

/** A row as a request. */
export function rowRequest(row: SourceRow, columns: ColumnMap, settings: BatchSettings): AlignRequest {
  const { query, answer } = readTexts(row, columns, settings.template);
  return { ...settings, context: query, answer };
}

/** What to do for a row: a request, or why there is none. */
export function rowWork(row: SourceRow, columns: ColumnMap, settings: BatchSettings): BatchItem<AlignRequest>['work'] {
  if (row.problem !== undefined) return { error: { code: 'bad-row', message: row.problem } };
  const request = rowRequest(row, columns, settings);
  return request.answer.trim() === ''
    ? { error: { code: 'blank-answer', message: 'The answer is blank; there is nothing to edit.' } }
    : request;
}

/** The formats of a finished batch: the reference's four columns, or text to read. */
export const BATCH_EXPORTS = ['csv', 'jsonl', 'markdown'] as const;
export type BatchExport = (typeof BATCH_EXPORTS)[number];

const COLUMNS = ['query', 'goldens', 'origin_responses', 'aligned_responses'];

export function exportHeader(format: BatchExport): string {
  return format === 'markdown' ? '# Aligned answers\n' : formatHeader(format, COLUMNS);
}

/** One row as the command line writes it; a row that failed, or was not reached, has an empty edit. */
export function exportRow(
  format: BatchExport,
  row: SourceRow,
  columns: ColumnMap,
  settings: Pick<BatchSettings, 'template'>,
  state: RowState | undefined,
): string {
  const { query, answer, goldens } = readTexts(row, columns, settings.template);
  const edit = state !== undefined && 'edit' in state ? state.edit : '';
  if (format !== 'markdown') return formatRow(format satisfies RowFormat, COLUMNS, [query, goldens, answer, edit]);
  const note = state !== undefined && 'error' in state ? fenced(state.error.message) : fenced(edit);
  return `\n## ${row.index + 1}\n\n${fenced(query)}\n\n**Answer**\n\n${fenced(answer)}\n\n**Edit**\n\n${note}\n`;
}

/** A text as it is: the fence is longer than any row of backticks in it. */
function fenced(text: string): string {
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map((ticks) => ticks.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}text\n${text}\n${fence}`;
}
