import type { AlignEvent, FinishReason } from '../align/edit.ts';
import { AlignError } from '../align/errors.ts';
import { TEMPLATE_IDS, type TemplateId } from '../align/prompt.ts';
import { type AlignRequest, checkRequest } from '../align/request.ts';
import { type Variant, VARIANTS } from '../align/variant.ts';
import { callForEvents, callForJson, errorSaid, hostOf } from '../engines/server-call.ts';
import type { ServerLocation } from '../worker-client/engine-client.ts';
import { explainFailure } from './explain-failure.ts';
import type { PageEnvironment } from './page-environment.ts';

/** A model that a server offers. What it does not tell is undefined. */
export interface OfferedModel {
  id: string;
  family: TemplateId | undefined;
  variant: Variant | undefined;
  contextLength: number | undefined;
}

/** `metaaligner serve` over HTTP, as docs/server.md describes it. Addresses are `ServerLocation.url`s. */
export interface ServerClient {
  /**
   * Asks a server what it offers. Nothing but the key is sent.
   *
   * @returns at least one model
   * @throws AlignError `server-unreachable`, `call-not-allowed` with the option that allows it, `key-refused`,
   *   `server-busy`, `server-failed` where it is no server of this kind
   */
  models(url: string): Promise<OfferedModel[]>;
  /**
   * As `EngineClient.align`, on a server. The server stops within a step of an abort.
   *
   * @throws AlignError: `invalid-request`, `prompt-too-long`, `unknown-name` as the server says; as {@link models}
   */
  align(
    location: ServerLocation,
    request: AlignRequest,
    onEvent: (event: AlignEvent) => void,
    signal: AbortSignal,
  ): Promise<void>;
}

export interface ServerClientOptions {
  /** The key for a server; undefined: none is sent. */
  keyOf: (url: string) => string | undefined;
  page: PageEnvironment;
  /** Milliseconds of a monotonic clock. */
  now?: () => number;
}

/** Of an answer that is not waited for by a queue. */
const CHECK_STALL_MS = 15_000;
/** A request may wait in the server's queue without a byte; the server itself ends it at its deadline. */
const RUN_STALL_MS = 600_000;

export function createServerClient({ keyOf, page, now = () => performance.now() }: ServerClientOptions): ServerClient {
  const explain = (error: unknown, url: string) =>
    explainFailure(error, { url, hasKey: keyOf(url) !== undefined, page });
  return {
    async models(url) {
      let list: unknown;
      try {
        const { signal } = new AbortController();
        list = await callForJson({ url: `${url}/v1/models`, apiKey: keyOf(url), stallMs: CHECK_STALL_MS, signal });
      } catch (error) {
        throw await explain(error, url);
      }
      return parseModels(list, url);
    },

    async align({ url, modelId }, request, onEvent, signal) {
      checkRequest(request);
      const startMs = now();
      const soFar = { edit: '', editTokens: 0, deltas: 0, promptTokens: 0, firstMs: undefined as number | undefined };
      try {
        signal.throwIfAborted();
        const events = callForEvents({
          url: `${url}/v1/align`,
          apiKey: keyOf(url),
          body: bodyOf(request, modelId),
          stallMs: RUN_STALL_MS,
          signal,
        });
        for await (const { type, data } of events) {
          signal.throwIfAborted();
          if (type === 'error') throw streamError(url, data);
          const event = parseEvent(type, data, url);
          if (event === undefined) continue;
          if (event.type === 'edit-start') soFar.promptTokens = event.promptTokens ?? 0;
          if (event.type === 'edit-delta') {
            soFar.edit += event.text;
            soFar.editTokens = event.editTokens;
            soFar.deltas += 1;
            soFar.firstMs ??= event.elapsedMs;
          }
          onEvent(event);
          if (event.type === 'edit-end') return;
        }
        throw new AlignError('server-failed', `${hostOf(url)} ended its answer before the edit was whole.`, {
          details: { host: hostOf(url) },
        });
      } catch (error) {
        if (!signal.aborted) throw await explain(error, url);
      }
      // The server hears of the abort by the connection, and has nobody left to tell how it ended.
      onEvent({
        type: 'edit-end',
        edit: soFar.edit,
        tokenIds: [],
        finishReason: 'cancelled',
        usage: { promptTokens: soFar.promptTokens, editTokens: soFar.editTokens, steps: soFar.deltas },
        timings: { timeToFirstTokenMs: soFar.firstMs, totalMs: now() - startMs, tokensPerSecond: undefined },
      });
    },
  };
}

