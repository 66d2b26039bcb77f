import type { Objective } from '../align/objectives.ts';
import { buildEqualPrompt, buildPrompt } from '../align/prompt.ts';
import type { SeededRandom } from '../align/random.ts';

/** One training example in FastChat's form. */
export interface TrainingItem {
  id: number;
  conversations: [{ from: 'human'; value: string }, { from: 'gpt'; value: string }];
}

/** An answer, what it should become, and the objectives by which. */
export interface Edit {
  template: 'hh-rlhf' | 'ultrafeedback';
  /** `better`: the target is strictly better on every objective; `equal`: as good on every one. */
  relation: 'better' | 'equal';
  objectives: readonly Objective[];
  context: string;
  answer: string;
  target: string;
}

export function toTrainingItem(id: number, edit: Edit): TrainingItem {
  const prompt = edit.relation === 'equal' ? buildEqualPrompt(edit) : buildPrompt({ ...edit, promptStyle: 'bare' });
  return {
    id,
    conversations: [
      { from: 'human', value: prompt },
      { from: 'gpt', value: edit.target },
    ],
  };
}

/** Fisher and Yates. @returns a new list */
export function shuffled<Value>(values: readonly Value[], random: SeededRandom): Value[] {
  const result = [...values];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random.nextFraction() * (i + 1));
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}

/** A random subset of this size, in the order given; all of them, and nothing drawn, where there are no more. */
export function atMost<Value>(count: number, values: readonly Value[], random: SeededRandom): Value[] {
  if (values.length <= count) return [...values];
  const kept = shuffled([...values.keys()], random).slice(0, count);
  return kept.sort((a, b) => a - b).map((i) => values[i]!);
}
