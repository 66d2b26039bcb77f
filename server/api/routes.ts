import { setMaxListeners } from 'node:events';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { streamSSE, type SSEStreamingApi } from 'hono/streaming';
import type { AlignEvent, FinishReason } from '../../src/align/edit.ts';
import type { SamplingOptions } from '../../src/align/engine.ts';
import { AlignError } from '../../src/align/errors.ts';
import { type AlignRequest, DEFAULT_MAX_NEW_TOKENS, GREEDY } from '../../src/align/request.ts';
import { formatMessages } from '../../src/batch/columns.ts';
import type { KeyEntry } from '../keys.ts';
import { describeError, errorResponse, logBug } from './errors.ts';
import { admit, allowOrigins, cutSlowReaders, jsonOnly, refuse, requireKey } from './guards.ts';
import { openApiDocument } from './openapi.ts';
import { type ApiEnv, type LogEntry, requestLog } from './request-log.ts';
import {
  type AlignBody,
  alignBodies,
  alignBody,
  type ChatBody,
  chatBody,
  completionBody,
  toAlignRequest,
} from './requests.ts';
import type { ServedModel } from './served-model.ts';
import type { Client } from './work-queue.ts';

const MAX_BODY_BYTES = 4 << 20;

export interface ApiOptions {
  served: ServedModel;
  /** Who may call; undefined: everyone. */
  keys?: readonly KeyEntry[] | undefined;
  /** Of pages that may call, beside the server's own. */
  origins?: readonly string[];
  /** A client that takes nothing for so long is cut off. */
  slowReaderMs?: number;
  log?: (entry: LogEntry) => void;
  /** What is asked and answered goes into the log too. Off by default. */
  logsTexts?: boolean;
}

/** `/v1/align`, OpenAI's `/v1/completions`, `/v1/chat/completions` and `/v1/models`, `/openapi.json`, `/metrics`, `/healthz`, `/readyz`. */
export function apiRoutes({
  served,
  keys,
  origins = [],
  slowReaderMs = 30_000,
  log = () => {},
  logsTexts = false,
}: ApiOptions): Hono<ApiEnv> {
  const api = new Hono<ApiEnv>();
  const created = Math.floor(Date.now() / 1000);
  // Any page may read this: one that is not listed learns that the server is there, so it can say what is missing.
  api.get('/healthz', (context) => context.text('ok\n', 200, { 'Access-Control-Allow-Origin': '*' }));
  api.get('/readyz', (context) => {
    const { unreadiness } = served;
    return unreadiness === undefined ? context.text('ready\n') : context.text(`${unreadiness}\n`, 503);
  });
  api.get('/openapi.json', (context) => context.json(openApiDocument(served.version)));
  api.use(
    '/metrics',
    requestLog(() => {}),
    requireKey(keys),
  );
  api.get('/metrics', async (context) =>
    context.body(await served.metrics.text(), 200, { 'Content-Type': served.metrics.contentType }),
  );
  const answered = (entry: LogEntry) => {
    served.metrics.answered(entry);
    log(entry);
  };
  api.use('/v1/*', requestLog(answered, logsTexts), cutSlowReaders(slowReaderMs));
  api.use('/v1/*', allowOrigins(origins), requireKey(keys), jsonOnly(), admit(served.admission));
  api.use(
    '/v1/*',
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: (context: Context<ApiEnv>) =>
        refuse(
          context,
          413,
          'invalid_request_error',
          'invalid-request',
          `The body is larger than ${MAX_BODY_BYTES} bytes.`,
        ),
    }),
  );
  api.get('/v1/models', (context) =>
    context.json({
      object: 'list',
      data: [
        {
          id: served.id,
          object: 'model',
          created,
          owned_by: 'metaaligner',
          // vLLM's.
          max_model_len: served.contextLength,
          // Ours: what a client that knows /v1/align chooses by.
          metaaligner: {
            version: served.version,
            family: served.family,
            variant: served.variant,
            device: served.device,
          },
        },
      ],
    }),
  );
  const post = (path: string, route: (call: Call) => Promise<Response>) =>
    api.post(path, async (context) => {
      try {
        return await route({ context, served, slowReaderMs });
      } catch (error) {
        return errorResponse(context, error);
      }
    });
  post('/v1/align', alignRoute);
  post('/v1/completions', completionsRoute);
  post('/v1/chat/completions', chatRoute);
  return api;
}

/** What a route works with. */
interface Call {
  context: Context<ApiEnv>;
  served: ServedModel;
  slowReaderMs: number;
}

async function alignRoute(call: Call): Promise<Response> {
  const { context, served } = call;
  const body = await readJson(context);
  const { signal } = context.req.raw;
  if (Array.isArray(body)) {
    const requests = alignBodies.parse(body);
    for (const one of requests) checkModel(one, served);
    const runs = requests.map((one) => toAlignRequest(one, served.family));
    return context.json(await alignAll(call, runs));
  }
  const parsed = alignBody.parse(body);
  checkModel(parsed, served);
  const events = served.align(toAlignRequest(parsed, served.family), signal, clientOf(context));
  if (parsed.stream === false) return context.json(resultOf(served, await endOf(call, events)));
  return streamed(call, events, async (stream, event) => {
    await stream.writeSSE({ event: event.type, data: JSON.stringify(event) });
  });
}

