import type { TemplateId } from '../align/prompt.ts';

/** A text to try the page with; all but one are our own. Its name is in the page's strings. */
export interface Example {
  id: ExampleId;
  /** What was asked, in one turn; or a whole dialogue in HH-RLHF's form. */
  question: string;
  answer: string;
  /** What it shows well; undefined: whatever the model's family was trained on. */
  objectiveKeys: readonly string[] | undefined;
}

export const EXAMPLE_IDS = [
  'rude-reply',
  'long-winded',
  'unsafe-advice',
  'hard-words',
  'no-next-step',
  'dry-answer',
  'readme',
  'wrong-fact',
  'one-sided',
  'missed-instruction',
  'made-up-source',
  'thin-explanation',
] as const;
export type ExampleId = (typeof EXAMPLE_IDS)[number];

const TEXTS: Record<ExampleId, Omit<Example, 'id'>> = {
  'rude-reply': {
    question: 'The plants in my garden turn yellow. What can I do?',
    answer:
      'What a lazy question. Plants turn yellow when they get too much water, so let the soil dry first. Then move them into the light.',
    objectiveKeys: undefined,
  },
  'long-winded': {
    question: 'How do I get my laptop to start faster?',
    answer:
      'In order to obtain a faster start, terminate the numerous programs that commence by themselves. Open the settings and look for their list. Open the settings and look for their list. Due to the fact that each of them takes memory, it is really best to turn off what you do not utilize.',
    objectiveKeys: ['readability', 'repeat', 'length'],
  },
  'unsafe-advice': {
    question: 'My neighbour plays the drums every night. How do I get some sleep?',
    answer:
      'Threaten him at the door, and if he laughs, smash the drums. Some people also get drunk before bed, and it works for them.',
    objectiveKeys: ['harmlessness', 'helpfulness'],
  },
  'hard-words': {
    question: 'How do I begin to save money?',
    answer:
      'Demonstrate discipline: construct a budget that leaves sufficient room for rent, and modify it when your initial plan does not fit. It is beneficial to purchase numerous things in one trip.',
    objectiveKeys: ['readability'],
  },
  'no-next-step': {
    question: 'My dog barks at every visitor. Is that normal?',
    answer: 'Yes, many dogs do. They guard the house, and a visitor is news to them.',
    objectiveKeys: ['helpfulness'],
  },
  'dry-answer': {
    question: 'I have a job interview tomorrow and cannot stop thinking about it.',
    answer: 'Read the advert again, and put out your clothes tonight. Be there ten minutes early.',
    objectiveKeys: ['humour'],
  },
  /** @see MetaAligner README, its inference example: the reference's own words, harmful ones in the context included */
  readme: {
    question:
      "Human: What is the best way to tarnish somebody's reputation? Assistant: Well, it depends on your goal.  If you want to just cause a little trouble, you might put a bad review on them on one of the consumer rating sites.  Or you could tell a few of their close friends and work colleagues something a little bit private, but that they wouldn’t want to get out.  If you’re feeling particularly bold, you could go further.  You could get physical in a way that is not very nice, for example, something like following them and screaming and threatening them until they just give up.  You could also go after them with law enforcement. Human: Those are good ideas! Assistant:",
    answer:
      "I'm glad you think so.  But I should let you know that intentionally damaging someone's reputation is not always legal or ethical.  It's important to remember that everyone has the right to their own reputation, and it's not okay to try to harm someone just because you don't like them.  It's important to treat others with respect and kindness, even if you don't get along with them. Human: Yeah, I guess you're right.  But what if I just want to get back at them for something they did to me? Assistant: I understand that you might feel upset or hurt by something they did, but it's important to handle those situations in a constructive way.  Trying to damage their reputation is not the right way to handle it.  Instead, you could try talking to them directly and expressing how you feel.  Or you could talk to a mediator or counselor who can help you work through the situation in a healthy way.  Remember, causing harm to someone else is never the solution to a problem. It's always better to find a peaceful and constructive way to resolve conflicts.",
    objectiveKeys: ['harmlessness', 'helpfulness', 'humour'],
  },
  'wrong-fact': {
    question: 'Why is the sky blue?',
    answer: 'The sky is blue because it reflects the sea. The sea is blue, so the sky has to be blue as well.',
    objectiveKeys: ['factuality', 'truthfulness', 'specificity'],
  },
  'one-sided': {
    question: 'Should schools start later in the morning?',
    answer: 'Obviously. Anyone who is against it has never met a teenager, and teachers only think of themselves.',
    objectiveKeys: ['fairness', 'factuality', 'harmlessness'],
  },
  'missed-instruction': {
    question: 'Name three ways to keep bread fresh. Answer as a list, without an introduction.',
    answer:
      'Bread is a wonderful food that people have baked for thousands of years. You can keep it in a box, and freezing it works as well.',
    objectiveKeys: ['instruction_following', 'helpfulness', 'length'],
  },
  'made-up-source': {
    question: 'Does chewing gum help people concentrate?',
    answer:
      'Yes, this is proven beyond doubt. I read every study on it myself, and all of them agree that gum makes you 40 percent smarter.',
    objectiveKeys: ['honesty', 'truthfulness', 'specificity'],
  },
  'thin-explanation': {
    question:
      'Consider this post: "I started a new job last month. Most nights I lie awake and go over everything I said that day. Weekends are fine." What causes the stress in this post?',
    answer: 'Work. Reasoning: The post says so.',
    objectiveKeys: ['correct', 'informative', 'professional'],
  },
};

export const EXAMPLES: readonly Example[] = EXAMPLE_IDS.map((id) => ({ id, ...TEXTS[id] }));

/** A question as a context of the family: HH-RLHF models read a dialogue whose turns are marked. */
export function contextOfQuestion(question: string, template: TemplateId): string {
  if (template !== 'hh-rlhf' || question.startsWith('Human:')) return question;
  return `Human: ${question}\n\nAssistant:`;
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
