import { z } from 'zod';
import { TEMPLATE_IDS } from '../../src/align/prompt.ts';
import { VARIANTS } from '../../src/align/variant.ts';

/** What the interface answers, as its OpenAPI document tells it; the tests hold the real answers against it. */

const count = z.number().int().min(0);
const finishReason = z.enum(['stop', 'length']);
/** Of OpenAI. */
const usage = z.strictObject({ prompt_tokens: count, completion_tokens: count, total_tokens: count });
const head = { id: z.string(), created: count, model: z.string() };

export const errorAnswer = z.strictObject({
  error: z.strictObject({ message: z.string(), type: z.string(), code: z.string(), param: z.string().optional() }),
});

const alignResult = z.strictObject({
  edit: z.string(),
  finishReason,
  usage: z.strictObject({
    promptTokens: count.describe('0 where the upstream does not tell'),
    editTokens: count,
    steps: count.describe('fewer than editTokens where drafts were accepted'),
  }),
  timings: z.strictObject({
    timeToFirstTokenMs: z.number().optional(),
    totalMs: z.number(),
    tokensPerSecond: z.number().optional().describe('after the first step'),
  }),
  model: z.string(),
  variant: z.enum(VARIANTS).optional().describe('absent where another server or a GGUF has the weights'),
  device: z.string(),
});

/** Of a list of requests, in their order; one that failed has its error in its place. */
export const alignAnswer = z.union([alignResult, z.array(z.union([alignResult, errorAnswer]))]);

export const completionAnswer = z.strictObject({
  ...head,
  object: z.literal('text_completion'),
  choices: z.tuple([
    z.strictObject({
      index: z.literal(0),
      text: z.string(),
      logprobs: z.null(),
      finish_reason: finishReason,
      token_ids: z.array(count).optional().describe('where return_token_ids asked for them'),
    }),
  ]),
  usage,
});

export const chatAnswer = z.strictObject({
  ...head,
  object: z.literal('chat.completion'),
  choices: z.tuple([
    z.strictObject({
      index: z.literal(0),
      message: z.strictObject({ role: z.literal('assistant'), content: z.string(), refusal: z.null() }),
      logprobs: z.null(),
      finish_reason: finishReason,
    }),
  ]),
  usage,
});

export const modelsAnswer = z.strictObject({
  object: z.literal('list'),
  data: z.array(
    z.strictObject({
      id: z.string(),
      object: z.literal('model'),
      created: count,
      owned_by: z.string(),
      max_model_len: count.optional().describe('the context length'),
      metaaligner: z.strictObject({
        version: z.string(),
        family: z.enum(TEMPLATE_IDS).optional(),
        variant: z.enum(VARIANTS).optional(),
        device: z.string(),
      }),
    }),
  ),
});