/** @throws AlignError `unknown-name` for a request that was meant for another model */
function checkModel({ model }: AlignBody, { id }: ServedModel): void {
  if (model === undefined || model === id) return;
  throw new AlignError('unknown-name', `This server runs ${id}, not ${model}.`, { details: { model, known: [id] } });
}

/** So many at a time as the model runs: a list takes no more places than the requests of others may have. */
async function alignAll(call: Call, runs: readonly AlignRequest[]): Promise<unknown[]> {
  const { context, served } = call;
  const { signal } = context.req.raw;
  const client = clientOf(context);
  // Each run listens to it.
  setMaxListeners(0, signal);
  const results: unknown[] = [];
  const rest = runs.entries();
  const worker = async () => {
    for (const [i, run] of rest) {
      try {
        results[i] = resultOf(served, await endOf(call, served.align(run, signal, client)));
      } catch (error) {
        // The others of the batch keep their edits.
        const described = describeError(error);
        if (described === undefined || signal.aborted) throw error;
        results[i] = described.body;
      }
    }
  };
  await Promise.all(Array.from({ length: served.queue.atATime }, worker));
  return results;
}

async function completionsRoute(call: Call): Promise<Response> {
  const { context, served } = call;
  const body = completionBody.parse(await readJson(context));
  const withTokenIds = body.return_token_ids === true;
  const options = { maxNewTokens: maxTokensOf(body.max_tokens), sampling: samplingOf(body), withTokenIds };
  const prompt = typeof body.prompt === 'string' ? body.prompt : Int32Array.from(body.prompt);
  const events = served.complete(prompt, options, context.req.raw.signal, clientOf(context));
  const base = { id: newId('cmpl'), object: 'text_completion', created: seconds(), model: served.id };
  const choice = (text: string, reason: FinishReason | null, tokenIds?: readonly number[]) => ({
    choices: [
      { index: 0, text, logprobs: null, finish_reason: reason, ...(withTokenIds && { token_ids: tokenIds ?? [] }) },
    ],
  });
  if (body.stream === true) {
    return streamedChunks(call, events, body, base, ({ text, tokenIds }, reason) => choice(text, reason, tokenIds));
  }
  const { edit, finishReason, usage, tokenIds } = await endOf(call, events);
  return context.json({ ...base, ...choice(edit, finishReason, tokenIds), usage: usageOf(usage) });
}

async function chatRoute(call: Call): Promise<Response> {
  const { context, served } = call;
  const body = chatBody.parse(await readJson(context));
  const events = served.align(toChatRequest(body, served), context.req.raw.signal, clientOf(context));
  const base = { id: newId('chatcmpl'), created: seconds(), model: served.id };
  if (body.stream === true) {
    const chunkBase = { ...base, object: 'chat.completion.chunk' };
    return streamedChunks(call, events, body, chunkBase, ({ text }, reason) => ({
      choices: [{ index: 0, delta: text === '' ? {} : { role: 'assistant', content: text }, finish_reason: reason }],
    }));
  }
  const { edit, finishReason, usage } = await endOf(call, events);
  const message = { role: 'assistant', content: edit, refusal: null };
  return context.json({
    ...base,
    object: 'chat.completion',
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishReason }],
    usage: usageOf(usage),
  });
}

function toChatRequest(body: ChatBody, served: ServedModel) {
  const answer = body.messages.at(-1);
  if (answer?.role !== 'assistant') {
    throw new AlignError(
      'invalid-request',
      `The last message is the ${answer?.role}’s; it must be the answer to align.`,
    );
  }
  const template = served.family ?? 'hh-rlhf';
  const turns = body.messages.slice(0, -1).map(({ role, content }) => ({ role, content }));
  return toAlignRequest(
    {
      ...samplingOf(body),
      objectives: body.objectives,
      context: formatMessages(turns, template),
      answer: answer.content,
      maxNewTokens: maxTokensOf(body.max_completion_tokens ?? body.max_tokens),
    },
    template,
  );
}

/** Whose line a request waits in: its key's, or its address's. */
function clientOf(context: Context<ApiEnv>): Client {
  return context.get('facts').key ?? context.env.incoming.socket.remoteAddress;
}

async function readJson(context: Context<ApiEnv>): Promise<unknown> {
  try {
    const body = (await context.req.json()) as unknown;
    const { texts } = context.get('facts');
    if (texts !== undefined) texts.request = body;
    return body;
  } catch (cause) {
    throw new AlignError('invalid-request', `The body is no JSON: ${(cause as Error).message}.`, { cause });
  }
}

type EditEnd = Extract<AlignEvent, { type: 'edit-end' }>;

