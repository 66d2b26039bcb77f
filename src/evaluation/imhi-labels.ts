/**
 * Labels of the IMHI data sets, found in text by rules.
 *
 * @see MentalLLaMA, src/label_inference.py and src/calculate.py (arXiv 2309.13567), whose slips with references that
 *   hold no label are not repeated
 */
export const IMHI_DATASETS = [
  'CAMS',
  'CLP',
  'DR',
  'dreaddit',
  'Irf',
  'loneliness',
  'MultiWD',
  'SAD',
  'swmh',
  't-sid',
] as const;
export type ImhiDataset = (typeof IMHI_DATASETS)[number];

export function isImhiDataset(name: string): name is ImhiDataset {
  return (IMHI_DATASETS as readonly string[]).includes(name);
}

/** What is looked for, in this order, and the label that the first one found gives. */
type Rule = readonly (readonly [phrase: string, label: number])[];

interface LabelRules {
  output: Rule;
  /** Of an output in which nothing is found: it is counted as out of domain. */
  fallback: number;
  reference: Rule;
}

const YES_NO: Rule = [
  ['yes', 1],
  ['no', 0],
];
const NO_YES: Rule = [
  ['no', 0],
  ['yes', 1],
];
const YES_NO_RULES: LabelRules = { output: YES_NO, fallback: 0, reference: YES_NO };
const SWMH: Rule = [
  ['no mental', 0],
  ['suicide', 1],
  ['depression', 2],
  ['anxiety', 3],
  ['bipolar', 4],
];

const RULES: Record<ImhiDataset, LabelRules> = {
  CLP: YES_NO_RULES,
  DR: YES_NO_RULES,
  dreaddit: YES_NO_RULES,
  loneliness: YES_NO_RULES,
  Irf: YES_NO_RULES,
  MultiWD: YES_NO_RULES,
  swmh: { output: SWMH, fallback: 0, reference: SWMH },
  't-sid': {
    output: [
      ['depression', 2],
      ['suicide', 1],
      ['ptsd', 3],
      ['no mental', 0],
    ],
    fallback: 0,
    reference: [
      ['depression', 2],
      ['suicide or self-harm', 1],
      ['ptsd', 3],
      ['no mental disorders', 0],
    ],
  },
  SAD: {
    output: [
      ['school', 0],
      ['financial', 1],
      ['family', 2],
      ['social', 3],
      ['work', 4],
      ['health', 5],
      ['emotional', 6],
      ['decision', 7],
      ['other', 8],
    ],
    fallback: 8,
    reference: [
      ['school', 0],
      ['financial problem', 1],
      ['family issues', 2],
      ['social relationships', 3],
      ['work', 4],
      ['health issues', 5],
      ['emotional turmoil', 6],
      ['everyday decision making', 7],
      ['other causes', 8],
    ],
  },
  CAMS: {
    output: [
      ['none', 0],
      ['bias', 1],
      ['jobs', 2],
      ['medication', 3],
      ['relationship', 4],
      ['alienation', 5],
    ],
    fallback: 0,
    reference: [
      ['none', 0],
      ['bias or abuse', 1],
      ['jobs and career', 2],
      ['medication', 3],
      ['relationship', 4],
      ['alienation', 5],
    ],
  },
};

/** An output's label; `isOutOfDomain` where none of the phrases is in it. */
export function labelOfOutput(dataset: ImhiDataset, text: string): { label: number; isOutOfDomain: boolean } {
  const { output, fallback } = RULES[dataset];
  const label = firstFound(output, text);
  return { label: label ?? fallback, isOutOfDomain: label === undefined };
}

/** A reference's label; undefined where none of the phrases is in it. */
export function labelOfReference(dataset: ImhiDataset, text: string): number | undefined {
  return firstFound(RULES[dataset].reference, text);
}

/**
 * What the ten classifiers call their labels, in the order of their logits, and the label of {@link labelOfReference} that each
 * name means.
 *
 * @see the published models Tianlin668/CAMS, …, Tianlin668/t-sid
 */
export const CLASSIFIER_LABELS: Record<ImhiDataset, Rule> = {
  CAMS: [
    ['none', 0],
    ['bias', 1],
    ['job', 2],
    ['medication', 3],
    ['relation', 4],
    ['alienation', 5],
  ],
  CLP: NO_YES,
  DR: NO_YES,
  dreaddit: NO_YES,
  Irf: NO_YES,
  loneliness: NO_YES,
  MultiWD: NO_YES,
  SAD: [
    ['school', 0],
    ['financial', 1],
    ['family', 2],
    ['social', 3],
    ['work', 4],
    ['health', 5],
    ['emotional', 6],
    ['everyday', 7],
    ['other', 8],
  ],
  swmh: [
    ['depression', 2],
    ['suicide', 1],
    ['anxiety', 3],
    ['bipolar', 4],
    ['no mental', 0],
  ],
  't-sid': [
    ['depression', 2],
    ['suicide', 1],
    ['ptsd', 3],
    ['control', 0],
  ],
};

/** Phrases that the evaluation of the classifiers looks for instead. */
const CLASSIFIER_PHRASES: Partial<Record<ImhiDataset, Readonly<Record<string, string>>>> = {
  CAMS: { none: 'no causes' },
  SAD: { 'emotional turmoil': 'emotion turmoil', 'other causes': 'other' },
  't-sid': { 'no mental disorders': 'no mental' },
};

/** As {@link labelOfReference}, for outputs that a classifier labelled. */
export function labelOfClassifiedReference(dataset: ImhiDataset, text: string): number | undefined {
  const phrases = CLASSIFIER_PHRASES[dataset] ?? {};
  return firstFound(
    RULES[dataset].reference.map(([phrase, label]) => [phrases[phrase] ?? phrase, label] as const),
    text,
  );
}

/** What the labels mean, by the reference's phrases. */
export function labelNames(dataset: ImhiDataset): ReadonlyMap<number, string> {
  return new Map(RULES[dataset].reference.map(([phrase, label]) => [label, phrase]));
}

/** Only the answer is searched, not its explanation. */
function firstFound(rule: Rule, text: string): number | undefined {
  const answer = text.split('Reasoning:', 1)[0]!.toLowerCase();
  return rule.find(([phrase]) => answer.includes(phrase))?.[1];
}
