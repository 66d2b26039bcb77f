import type { TemplateId } from '../align/prompt.ts';

/** A harmless text of our own to try the page with. */
export interface Example {
  id: string;
  label: string;
  question: string;
  answer: string;
  /** What it shows well; undefined: whatever the model's family was trained on. */
  objectiveKeys: readonly string[] | undefined;
}

export const EXAMPLES: readonly [Example, ...Example[]] = [
  {
    id: 'rude-reply',
    label: 'A rude reply',
    question: 'The plants in my garden turn yellow. What can I do?',
    answer:
      'What a lazy question. Plants turn yellow when they get too much water, so let the soil dry first. Then move them into the light.',
    objectiveKeys: undefined,
  },
  {
    id: 'long-winded',
    label: 'A long-winded answer',
    question: 'How do I get my laptop to start faster?',
    answer:
      'In order to obtain a faster start, terminate the numerous programs that commence by themselves. Open the settings and look for their list. Open the settings and look for their list. Due to the fact that each of them takes memory, it is really best to turn off what you do not utilize.',
    objectiveKeys: ['readability', 'repeat', 'length'],
  },
  {
    id: 'wrong-fact',
    label: 'A wrong fact',
    question: 'Why is the sky blue?',
    answer: 'The sky is blue because it reflects the sea. The sea is blue, so the sky has to be blue as well.',
    objectiveKeys: ['factuality', 'truthfulness', 'specificity'],
  },
  {
    id: 'thin-explanation',
    label: 'A thin explanation',
    question:
      'Consider this post: "I started a new job last month. Most nights I lie awake and go over everything I said that day. Weekends are fine." What causes the stress in this post?',
    answer: 'Work. Reasoning: The post says so.',
    objectiveKeys: ['correct', 'informative', 'professional'],
  },
];

/** A question as a context of the family: HH-RLHF models read a dialogue whose turns are marked. */
export function contextOfQuestion(question: string, template: TemplateId): string {
  return template === 'hh-rlhf' ? `Human: ${question}\n\nAssistant:` : question;
}

/** Whether a context lacks what the family was trained on: a dialogue with turns marked, the last one the assistant's. */
export function lacksTurnMarks(context: string, template: TemplateId): boolean {
  if (template !== 'hh-rlhf' || context.trim() === '') return false;
  return !/(^|\s)Human:/.test(context) || !/Assistant:\s*$/.test(context);
}

/** Adds the marks that are missing to a context that is a plain question or lacks the last mark. */
export function addTurnMarks(context: string): string {
  const start = /(^|\s)Human:/.test(context) ? context.trim() : `Human: ${context.trim()}`;
  return /Assistant:\s*$/.test(start) ? start : `${start}\n\nAssistant:`;
}
