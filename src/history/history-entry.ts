import type { Alignment } from '../align/alignment.ts';
import { AlignError } from '../align/errors.ts';
import { parseAlignment } from '../align/parse-alignment.ts';
import type { Decision } from '../align/review.ts';
import { parseScoreReport, type ScoreReport } from '../align/scores.ts';

/** One run as it is kept: enough to open it again exactly as it was. */
export interface HistoryEntry extends Alignment {
  /** Random, so that two tabs and two machines never name two runs alike. */
  id: string;
  /** Milliseconds since 1970. */
  createdAt: number;
  /** Stays when older entries are cleared away. */
  isPinned: boolean;
  /** What was decided on the edit's changes, by index. */
  decisions: readonly (readonly [number, Decision])[];
  scores?: ScoreReport | undefined;
}

const FORMAT = 'metaaligner-history';
/** Raised when an older release could not read the file. */
const FORMAT_VERSION = 1;

/** What a Date can hold; a later one cannot be shown. */
const LAST_TIME_MS = 8.64e15;

/** The entries as a file's text. */
export function writeHistoryFile(entries: readonly HistoryEntry[]): string {
  return `${JSON.stringify({ format: FORMAT, version: FORMAT_VERSION, entries }, null, 1)}\n`;
}

/**
 * @returns the entries that are whole, and how many are not
 * @throws AlignError `invalid-request` if the text is no history file, or one of a newer release
 */
export function parseHistoryFile(text: string): { entries: HistoryEntry[]; damaged: number } {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch (cause) {
    throw new AlignError('invalid-request', `The file is no JSON: ${(cause as Error).message}.`, { cause });
  }
  const { format, version, entries } = (file ?? {}) as Record<string, unknown>;
  if (format !== FORMAT || typeof version !== 'number' || !Array.isArray(entries)) {
    throw new AlignError('invalid-request', 'The file is JSON, but no history that was exported here.');
  }
  if (version > FORMAT_VERSION) {
    throw new AlignError(
      'invalid-request',
      `The file is of version ${version}; this page reads up to ${FORMAT_VERSION}. Open it with a newer release of the page.`,
    );
  }
  const whole = entries.flatMap((entry) => {
    try {
      return [parseHistoryEntry(entry)];
    } catch (error) {
      if (error instanceof AlignError) return [];
      throw error;
    }
  });
  return { entries: whole, damaged: entries.length - whole.length };
}

/** @throws AlignError `invalid-request` that names the field */
export function parseHistoryEntry(value: unknown): HistoryEntry {
  const alignment = parseAlignment(value);
  const { id, createdAt, isPinned, decisions, scores } = value as Record<string, unknown>;
  if (typeof id !== 'string' || id === '' || id.length > 100) throw new AlignError('invalid-request', 'id is no name.');
  if (typeof createdAt !== 'number' || !(Math.abs(createdAt) <= LAST_TIME_MS)) {
    throw new AlignError('invalid-request', 'createdAt is no time.');
  }
  return {
    ...alignment,
    id,
    createdAt,
    isPinned: isPinned === true,
    decisions: Array.isArray(decisions) ? decisions.flatMap(parseDecision) : [],
    scores: parseKeptScores(scores),
  };
}

/** Scores that are damaged are no reason to lose an edit. */
function parseKeptScores(value: unknown): ScoreReport | undefined {
  try {
    return parseScoreReport(value);
  } catch (error) {
    if (error instanceof AlignError) return undefined;
    throw error;
  }
}

function parseDecision(value: unknown): [number, Decision][] {
  const [index, decision] = Array.isArray(value) ? (value as unknown[]) : [];
  const { type, text } = (typeof decision === 'object' && decision !== null ? decision : {}) as Record<string, unknown>;
  if (typeof index !== 'number' || !Number.isInteger(index) || index < 0) return [];
  if (type === 'rejected') return [[index, { type }]];
  return type === 'reworded' && typeof text === 'string' ? [[index, { type, text }]] : [];
}

/** Whether every word of a search stands in what was written, asked for or used. Case does not matter. */
export function matchesSearch({ request, edit, model }: HistoryEntry, search: string): boolean {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const labels = request.objectives.map(({ label }) => label).join(' ');
  const text = `${request.context}\n${request.answer}\n${edit}\n${labels}\n${model.name}`.toLowerCase();
  return words.every((word) => text.includes(word));
}
