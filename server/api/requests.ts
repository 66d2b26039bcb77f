import { z } from 'zod';
import { customObjective, findObjective, type Objective } from '../../src/align/objectives.ts';
import { PROMPT_STYLES, TEMPLATE_IDS, type TemplateId } from '../../src/align/prompt.ts';
import { type AlignRequest, DEFAULT_MAX_NEW_TOKENS, GREEDY } from '../../src/align/request.ts';

/**
 * A key of the catalogue, an objective in one's own words, or one whose words are given as they stand in the prompt, name
 * included: a client that shows the prompt knows that this one is read.
 */
const objective = z.union([
  z.string(),
  z.strictObject({ name: z.string(), description: z.string() }),
  z.strictObject({ name: z.string(), promptText: z.string() }),
]);

const sampling = {
  /** As the checkpoint's generation_config.json says; the settings below are not read then. */
  sampling: z.literal('checkpoint').optional(),
  temperature: z.number().optional(),
  topK: z.number().optional(),
  topP: z.number().optional(),
  repetitionPenalty: z.number().optional(),
  seed: z.number().optional(),
};

/** Body of `POST /v1/align`. */
export const alignBody = z.strictObject({
  /** Refused where another model runs; without it, whichever does. */
  model: z.string().optional(),
  objectives: z.array(objective).min(1),
  context: z.string(),
  answer: z.string(),
  family: z.enum(TEMPLATE_IDS).optional(),
  promptStyle: z.enum(PROMPT_STYLES).optional(),
  maxNewTokens: z.number().optional(),
  stream: z.boolean().optional(),
  ...sampling,
});
export type AlignBody = z.infer<typeof alignBody>;

const MAX_BATCH = 256;
/** A list of them. */
export const alignBodies = z.array(alignBody).min(1).max(MAX_BATCH);

/** OpenAI's, and vLLM's `top_k` and `repetition_penalty`. What clients send beside these is let through and has no effect. */
const openAiSampling = {
  model: z.string().optional(),
  max_tokens: z.number().nullish(),
  temperature: z.number().nullish(),
  top_p: z.number().nullish(),
  top_k: z.number().nullish(),
  repetition_penalty: z.number().nullish(),
  seed: z.number().nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  n: z.literal(1, 'only one text at a time is written').nullish(),
};

/** Body of `POST /v1/completions`: the prompt is read as it is. `return_token_ids` is vLLM's. */
export const completionBody = z.looseObject({
  ...openAiSampling,
  prompt: z.union([z.string(), z.array(z.int32()).min(1)], 'must be a text or a list of token ids'),
  return_token_ids: z.boolean().nullish(),
});

const content = z.union([
  z.string(),
  z
    .array(z.looseObject({ type: z.literal('text'), text: z.string() }))
    .transform((parts) => parts.map(({ text }) => text).join('')),
]);

/** Body of `POST /v1/chat/completions`: the last message, the assistant's, is the answer to align. */
export const chatBody = z.looseObject({
  ...openAiSampling,
  max_completion_tokens: z.number().nullish(),
  messages: z.array(z.looseObject({ role: z.enum(['system', 'developer', 'user', 'assistant']), content })).min(2),
  objectives: z.array(objective).min(1),
});
export type ChatBody = z.infer<typeof chatBody>;

/**
 * @param family  of the model, where it has one
 * @throws AlignError `unknown-name`, `invalid-request`
 */
export function toAlignRequest(body: AlignBody, family: TemplateId | undefined): AlignRequest {
  const template = body.family ?? family ?? 'hh-rlhf';
  const { temperature, topK, topP, repetitionPenalty, seed } = body;
  return {
    objectives: toObjectives(body.objectives, template),
    context: body.context,
    answer: body.answer,
    template,
    promptStyle: body.promptStyle ?? 'bare',
    maxNewTokens: body.maxNewTokens ?? DEFAULT_MAX_NEW_TOKENS,
    sampling: body.sampling ?? {
      temperature: temperature ?? GREEDY.temperature,
      topK: topK ?? GREEDY.topK,
      topP: topP ?? GREEDY.topP,
      repetitionPenalty: repetitionPenalty ?? GREEDY.repetitionPenalty,
      seed: seed ?? GREEDY.seed,
    },
  };
}

export function toObjectives(given: AlignBody['objectives'], template: TemplateId): Objective[] {
  return given.map((one) => {
    if (typeof one === 'string') return findObjective(one, template);
    if ('description' in one) return customObjective(one.name, one.description);
    return { key: `custom:${one.name}`, label: one.name, description: one.promptText };
  });
}
