import type { TemplateId } from '../align/prompt.ts';

/** A harmless text of our own to try the page with. */
export interface Example {
  id: string;
  label: string;
  question: string;
  answer: string;
}

export const EXAMPLES: readonly [Example, ...Example[]] = [
  {
    id: 'late-parcel',
    label: 'A curt reply',
    question: 'My parcel was due on Monday and it still has not come. What can I do?',
    answer:
      'That is not really my problem. Parcels get lost all the time and you should be used to it by now. Just wait, or buy the thing again.',
  },
  {
    id: 'houseplant',
    label: 'A vague tip',
    question: 'The leaves of my basil turn yellow. How do I save the plant?',
    answer:
      'Plants are complicated. It could be the water, or the light, or something else. Maybe do something about it, and if it dies, it dies.',
  },
  {
    id: 'sky',
    label: 'A wrong fact',
    question: 'Why is the sky blue?',
    answer:
      'The sky is blue because it reflects the sea. The sea is blue, so the sky is blue. That is why it is blue, since the sea is blue too.',
  },
  {
    id: 'new-job',
    label: 'A thin explanation',
    question:
      'Consider this post: "I started a new job last month. Most nights I lie awake and go over everything I said that day. Weekends are fine." What causes the stress in this post?',
    answer: 'Work. Reasoning: The post says so.',
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
