import { AlignError } from './errors.ts';
import type { GenerateOptions, SamplingOptions } from './engine.ts';
import type { Objective } from './objectives.ts';
import type { PromptStyle, TemplateId } from './prompt.ts';

/** Greedy: the same request gives the same edit. */
export const GREEDY: SamplingOptions = { temperature: 0, topK: 0, topP: 1, repetitionPenalty: 1, seed: 0 };

/** The reference's own limit. */
export const DEFAULT_MAX_NEW_TOKENS = 1024;

/** One alignment: what the person at the screen, the CLI or a client of the server asks for. Plain data. */
export interface AlignRequest {
  /** At least one; order is kept. */
  objectives: readonly Objective[];
  /** Dialogue, query or question; may be empty. */
  context: string;
  /** The answer to improve; must not be blank. */
  answer: string;
  /** Which published template is filled. */
  template: TemplateId;
  promptStyle: PromptStyle;
  /** Capped to what fits after the prompt. */
  maxNewTokens: number;
  /** `checkpoint`: what the checkpoint's generation_config.json says. */
  sampling: SamplingOptions | 'checkpoint';
}

/**
 * @throws AlignError `invalid-request` if there is no objective, the answer is blank or a setting is out of range
 */
export function checkRequest(request: AlignRequest): void {
  const refuse = (message: string) => {
    throw new AlignError('invalid-request', message);
  };
  if (request.objectives.length === 0) refuse('No objective is chosen; the aligner needs at least one.');
  const blank = request.objectives.find((objective) => objective.description.trim() === '');
  if (blank) refuse(`The objective “${blank.label}” has no description.`);
  if (request.answer.trim() === '') refuse('The answer is blank; there is nothing to edit.');
  if (!Number.isInteger(request.maxNewTokens) || request.maxNewTokens < 1) {
    refuse(`The largest number of new tokens is ${request.maxNewTokens}; it must be a whole number of at least 1.`);
  }
  if (request.sampling !== 'checkpoint') checkSampling(request.sampling);
}

/** @throws AlignError `invalid-request` that names the setting, its value and its range */
export function checkSampling(sampling: SamplingOptions): void {
  const rules: [keyof SamplingOptions, (value: number) => boolean, string][] = [
    ['temperature', (value) => value >= 0 && value <= 100, 'between 0 (greedy) and 100'],
    ['topK', (value) => Number.isInteger(value) && value >= 0, 'a whole number, 0 to keep all tokens'],
    ['topP', (value) => value > 0 && value <= 1, 'above 0 and at most 1'],
    ['repetitionPenalty', (value) => value > 0 && value <= 100, 'above 0 and at most 100'],
    [
      'seed',
      (value) => Number.isInteger(value) && value >= 0 && value < 2 ** 32,
      'a whole number from 0 to 4294967295',
    ],
  ];
  for (const [name, isValid, range] of rules) {
    if (!isValid(sampling[name])) {
      throw new AlignError('invalid-request', `${name} is ${sampling[name]}; it must be ${range}.`, {
        details: { name, value: sampling[name] },
      });
    }
  }
}

/**
 * Tokens that the context length leaves after the prompt.
 *
 * @throws AlignError `prompt-too-long` if that is none
 */
export function roomToGenerate(promptTokens: number, contextLength: number): number {
  const room = contextLength - promptTokens;
  if (room < 1) {
    const format = (count: number) => count.toLocaleString('en-US');
    throw new AlignError(
      'prompt-too-long',
      `The prompt is ${format(promptTokens)} tokens and the model reads ${format(contextLength)}, prompt and edit together: ` +
        `at least ${format(promptTokens - contextLength + 1)} tokens too many.`,
      { details: { promptTokens, contextLength, tooManyTokens: promptTokens - contextLength + 1 } },
    );
  }
  return room;
}

/** What the engine is asked for: the request's settings, capped to the room. */
export function generateOptions(
  request: AlignRequest,
  room: number,
  checkpointSampling: SamplingOptions,
): GenerateOptions {
  const sampling = request.sampling === 'checkpoint' ? checkpointSampling : request.sampling;
  return { ...sampling, maxNewTokens: Math.min(request.maxNewTokens, room) };
}
