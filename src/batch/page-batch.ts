import type { Alignment } from '../align/alignment.ts';
import { scorerText } from '../align/export-review.ts';
import type { AlignRequest } from '../align/request.ts';
import { lineKey, type ObjectiveScore, type ScoreReport } from '../align/scores.ts';
import { type ColumnMap, readTexts } from './columns.ts';
import { formatHeader, formatRow, type RowFormat, type SourceRow } from './row-format.ts';
import type { BatchItem, ResultOf } from './run-batch.ts';

/** What a run in the page finds out of a row: enough to open it like any other edit. */
export type RowOutcome = Pick<Alignment, 'edit' | 'finishReason' | 'usage' | 'timings' | 'model'>;
/** @param scoredWith  what the scores came of: those of another plan are replaced */
export type RowState = ResultOf<RowOutcome & { scores?: ScoreReport; scoredWith?: string }>;

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

/** Columns of one objective by one scorer. */
export interface ScoredColumn {
  /** Of the objective and its scorer. */
  key: string;
  /** What the columns' names begin with. */
  name: string;
  label: string;
  hasComparison: boolean;
}

/** Which scores the rows have; empty where none is scored. */
export function scoredColumns(results: Iterable<RowState>): ScoredColumn[] {
  const columns = new Map<string, ScoredColumn>();
  const perObjective = new Map<string, number>();
  for (const state of results) {
    if (!('edit' in state) || state.scores === undefined) continue;
    for (const score of state.scores.scores) {
      const key = lineKey(score);
      if (columns.has(key)) continue;
      const { objective, comparison } = score;
      const number = (perObjective.get(objective.key) ?? 0) + 1;
      perObjective.set(objective.key, number);
      const name = `score_${objective.key}${number > 1 ? `_${number}` : ''}`;
      columns.set(key, { key, name, label: objective.label, hasComparison: comparison !== undefined });
    }
  }
  return [...columns.values()];
}

function columnNames({ name, hasComparison }: ScoredColumn): string[] {
  const numbers = [`${name}_original`, `${name}_edit`, `${name}_scorer`];
  return hasComparison ? [...numbers, `${name}_comparison`] : numbers;
}

export function exportHeader(format: BatchExport, scored: readonly ScoredColumn[] = []): string {
  if (format === 'markdown') return '# Aligned answers\n';
  return formatHeader(format, [...COLUMNS, ...scored.flatMap(columnNames)]);
}

/** One row as the command line writes it; a row that failed, or was not reached, has an empty edit. */
export function exportRow(
  format: BatchExport,
  row: SourceRow,
  columns: ColumnMap,
  settings: Pick<BatchSettings, 'template'>,
  state: RowState | undefined,
  scored: readonly ScoredColumn[] = [],
): string {
  const { query, answer, goldens } = readTexts(row, columns, settings.template);
  const edit = state !== undefined && 'edit' in state ? state.edit : '';
  const scores = state !== undefined && 'edit' in state ? (state.scores?.scores ?? []) : [];
  if (format !== 'markdown') {
    const names = [...COLUMNS, ...scored.flatMap(columnNames)];
    const cells = scored.flatMap((column) => scoreCells(column, scores));
    return formatRow(format satisfies RowFormat, names, [query, goldens, answer, edit, ...cells]);
  }
  const note = state !== undefined && 'error' in state ? fenced(state.error.message) : fenced(edit);
  return `\n## ${row.index + 1}\n\n${fenced(query)}\n\n**Answer**\n\n${fenced(answer)}\n\n**Edit**\n\n${note}\n${scoreList(scores)}`;
}

/** Numbers as they are; empty where there is none. */
function scoreCells(column: ScoredColumn, scores: readonly ObjectiveScore[]): string[] {
  const score = scores.find((one) => lineKey(one) === column.key);
  if (score === undefined) return columnNames(column).map(() => '');
  const { original, edit, scorer, comparison } = score;
  const numbers = [original, edit].map(({ value }) => (value === undefined ? '' : String(value)));
  const named = [...numbers, scorerText(scorer, { lowerIsBetter: 'lower is better' })];
  return column.hasComparison ? [...named, comparison?.edit.outcome ?? 'invalid'] : named;
}

function scoreList(scores: readonly ObjectiveScore[]): string {
  const number = (value: number | undefined) => (value === undefined ? '–' : String(Number(value.toPrecision(4))));
  const lines = scores.map(({ objective, original, edit, scorer }) => {
    const words = scorerText(scorer, { lowerIsBetter: 'lower is better' });
    return `- ${objective.label}: ${number(original.value)} → ${number(edit.value)} (${words})`.replace(/\s+/g, ' ');
  });
  return lines.length === 0 ? '' : `\n**Scores**\n\n${lines.join('\n')}\n`;
}

/** A text as it is: the fence is longer than any row of backticks in it. */
function fenced(text: string): string {
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map((ticks) => ticks.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}text\n${text}\n${fence}`;
}
