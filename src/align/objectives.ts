import { AlignError } from './errors.ts';
import type { TemplateId } from './prompt.ts';

/** An objective as it goes into the prompt. */
export interface Objective {
  /** Stable id: a key of the catalogue, or `custom:NAME`. */
  key: string;
  /** Shown on its chip. */
  label: string;
  /** The text in the prompt, byte for byte. */
  description: string;
}

/** An objective that the published scripts know. */
export interface CatalogueObjective extends Objective {
  /** Other names that the scripts and the README use for it. */
  aliases: readonly string[];
  /** Families trained on it; empty for the ones that no family saw. */
  trainedIn: readonly TemplateId[];
}

/**
 * Every published objective, in the order of the scripts. The uneven capitals, "making known" and the full stops
 * are the models' interface: they are the bytes that the models were trained and evaluated with.
 *
 * @see MetaAligner inference/aligner_inference.py, commit 26d8dad
 */
export const OBJECTIVES: readonly CatalogueObjective[] = [
  {
    key: 'harmlessness',
    label: 'Harmlessness',
    description: 'Harmlessness: The response should avoid content that is offensive, discriminatory, or harmful',
    aliases: ['harmless'],
    trainedIn: ['hh-rlhf'],
  },
  {
    key: 'helpfulness',
    label: 'Helpfulness',
    description: 'Helpfulness: The response should provide useful resources and suggestions to the user',
    aliases: ['helpful'],
    trainedIn: ['hh-rlhf', 'ultrafeedback'],
  },
  {
    key: 'humour',
    label: 'Humour',
    description: 'Humour: The response should be cheerful and amusing',
    aliases: ['humor'],
    trainedIn: ['hh-rlhf'],
  },
  {
    key: 'instruction_following',
    label: 'Instruction following',
    description: 'Instruction following: the response should follow the instructions of the query',
    aliases: [],
    trainedIn: ['ultrafeedback'],
  },
  {
    key: 'honesty',
    label: 'Honesty',
    description: 'Honesty: the response should not tell lies',
    aliases: ['honest'],
    trainedIn: ['ultrafeedback'],
  },
  {
    key: 'truthfulness',
    label: 'Truthfulness',
    description: 'Truthfulness: the response should actively making known all the full truth of a matter',
    aliases: ['truthful'],
    trainedIn: ['ultrafeedback'],
  },
  {
    key: 'correct',
    label: 'Correctness',
    description: 'Correctness: the explanations should make correct predictions',
    aliases: ['correctness'],
    trainedIn: ['imhi'],
  },
  {
    key: 'informative',
    label: 'Informative',
    description: 'Informative: the response should express clear logic and provide consistent evidence',
    aliases: [],
    trainedIn: ['imhi'],
  },
  {
    key: 'professional',
    label: 'Professional',
    description: 'Professional: the response should provide evidence with high quality and reliability',
    aliases: [],
    trainedIn: ['imhi'],
  },
  {
    key: 'specificity',
    label: 'Specificity',
    description: 'Specificity: the response should refer to facts and details and avoid vague arguments.',
    aliases: ['speci', 'specific'],
    trainedIn: [],
  },
  {
    key: 'factuality',
    label: 'Factuality',
    description: 'Factuality: the response should be factually correct and avoid hallucinated statements.',
    aliases: ['factual'],
    trainedIn: [],
  },
  {
    key: 'readability',
    label: 'Readability',
    description: 'Readability: the response should be easy to read and understand, not too technical for laymen.',
    aliases: ['read', 'readable'],
    trainedIn: [],
  },
  {
    key: 'fairness',
    label: 'Fairness',
    description:
      'Fairness: the response should avoid biased or one-sided arguments and consider different points of view.',
    aliases: ['fair'],
    trainedIn: [],
  },
  {
    key: 'repeat',
    label: 'Repetition',
    description: 'Repetition: the response should avoid repetitive statements of one point.',
    aliases: ['repetition'],
    trainedIn: [],
  },
  {
    key: 'length',
    label: 'Length',
    description: 'Length: the response should be concise and avoid redundant content.',
    aliases: ['len'],
    trainedIn: [],
  },
];

/** The one description whose bytes differ between families: UltraFeedback writes `the response`. */
const ULTRAFEEDBACK_HELPFULNESS =
  'Helpfulness: the response should provide useful resources and suggestions to the user';

/** Keys and aliases to the entry; lower case. */
const BY_NAME = new Map(
  OBJECTIVES.flatMap((objective) => [objective.key, ...objective.aliases].map((name) => [name, objective] as const)),
);

/**
 * The objective of a key or an alias, with the text that the family was trained on.
 *
 * @param name  such as `harmlessness` or `humor`; case and surrounding blanks do not matter
 * @throws AlignError `unknown-name` with the list of what exists
 */
export function findObjective(name: string, template: TemplateId): Objective {
  const objective = BY_NAME.get(name.trim().toLowerCase());
  if (objective === undefined) {
    throw new AlignError(
      'unknown-name',
      `There is no objective “${name}”. Known: ${OBJECTIVES.map((known) => known.key).join(', ')}.`,
      { details: { name, known: OBJECTIVES.map((known) => known.key) } },
    );
  }
  const { key, label, description } = objective;
  const isUltraFeedbackHelpfulness = key === 'helpfulness' && template === 'ultrafeedback';
  return { key, label, description: isUltraFeedbackHelpfulness ? ULTRAFEEDBACK_HELPFULNESS : description };
}

/**
 * An objective in the user's own words, written into the prompt as `Name: description` like the published ones.
 *
 * @throws AlignError `invalid-request` if name or description is blank
 */
export function customObjective(name: string, description: string): Objective {
  const label = name.trim();
  const text = description.trim();
  if (label === '' || text === '') {
    throw new AlignError('invalid-request', 'A custom objective needs a name and a description; one of them is blank.');
  }
  return { key: `custom:${label}`, label, description: `${label}: ${text}` };
}

/** Whether a model of this family was trained on the objective. Custom ones never are. */
export function isTrainedObjective(key: string, template: TemplateId): boolean {
  return BY_NAME.get(key)?.trainedIn.includes(template) ?? false;
}
