import { AlignError } from '../errors.ts';

/** Reading `tokenizer.json` and `tokenizer_config.json`: every failure names the path of what is wrong. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** @param path  such as `tokenizer.json: model.vocab` */
export function corrupt(path: string, expected: string, value: unknown): AlignError {
  const found = value === undefined ? 'missing' : `${describe(value)}`;
  return new AlignError('weights-corrupt', `${path} is ${found}; it must be ${expected}.`, { details: { path } });
}

/** A part that is well formed but not one we can run. */
export function unsupported(path: string, what: string): AlignError {
  return new AlignError('unsupported-model', `${path} is ${what}, which this tokenizer does not read.`, {
    details: { path, what },
  });
}

export function asObject(value: unknown, path: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw corrupt(path, 'an object', value);
  return value as JsonObject;
}

export function asArray(value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value)) throw corrupt(path, 'a list', value);
  return value;
}

export function asString(value: unknown, path: string): string {
  if (typeof value !== 'string') throw corrupt(path, 'a string', value);
  return value;
}

/** Token ids and counts. Below 2^21, so that a pair of ids is exact in a double (the largest vocabularies are 2^18). */
export function asId(value: unknown, path: string): number {
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) >= 2 ** 21) {
    throw corrupt(path, 'a whole number from 0 to 2097151', value);
  }
  return value as number;
}

/** @returns `fallback` when the key is absent or null, as Hugging Face's reader does */
export function asBoolean(value: unknown, path: string, fallback: boolean): boolean {
  if (value === undefined || value === null) return fallback;
  if (typeof value !== 'boolean') throw corrupt(path, 'true or false', value);
  return value;
}

/** One part of the pipeline, such as a `Prepend` normalizer. */
export interface PipelineStep {
  type: string;
  config: JsonObject;
  path: string;
}

/** Deeper than anyone writes; without a limit a hostile file could exhaust the stack. */
const MAX_SEQUENCE_DEPTH = 8;

/**
 * The steps of a normalizer, pre-tokenizer, post-processor or decoder: null is none, `Sequence` is its members.
 *
 * @param listKey  where a `Sequence` of this part keeps its members
 */
export function pipelineSteps(value: unknown, listKey: string, path: string, depth = 0): PipelineStep[] {
  if (value === undefined || value === null) return [];
  const config = asObject(value, path);
  const type = asString(config.type, `${path}.type`);
  if (type !== 'Sequence') return [{ type, config, path }];
  if (depth === MAX_SEQUENCE_DEPTH) throw corrupt(path, `nested at most ${MAX_SEQUENCE_DEPTH} deep`, value);
  return asArray(config[listKey], `${path}.${listKey}`).flatMap((member, i) =>
    pipelineSteps(member, listKey, `${path}.${listKey}[${i}]`, depth + 1),
  );
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object') return 'an object';
  return JSON.stringify(value).slice(0, 80);
}
