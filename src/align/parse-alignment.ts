import type { Alignment, ModelUsed } from './alignment.ts';
import type { FinishReason } from './edit.ts';
import type { EngineDevice } from './engine.ts';
import { findObjective, type Objective, OBJECTIVES } from './objectives.ts';
import { list, number, oneOf, record, text } from './parse-fields.ts';
import { PROMPT_STYLES, TEMPLATE_IDS, type TemplateId } from './prompt.ts';
import { type AlignRequest, checkRequest, DEFAULT_MAX_NEW_TOKENS, GREEDY } from './request.ts';
import { VARIANTS } from './variant.ts';

const FINISH_REASONS: readonly FinishReason[] = ['stop', 'length', 'cancelled'];
const DEVICES: readonly EngineDevice[] = ['cpu', 'wasm', 'webgpu', 'cuda', 'metal', 'vulkan', 'server'];
const MAX_OBJECTIVES = 100;

/**
 * A request that was stored or came in a link or a file. Nothing in it is trusted: unknown fields are dropped, a published
 * objective gets the published text.
 *
 * @throws AlignError `invalid-request` that names the field
 */
export function parseAlignRequest(value: unknown): AlignRequest {
  const fields = record(value, 'The request');
  const template = oneOf(fields.template, TEMPLATE_IDS, 'template');
  const request: AlignRequest = {
    objectives: list(fields.objectives, 'objectives', MAX_OBJECTIVES).map((one) => parseObjective(one, template)),
    context: text(fields.context, 'context'),
    answer: text(fields.answer, 'answer'),
    template,
    promptStyle: fields.promptStyle === undefined ? 'bare' : oneOf(fields.promptStyle, PROMPT_STYLES, 'promptStyle'),
    maxNewTokens:
      fields.maxNewTokens === undefined ? DEFAULT_MAX_NEW_TOKENS : number(fields.maxNewTokens, 'maxNewTokens'),
    sampling: parseSampling(fields.sampling),
  };
  checkRequest(request);
  return request;
}

/** @throws AlignError `invalid-request` that names the field */
export function parseAlignment(value: unknown): Alignment {
  const fields = record(value, 'The alignment');
  const usage = record(fields.usage, 'usage');
  const timings = record(fields.timings, 'timings');
  const optional = (one: unknown, name: string) => (one === undefined || one === null ? undefined : number(one, name));
  return {
    model: parseModel(fields.model),
    request: parseAlignRequest(fields.request),
    edit: text(fields.edit, 'edit'),
    finishReason: oneOf(fields.finishReason, FINISH_REASONS, 'finishReason'),
    usage: {
      promptTokens: number(usage.promptTokens, 'promptTokens'),
      editTokens: number(usage.editTokens, 'editTokens'),
      steps: number(usage.steps, 'steps'),
    },
    timings: {
      timeToFirstTokenMs: optional(timings.timeToFirstTokenMs, 'timeToFirstTokenMs'),
      totalMs: number(timings.totalMs, 'totalMs'),
      tokensPerSecond: optional(timings.tokensPerSecond, 'tokensPerSecond'),
    },
  };
}

function parseModel(value: unknown): ModelUsed {
  const { id, name, source, revision, variant, host, ...model } = record(value, 'model');
  const device = oneOf(model.device, DEVICES, 'model.device');
  const isServed = device === 'server';
  return {
    id: text(id, 'model.id'),
    name: text(name, 'model.name'),
    source: text(source, 'model.source'),
    revision: revision === undefined || revision === null ? undefined : text(revision, 'model.revision'),
    variant: isServed && (variant ?? undefined) === undefined ? undefined : oneOf(variant, VARIANTS, 'model.variant'),
    device,
    // An edit whose texts were sent somewhere must not look like one of this device.
    ...(isServed && { host: text(host, 'model.host') }),
  };
}

function parseObjective(value: unknown, template: TemplateId): Objective {
  const fields = record(value, 'An objective');
  const key = text(fields.key, 'objective.key');
  if (OBJECTIVES.some((known) => known.key === key)) return findObjective(key, template);
  const label = text(fields.label, 'objective.label');
  return { key: `custom:${label}`, label, description: text(fields.description, 'objective.description') };
}

function parseSampling(value: unknown): AlignRequest['sampling'] {
  if (value === undefined) return GREEDY;
  if (value === 'checkpoint') return value;
  const fields = record(value, 'sampling');
  const setting = (name: keyof typeof GREEDY) =>
    fields[name] === undefined ? GREEDY[name] : number(fields[name], name);
  return {
    temperature: setting('temperature'),
    topK: setting('topK'),
    topP: setting('topP'),
    repetitionPenalty: setting('repetitionPenalty'),
    seed: setting('seed'),
  };
}