async function endOf({ context }: Call, events: AsyncIterable<AlignEvent>): Promise<EditEnd> {
  for await (const event of events) {
    if (event.type !== 'edit-end') continue;
    count(context, event);
    return event;
  }
  throw new Error('A run ended without edit-end; this is a bug.');
}

/** For the log. */
function count(context: Context<ApiEnv>, { edit, usage: { promptTokens, editTokens } }: EditEnd): void {
  const { usage, texts } = context.get('facts');
  texts?.edits.push(edit);
  usage.promptTokens += promptTokens;
  usage.editTokens += editTokens;
}

function resultOf(served: ServedModel, { edit, finishReason, usage, timings }: EditEnd) {
  return { edit, finishReason, usage, timings, model: served.id, variant: served.variant, device: served.device };
}

/**
 * The first event decides the status: what fails before anything was written is an error like any other. A reader that is slow
 * slows its own run down, and one that takes nothing any more is cut off.
 */
async function streamed(
  { context, slowReaderMs }: Call,
  events: AsyncGenerator<AlignEvent, void, void>,
  write: (stream: SSEStreamingApi, event: AlignEvent) => Promise<void>,
  end?: (stream: SSEStreamingApi) => Promise<void>,
): Promise<Response> {
  const first = await events.next();
  const facts = context.get('facts');
  const { outgoing } = context.env;
  const inTime = async (writing: Promise<unknown> | undefined) => {
    const timer = setTimeout(() => {
      facts.errorCode = 'slow-reader';
      outgoing.destroy();
    }, slowReaderMs);
    try {
      await writing;
    } finally {
      clearTimeout(timer);
    }
  };
  return streamSSE(context, async (stream) => {
    // A client that left is told of nothing, and its run ends within a step.
    stream.onAbort(() => void events.return(undefined));
    try {
      for (let step = first; step.done !== true; step = await events.next()) {
        if (step.value.type === 'edit-end') count(context, step.value);
        await inTime(write(stream, step.value));
      }
      await inTime(end?.(stream));
    } catch (error) {
      if (context.req.raw.signal.aborted) return;
      const described = describeError(error);
      if (described === undefined) logBug(error);
      const body = described?.body ?? { error: { message: 'The server failed.', type: 'server_error', code: 'bug' } };
      facts.errorCode = body.error.code;
      await inTime(stream.writeSSE({ event: 'error', data: JSON.stringify(body) }));
    } finally {
      await events.return(undefined);
    }
  });
}

/** OpenAI's chunks; with `stream_options.include_usage` a last one has no choice and the usage. */
function streamedChunks(
  call: Call,
  events: AsyncGenerator<AlignEvent, void, void>,
  { stream_options }: { stream_options?: { include_usage?: boolean | null | undefined } | null | undefined },
  base: object,
  chunkOf: (piece: { text: string; tokenIds?: readonly number[] }, reason: FinishReason | null) => object,
): Promise<Response> {
  return streamed(
    call,
    events,
    async (stream, event) => {
      const write = (chunk: object) => stream.writeSSE({ data: JSON.stringify({ ...base, ...chunk }) });
      if (event.type === 'edit-delta') await write(chunkOf(event, null));
      if (event.type !== 'edit-end') return;
      await write(chunkOf({ text: '' }, event.finishReason));
      if (stream_options?.include_usage === true) await write({ choices: [], usage: usageOf(event.usage) });
    },
    async (stream) => stream.writeSSE({ data: '[DONE]' }),
  );
}

function samplingOf(
  body: Partial<Record<'temperature' | 'top_p' | 'top_k' | 'repetition_penalty' | 'seed', number | null | undefined>>,
): SamplingOptions {
  const { temperature, top_p, top_k, repetition_penalty, seed } = body;
  // Greedy unless asked otherwise, as the published models are run; OpenAI's own default is a temperature of 1.
  return {
    ...GREEDY,
    temperature: temperature ?? GREEDY.temperature,
    topP: top_p ?? GREEDY.topP,
    // vLLM's -1 is our 0: keep all.
    topK: Math.max(top_k ?? GREEDY.topK, 0),
    repetitionPenalty: repetition_penalty ?? GREEDY.repetitionPenalty,
    seed: seed ?? GREEDY.seed,
  };
}

function maxTokensOf(given: number | null | undefined): number {
  const count = given ?? DEFAULT_MAX_NEW_TOKENS;
  if (Number.isInteger(count) && count >= 1) return count;
  throw new AlignError('invalid-request', `max_tokens is ${count}; it must be a whole number of at least 1.`);
}

function usageOf({ promptTokens, editTokens }: EditEnd['usage']) {
  return { prompt_tokens: promptTokens, completion_tokens: editTokens, total_tokens: promptTokens + editTokens };
}

function newId(kind: string): string {
  return `${kind}-${crypto.randomUUID()}`;
}

function seconds(): number {
  return Math.floor(Date.now() / 1000);
}
