import { AlignError } from '../align/errors.ts';
import type { SeededRandom } from '../align/random.ts';
import type { PreferenceObjective } from './preference-objectives.ts';
import { atMost, type Edit, shuffled } from './training-item.ts';

/** A completion with its ratings in the objectives' order; undefined for `N/A`. */
export interface RatedCompletion {
  response: string;
  ratings: readonly (number | undefined)[];
}

export interface RatedInstruction {
  instruction: string;
  completions: readonly RatedCompletion[];
  /** Completions that were left out because their response is no text or is empty. */
  withoutResponse: number;
}

/**
 * Reads one record: `instruction`, `completions[].response` and `.annotations.{objective}.Rating`, a digit as a string or
 * a number, or `N/A`.
 *
 * @param objectives  their keys are those of the annotations
 * @returns what is wrong with it, if it cannot be used
 */
export function readInstruction(
  record: Readonly<Record<string, unknown>>,
  objectives: readonly { key: string }[],
): RatedInstruction | { problem: string } {
  const { instruction, completions } = record;
  if (typeof instruction !== 'string' || instruction === '') return { problem: 'It has no instruction.' };
  if (!Array.isArray(completions)) return { problem: 'It has no list of completions.' };
  const rated: RatedCompletion[] = [];
  let withoutResponse = 0;
  for (const completion of completions as unknown[]) {
    const { response, annotations } = (completion ?? {}) as { response?: unknown; annotations?: unknown };
    if (typeof response !== 'string' || response === '') {
      withoutResponse += 1;
      continue;
    }
    rated.push({ response, ratings: objectives.map(({ key }) => ratingOf(annotations, key)) });
  }
  return { instruction, completions: rated, withoutResponse };
}

function ratingOf(annotations: unknown, key: string): number | undefined {
  const rating = ((annotations as Record<string, { Rating?: unknown }> | null | undefined) ?? {})[key]?.Rating;
  const value = typeof rating === 'string' && rating.trim() !== '' ? Number(rating) : rating;
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** Two completions with all ratings, and what they teach. */
export interface ComparedCompletions {
  first: RatedCompletion;
  second: RatedCompletion;
  edits: Edit[];
}

export interface InstructionEdits {
  /** In order, without the unrated ones. */
  compared: ComparedCompletions[];
  pairs: number;
  /** Pairs with a completion that lacks a rating. */
  unratedPairs: number;
  /** Pairs on which neither side is better in anything. */
  tiedPairs: number;
}

/**
 * What the completions of one instruction teach: of each two, the side that is better on more objectives (the first where
 * both are on as many) is the target of an edit towards these, in random order; the objectives on which both are equal make
 * an edit between equals. Two sides that tie on everything make no edit towards anything.
 *
 * @param maxObjectives  that an edit names; of more a random subset
 */
export function editsOfInstruction(
  { instruction, completions }: RatedInstruction,
  objectives: readonly PreferenceObjective[],
  random: SeededRandom,
  maxObjectives = Infinity,
): InstructionEdits {
  const compared: ComparedCompletions[] = [];
  const rated = completions.map(({ ratings }) => ratings.every((rating) => rating !== undefined));
  let [pairs, unratedPairs, tiedPairs] = [0, 0, 0];
  for (let i = 0; i < completions.length; i++) {
    for (let j = i + 1; j < completions.length; j++) {
      pairs += 1;
      if (!rated[i] || !rated[j]) {
        unratedPairs += 1;
        continue;
      }
      const [one, other] = [completions[i]!, completions[j]!];
      const edits: Edit[] = [];
      const signs = objectives.map(({ threshold }, k) => {
        const difference = one.ratings[k]! - other.ratings[k]!;
        return Math.abs(difference) <= threshold ? 0 : Math.sign(difference);
      });
      const where = (sign: number) => objectives.filter((_, k) => signs[k] === sign);
      const [oneBetter, otherBetter, equal] = [where(1), where(-1), where(0)];
      const isOne = oneBetter.length >= otherBetter.length;
      const base = {
        template: 'ultrafeedback',
        context: instruction,
        answer: (isOne ? other : one).response,
        target: (isOne ? one : other).response,
      } as const;
      const better = isOne ? oneBetter : otherBetter;
      if (better.length > 0) {
        const named = shuffled(better, random).slice(0, maxObjectives);
        edits.push({ ...base, relation: 'better', objectives: named });
      } else tiedPairs += 1;
      if (equal.length > 0) {
        edits.push({ ...base, relation: 'equal', objectives: atMost(maxObjectives, equal, random) });
      }
      compared.push({ first: one, second: other, edits });
    }
  }
  return { compared, pairs, unratedPairs, tiedPairs };
}

/** Of the test set's file: the instruction, and {@link goldenResponse}. */
export const TEST_COLUMNS = ['query', 'golden_response'] as const;

/**
 * How many instructions come before the test set, which is the last ones.
 *
 * @param name  of the file, for messages
 * @throws AlignError `invalid-request` when there is none
 */
export function trainingInstructions(name: string, count: number, testSize: number): number {
  if (count > testSize) return count - testSize;
  throw new AlignError(
    'invalid-request',
    `${name} has ${count} instructions and the last ${testSize} are the test set, so none is left to train on. ` +
      'Choose a smaller test size.',
    { details: { count, testSize } },
  );
}

/**
 * The completion with the highest sum of ratings, `N/A` as 0; the first of several.
 *
 * @returns undefined for an instruction without a completion
 */
export function goldenResponse({ completions }: RatedInstruction): string | undefined {
  let golden: { response: string; sum: number } | undefined;
  for (const { response, ratings } of completions) {
    const sum = ratings.reduce<number>((total, rating) => total + (rating ?? 0), 0);
    if (golden === undefined || sum > golden.sum) golden = { response, sum };
  }
  return golden?.response;
}
