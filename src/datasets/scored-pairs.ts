import type { SourceRow } from '../batch/row-format.ts';
import type { ScoredPair } from './hh-rlhf.ts';
import type { PreferenceObjective } from './preference-objectives.ts';
import { toScore } from './scores.ts';

/** Columns of a split file, before the scores. */
export const PAIR_COLUMNS = ['prompt', 'chosen_response', 'rejected_response'] as const;

/** The columns of a scored file: the texts, then chosen's scores, then rejected's. */
export function scoredColumns(objectives: readonly PreferenceObjective[]): string[] {
  return [
    ...PAIR_COLUMNS,
    ...objectives.map(({ chosenColumn }) => chosenColumn),
    ...objectives.map(({ rejectedColumn }) => rejectedColumn),
  ];
}

/** @returns what is wrong with the row, if it cannot be used */
export function readScoredPair(
  { cells, problem }: SourceRow,
  objectives: readonly PreferenceObjective[],
): ScoredPair | { problem: string } {
  if (problem !== undefined) return { problem };
  const [prompt, chosen, rejected] = PAIR_COLUMNS.map((column) => cells[column]);
  if (typeof prompt !== 'string' || typeof chosen !== 'string' || typeof rejected !== 'string') {
    return { problem: 'The prompt or a response is no text.' };
  }
  if (chosen === '' || rejected === '') return { problem: 'A response is empty.' };
  const chosenScores = objectives.map(({ chosenColumn }) => toScore(cells[chosenColumn]));
  const rejectedScores = objectives.map(({ rejectedColumn }) => toScore(cells[rejectedColumn]));
  if ([...chosenScores, ...rejectedScores].some(Number.isNaN)) return { problem: 'A score is no number.' };
  return { prompt, chosen, rejected, chosenScores, rejectedScores };
}
