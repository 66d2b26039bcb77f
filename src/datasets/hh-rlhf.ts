import { stripPython } from '../align/python-text.ts';
import type { SeededRandom } from '../align/random.ts';
import type { PreferenceObjective } from './preference-objectives.ts';
import { atMost, type Edit, shuffled } from './training-item.ts';

const LAST_TURN = '\n\nAssistant:';

/** Two responses to one prompt. */
export interface PreferencePair {
  /** The chosen dialogue up to its last answer; ends in ` \n\nAssistant:`. */
  prompt: string;
  chosen: string;
  rejected: string;
}

export interface SplitPair extends PreferencePair {
  /** The rejected dialogue has another prompt: the chosen one's is kept. */
  hasOtherPrompt: boolean;
}

/**
 * Splits two dialogues at their last answer.
 *
 * @returns undefined where one of them has no `\n\nAssistant:`
 */
export function splitPair(chosen: string, rejected: string): SplitPair | undefined {
  const one = splitDialogue(chosen);
  const other = splitDialogue(rejected);
  if (one === undefined || other === undefined) return undefined;
  return {
    prompt: one.prompt,
    chosen: one.response,
    rejected: other.response,
    hasOtherPrompt: one.prompt !== other.prompt,
  };
}

function splitDialogue(dialogue: string): { prompt: string; response: string } | undefined {
  const end = dialogue.lastIndexOf(LAST_TURN);
  if (end === -1) return undefined;
  return {
    prompt: `${dialogue.slice(0, end)} ${LAST_TURN}`,
    response: stripPython(dialogue.slice(end + LAST_TURN.length)),
  };
}

/** A pair with a score of each response for each objective, in their order. */
export interface ScoredPair extends PreferencePair {
  chosenScores: readonly number[];
  rejectedScores: readonly number[];
}

/**
 * What a pair teaches: the objectives on which the chosen response is better make one edit towards it, those on which the
 * rejected one is make the reverse edit, each set in random order, and ties an edit between equals, in the order given.
 *
 * @param maxObjectives  that an edit names; of more a random subset
 */
export function editsOfPair(
  pair: ScoredPair,
  objectives: readonly PreferenceObjective[],
  random: SeededRandom,
  maxObjectives = Infinity,
): Edit[] {
  const { prompt, chosen, rejected, chosenScores, rejectedScores } = pair;
  const signs = objectives.map(({ threshold }, i) => {
    const difference = (chosenScores[i] ?? NaN) - (rejectedScores[i] ?? NaN);
    return Math.abs(difference) <= threshold ? 0 : Math.sign(difference);
  });
  const where = (sign: number) => objectives.filter((_, i) => signs[i] === sign);
  const better = (sign: number) => shuffled(where(sign), random).slice(0, maxObjectives);
  const base = { template: 'hh-rlhf', context: prompt } as const;
  const edits: Edit[] = [
    { ...base, relation: 'better', objectives: better(1), answer: rejected, target: chosen },
    { ...base, relation: 'better', objectives: better(-1), answer: chosen, target: rejected },
    {
      ...base,
      relation: 'equal',
      objectives: atMost(maxObjectives, where(0), random),
      answer: rejected,
      target: chosen,
    },
  ];
  return edits.filter((edit) => edit.objectives.length > 0);
}