/** The body of `POST /v1/align`: means there what the request means here, to the last byte of the prompt. */
function bodyOf({ objectives, template, sampling, ...request }: AlignRequest, model: string): object {
  const { context, answer, promptStyle, maxNewTokens } = request;
  return {
    model,
    objectives: objectives.map(({ label, description }) => ({ name: label, promptText: description })),
    context,
    answer,
    family: template,
    promptStyle,
    maxNewTokens,
    ...(sampling === 'checkpoint' ? { sampling } : sampling),
  };
}

/** More is no list to choose from. */
const MOST_MODELS = 100;
const LONGEST_NAME = 300;

function parseModels(list: unknown, url: string): OfferedModel[] {
  const host = hostOf(url);
  const { data } = (list ?? {}) as { data?: unknown };
  if (!Array.isArray(data)) {
    throw new AlignError('server-failed', `${host} answers, but with no list of models: it is no MetaAligner server.`);
  }
  const models = data.slice(0, MOST_MODELS).flatMap((entry: unknown) => {
    const { id, max_model_len: contextLength, metaaligner } = (entry ?? {}) as Record<string, unknown>;
    if (typeof id !== 'string' || id === '' || id.length > LONGEST_NAME) return [];
    if (typeof metaaligner !== 'object' || metaaligner === null) return [];
    const { family, variant } = metaaligner as Record<string, unknown>;
    return {
      id,
      family: TEMPLATE_IDS.find((known) => known === family),
      variant: VARIANTS.find((known) => known === variant),
      contextLength: isCount(contextLength) && contextLength > 0 ? contextLength : undefined,
    };
  });
  if (models.length > 0) return models;
  throw new AlignError(
    'server-failed',
    `${host} offers ${data.length} models, none through MetaAligner’s interface. “metaaligner serve --engine openai --upstream ${url}/v1” stands before such a server.`,
    { details: { host } },
  );
}

const FINISH_REASONS: readonly FinishReason[] = ['stop', 'length', 'cancelled'];

/**
 * @returns undefined for a type that a later server may send
 * @throws AlignError `server-failed` for an event that is not what it says
 */
function parseEvent(type: string, data: string, url: string): AlignEvent | undefined {
  const broken = (cause?: unknown) =>
    new AlignError('server-failed', `${hostOf(url)} sent a damaged “${type.slice(0, 40)}” event.`, { cause });
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch (cause) {
    throw broken(cause);
  }
  if (typeof value !== 'object' || value === null) throw broken();
  const event = value as Record<string, unknown>;
  const count = (one: unknown) => {
    if (!isCount(one)) throw broken();
    return one;
  };
  const text = (one: unknown) => {
    if (typeof one !== 'string') throw broken();
    return one;
  };
  const optional = (one: unknown) => (one === undefined || one === null ? undefined : count(one));
  switch (type) {
    case 'edit-start':
      return {
        type,
        promptTokens: optional(event.promptTokens),
        maxNewTokens: count(event.maxNewTokens),
        requestedNewTokens: count(event.requestedNewTokens),
      };
    case 'prompt-progress':
      return { type, readTokens: count(event.readTokens) };
    case 'edit-delta':
      return {
        type,
        text: text(event.text),
        editTokens: count(event.editTokens),
        elapsedMs: count(event.elapsedMs),
      };
    case 'edit-end': {
      const usage = (event.usage ?? {}) as Record<string, unknown>;
      const timings = (event.timings ?? {}) as Record<string, unknown>;
      const finishReason = FINISH_REASONS.find((known) => known === event.finishReason);
      if (finishReason === undefined) throw broken();
      return {
        type,
        edit: text(event.edit),
        tokenIds: Array.isArray(event.tokenIds) ? event.tokenIds.filter(isCount) : [],
        finishReason,
        usage: {
          promptTokens: count(usage.promptTokens),
          editTokens: count(usage.editTokens),
          steps: count(usage.steps),
        },
        timings: {
          timeToFirstTokenMs: optional(timings.timeToFirstTokenMs),
          totalMs: count(timings.totalMs),
          tokensPerSecond: optional(timings.tokensPerSecond),
        },
      };
    }
    default:
      return undefined;
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

/** What went wrong on the server after its answer had begun. Its device is not this one: no code of a device comes through. */
function streamError(url: string, data: string): AlignError {
  const said = errorSaid(data);
  if (said?.ours !== undefined) return said.ours;
  const { error } = JSON.parse(data === '' ? '{}' : data) as { error?: { code?: unknown } };
  const isPassing = error?.code === 'busy' || error?.code === 'stopped';
  return new AlignError(
    isPassing ? 'server-busy' : 'server-failed',
    `${hostOf(url)} broke off: ${said?.message ?? 'it did not say why'}`,
    { details: { host: hostOf(url), isAnswer: true, isDeadline: error?.code === 'deadline' } },
  );
}
