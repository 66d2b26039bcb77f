import { AlignError } from '../align/errors.ts';
import type { GenerateFinishReason } from '../align/engine.ts';

/**
 * What is known of a finished row under one objective set. A failed row is finished too: it is kept, with an empty
 * edit, and tried again only when asked.
 */
export type RowResult = RowEdit | RowFailure;

interface ResultKey {
  /** Index of the row in its input, from 0. */
  row: number;
  /** Index of the objective set. */
  set: number;
}

export interface RowEdit extends ResultKey {
  edit: string;
  finishReason: GenerateFinishReason;
  promptTokens: number;
  editTokens: number;
  /** Characters taken from the front of the context so that it fits. */
  droppedCharacters?: number;
}

export interface RowFailure extends ResultKey {
  error: { code: string; message: string };
}

/** What the edits depend on. Two runs with the same description may share a journal. */
export type JobDescription = Readonly<Record<string, unknown>>;

const FORMAT = 'metaaligner-batch-journal-1';

/** The first line of a journal. Each line is one JSON value and ends in a line feed: a line without it is torn. */
export function formatJournalHeader(job: JobDescription): string {
  return `${JSON.stringify({ format: FORMAT, job })}\n`;
}

export function formatResult(result: RowResult): string {
  return `${JSON.stringify(result)}\n`;
}

/**
 * Checks that a journal belongs to this job.
 *
 * @throws AlignError `invalid-request` that names what differs
 */
export function checkJournalHeader(line: string, job: JobDescription, path: string): void {
  const header = parseObject(line);
  if (header?.format !== FORMAT || typeof header.job !== 'object' || header.job === null) {
    throw new AlignError('invalid-request', `${path} is no journal of a batch run.`);
  }
  const before = header.job as JobDescription;
  const differs = [...new Set([...Object.keys(before), ...Object.keys(job)])].filter(
    (key) => JSON.stringify(before[key]) !== JSON.stringify(job[key]),
  );
  if (differs.length === 0) return;
  const list = differs.map((key) => `${key} (was ${shown(before[key])}, is ${shown(job[key])})`).join('; ');
  throw new AlignError(
    'invalid-request',
    `${path} belongs to a run with other settings: ${list}. Use the same settings to go on, --restart to start anew.`,
    { details: { differs } },
  );
}

/**
 * @param line  without its line feed
 * @throws AlignError `invalid-request`: the journal was edited or its disk is damaged
 */
export function parseResult(line: string, lineNumber: number, path: string): RowResult {
  const value = parseObject(line);
  if (value !== undefined && isKey(value.row) && isKey(value.set) && (isEdit(value) || isFailure(value))) {
    return value as unknown as RowResult;
  }
  throw new AlignError('invalid-request', `${path} is damaged at line ${lineNumber}.`, { details: { lineNumber } });
}

function isEdit(value: Record<string, unknown>): boolean {
  return (
    typeof value.edit === 'string' &&
    (value.finishReason === 'stop' || value.finishReason === 'length') &&
    isKey(value.promptTokens) &&
    isKey(value.editTokens)
  );
}

function isFailure({ error }: Record<string, unknown>): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { code, message } = error as Record<string, unknown>;
  return typeof code === 'string' && typeof message === 'string';
}

function isKey(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 120 ? `${text.slice(0, 119)}…` : text;
}
