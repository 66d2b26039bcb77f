import { AlignError } from '../align/errors.ts';
import { findObjective, type Objective } from '../align/objectives.ts';
import type { TemplateId } from '../align/prompt.ts';

/** What of a pair a scorer reads: the prompt and a response as two texts, or the response alone. */
export type ScoredInput = 'pair' | 'response';

/** Where an objective's scores come from. */
export type ScoreSource =
  /** A sequence classifier by folder or hub id, and which of its logits. */
  | { type: 'model'; reference: string; index: number; input: ScoredInput }
  /** A server that classifies; the label whose score counts, where it names several. */
  | { type: 'server'; url: string; label: string | undefined; input: ScoredInput }
  /** Columns of the file. */
  | { type: 'columns'; chosen: string; rejected: string };

/** An objective of a data set: its text in prompts, and what makes one response better than another. */
export interface PreferenceObjective extends Objective {
  /** Of the scored file. */
  chosenColumn: string;
  rejectedColumn: string;
  /** A response is better whose score is higher by more than this; within it both are equal. At least 0. */
  threshold: number;
  score: ScoreSource | undefined;
}

/** HH-RLHF's, as scored by the published reward models: harmless, helpful, humor. */
export const HH_RLHF_OBJECTIVES: readonly PreferenceObjective[] = (
  [
    ['harmlessness', 'Ray2333/gpt2-large-harmless-reward_model', 0, 'pair'],
    ['helpfulness', 'Ray2333/gpt2-large-helpful-reward_model', 0, 'pair'],
    ['humour', 'mohameddhiab/humor-no-humor', 1, 'response'],
  ] as const
).map(([key, reference, index, input], i) => ({
  ...findObjective(key, 'hh-rlhf'),
  ...columnsOf(i),
  threshold: 0,
  score: { type: 'model', reference, index, input },
}));

/** UltraFeedback's, which are rated in the data set itself under these names. */
export const ULTRAFEEDBACK_OBJECTIVES: readonly PreferenceObjective[] = [
  'instruction_following',
  'honesty',
  'truthfulness',
  'helpfulness',
].map((key, i) => ({ ...findObjective(key, 'ultrafeedback'), ...columnsOf(i), threshold: 0, score: undefined }));

function columnsOf(index: number): { chosenColumn: string; rejectedColumn: string } {
  return { chosenColumn: `chosen_score${index + 1}`, rejectedColumn: `rejected_score${index + 1}` };
}

/**
 * Reads a list of objectives, each an object with `name` and, for a name that is not published, `description`: the text in
 * the prompt. Optional: `chosen` and `rejected` (score columns; chosen_score1, rejected_score1 and so on by default),
 * `threshold`, and `score`: `{model, index, input}`, `{server, label, input}` or `{columns: [chosen, rejected]}`.
 *
 * @param json      parsed
 * @param name      of the file, for messages
 * @param template  decides the text of a published name
 * @throws AlignError `invalid-request` that names the place and what is wrong there
 */
export function parseObjectives(json: unknown, name: string, template: TemplateId): PreferenceObjective[] {
  if (!Array.isArray(json) || json.length === 0) throw wrong(name, 'it is no list of objectives');
  const objectives = (json as unknown[]).map((entry, i) => parseObjective(entry, i, `${name}[${i}]`, template));
  const keys = objectives.map(({ key }) => key);
  const twice = keys.find((key, i) => keys.indexOf(key) !== i);
  if (twice !== undefined) throw wrong(name, `it has “${twice}” twice`);
  return objectives;
}

const FIELDS = ['name', 'description', 'chosen', 'rejected', 'threshold', 'score'];

function parseObjective(entry: unknown, index: number, place: string, template: TemplateId): PreferenceObjective {
  const fields = asObject(entry, place);
  const unknown = Object.keys(fields).find((field) => !FIELDS.includes(field));
  if (unknown !== undefined) throw wrong(place, `there is no field “${unknown}”; known are ${FIELDS.join(', ')}`);
  const { threshold = 0 } = fields;
  if (typeof threshold !== 'number' || !(threshold >= 0 && threshold < Infinity)) {
    throw wrong(place, 'threshold must be a number from 0');
  }
  const columns = columnsOf(index);
  return {
    ...readTexts(fields, place, template),
    chosenColumn: optionalText(fields.chosen, `${place}.chosen`) ?? columns.chosenColumn,
    rejectedColumn: optionalText(fields.rejected, `${place}.rejected`) ?? columns.rejectedColumn,
    threshold,
    score: fields.score === undefined ? undefined : parseScore(fields.score, `${place}.score`),
  };
}

function readTexts(fields: Readonly<Record<string, unknown>>, place: string, template: TemplateId): Objective {
  const key = optionalText(fields.name, `${place}.name`);
  if (key === undefined) throw wrong(place, 'name is missing');
  const description = optionalText(fields.description, `${place}.description`);
  if (description !== undefined) return { key, label: key, description };
  try {
    return findObjective(key, template);
  } catch (cause) {
    throw wrong(place, `“${key}” is no published objective, so it needs a description`, cause);
  }
}

function parseScore(value: unknown, place: string): ScoreSource {
  const fields = asObject(value, place);
  const { model, server, columns, index = 0, label, input = 'pair' } = fields;
  if ([model, server, columns].filter((each) => each !== undefined).length !== 1) {
    throw wrong(place, 'it must have one of model, server and columns');
  }
  if (columns !== undefined) {
    const [chosen, rejected, ...rest] = Array.isArray(columns) ? (columns as unknown[]) : [];
    if (typeof chosen !== 'string' || typeof rejected !== 'string' || rest.length > 0) {
      throw wrong(place, 'columns must be the names of two, chosen and rejected');
    }
    return { type: 'columns', chosen, rejected };
  }
  if (input !== 'pair' && input !== 'response') throw wrong(place, 'input must be pair or response');
  if (server !== undefined) {
    if (typeof server !== 'string' || !/^https?:\/\//.test(server) || !URL.canParse(server)) {
      throw wrong(place, 'server must be an address (http://…)');
    }
    return { type: 'server', url: server, label: optionalText(label, `${place}.label`), input };
  }
  if (typeof model !== 'string' || model === '') throw wrong(place, 'model must be a folder or a hub id');
  if (!Number.isSafeInteger(index) || (index as number) < 0) throw wrong(place, 'index must be a whole number from 0');
  return { type: 'model', reference: model, index: index as number, input };
}

function asObject(value: unknown, place: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(place, 'it must be an object');
  return value as Readonly<Record<string, unknown>>;
}

function optionalText(value: unknown, place: string): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value.trim() === '') throw wrong(place, 'it must be a text');
  return value;
}

function wrong(place: string, problem: string, cause?: unknown): AlignError {
  return new AlignError('invalid-request', `${place}: ${problem}.`, { cause, details: { place } });
}
