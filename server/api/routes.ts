import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { streamSSE, type SSEStreamingApi } from 'hono/streaming';
import { z } from 'zod';
import type { AlignEvent, FinishReason } from '../../src/align/edit.ts';
import type { SamplingOptions } from '../../src/align/engine.ts';
import { AlignError } from '../../src/align/errors.ts';
import { DEFAULT_MAX_NEW_TOKENS, GREEDY } from '../../src/align/request.ts';
import { formatMessages } from '../../src/batch/columns.ts';
import { describeError, errorResponse } from './errors.ts';
import { openApiDocument } from './openapi.ts';
import { alignBody, type ChatBody, chatBody, completionBody, toAlignRequest } from './requests.ts';
import type { ServedModel } from './served-model.ts';

const MAX_BODY_BYTES = 4 << 20;
const MAX_BATCH = 256;

/** `/v1/align`, OpenAI's `/v1/completions`, `/v1/chat/completions` and `/v1/models`, `/openapi.json`, `/metrics`, `/healthz`, `/readyz`. */
export function apiRoutes(served: ServedModel): Hono {
  const api = new Hono();
  const created = Math.floor(Date.now() / 1000);
  api.get('/healthz', (context) => context.text('ok\n'));
  api.get('/readyz', (context) => {
    const { unreadiness } = served;
    return unreadiness === undefined ? context.text('ready\n') : context.text(`${unreadiness}\n`, 503);
  });
  api.get('/metrics', async (context) =>
    context.body(await served.metrics.text(), 200, { 'Content-Type': served.metrics.contentType }),
  );
  api.get('/openapi.json', (context) => context.json(openApiDocument(served.version)));
  api.get('/v1/models', (context) =>
    context.json({
      object: 'list',
      data: [
        // The last is vLLM's.
        { id: served.id, object: 'model', created, owned_by: 'metaaligner', max_model_len: served.contextLength },
      ],
    }),
  );
  api.use('/v1/*', async (context, next) => {
    if (context.req.method !== 'POST') return next();
    if (!/^application\/json\b/i.test(context.req.header('content-type') ?? '')) {
      const message = 'The body must be JSON, with the content type application/json.';
      return context.json({ error: { message, type: 'invalid_request_error', code: 'invalid-request' } }, 415);
    }
    return next();
  });
  api.use(
    '/v1/*',
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: (context) => {
        const message = `The body is larger than ${MAX_BODY_BYTES} bytes.`;
        return context.json({ error: { message, type: 'invalid_request_error', code: 'invalid-request' } }, 413);
      },
    }),
  );
  api.post('/v1/align', (context) => answered(context, () => alignRoute(context, served)));
  api.post('/v1/completions', (context) => answered(context, () => completionsRoute(context, served)));
  api.post('/v1/chat/completions', (context) => answered(context, () => chatRoute(context, served)));
  return api;
}

async function answered(context: Context, answer: () => Promise<Response>): Promise<Response> {
  try {
    return await answer();
  } catch (error) {
    return errorResponse(context, error);
  }
}

async function alignRoute(context: Context, served: ServedModel): Promise<Response> {
  const body = await readJson(context);
  const { signal } = context.req.raw;
  if (Array.isArray(body)) {
    const requests = z.array(alignBody).min(1).max(MAX_BATCH).parse(body);
    const runs = requests.map((one) => toAlignRequest(one, served.family));
    const results = await Promise.all(
      runs.map(async (run) => {
        try {
          return resultOf(served, await endOf(served.align(run, signal)));
        } catch (error) {
          // The others of the batch keep their edits.
          const described = describeError(error);
          if (described === undefined || signal.aborted) throw error;
          return described.body;
        }
      }),
    );
    return context.json(results);
  }
  const parsed = alignBody.parse(body);
  const events = served.align(toAlignRequest(parsed, served.family), signal);
  if (parsed.stream === false) return context.json(resultOf(served, await endOf(events)));
  return streamed(context, events, async (stream, event) => {
    await stream.writeSSE({ event: event.type, data: JSON.stringify(event) });
  });
}

async function completionsRoute(context: Context, served: ServedModel): Promise<Response> {
  const body = completionBody.parse(await readJson(context));
  const withTokenIds = body.return_token_ids === true;
  const options = { maxNewTokens: maxTokensOf(body.max_tokens), sampling: samplingOf(body), withTokenIds };
  const prompt = typeof body.prompt === 'string' ? body.prompt : Int32Array.from(body.prompt);
  const events = served.complete(prompt, options, context.req.raw.signal);
  const base = { id: newId('cmpl'), object: 'text_completion', created: seconds(), model: served.id };
  const choice = (text: string, reason: FinishReason | null, tokenIds?: readonly number[]) => ({
    choices: [
      { index: 0, text, logprobs: null, finish_reason: reason, ...(withTokenIds && { token_ids: tokenIds ?? [] }) },
    ],
  });
  if (body.stream === true) {
    return streamedChunks(context, events, body, base, ({ text, tokenIds }, reason) => choice(text, reason, tokenIds));
  }
  const { edit, finishReason, usage, tokenIds } = await endOf(events);
  return context.json({ ...base, ...choice(edit, finishReason, tokenIds), usage: usageOf(usage) });
}

async function chatRoute(context: Context, served: ServedModel): Promise<Response> {
  const body = chatBody.parse(await readJson(context));
  const events = served.align(toChatRequest(body, served), context.req.raw.signal);
  const base = { id: newId('chatcmpl'), created: seconds(), model: served.id };
  if (body.stream === true) {
    const chunkBase = { ...base, object: 'chat.completion.chunk' };
    return streamedChunks(context, events, body, chunkBase, ({ text }, reason) => ({
      choices: [{ index: 0, delta: text === '' ? {} : { role: 'assistant', content: text }, finish_reason: reason }],
    }));
  }
  const { edit, finishReason, usage } = await endOf(events);
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

async function readJson(context: Context): Promise<unknown> {
  try {
    return (await context.req.json()) as unknown;
  } catch (cause) {
    throw new AlignError('invalid-request', `The body is no JSON: ${(cause as Error).message}.`, { cause });
  }
}

type EditEnd = Extract<AlignEvent, { type: 'edit-end' }>;

async function endOf(events: AsyncIterable<AlignEvent>): Promise<EditEnd> {
  for await (const event of events) if (event.type === 'edit-end') return event;
  throw new Error('A run ended without edit-end; this is a bug.');
}

function resultOf(served: ServedModel, { edit, finishReason, usage, timings }: EditEnd) {
  return { edit, finishReason, usage, timings, model: served.id, variant: served.variant, device: served.device };
}

/** The first event decides the status: what fails before anything was written is an error like any other. */
async function streamed(
  context: Context,
  events: AsyncGenerator<AlignEvent, void, void>,
  write: (stream: SSEStreamingApi, event: AlignEvent) => Promise<void>,
  end?: (stream: SSEStreamingApi) => Promise<void>,
): Promise<Response> {
  const first = await events.next();
  return streamSSE(context, async (stream) => {
    // A client that left is told of nothing, and its run ends within a step.
    stream.onAbort(() => void events.return(undefined));
    try {
      if (first.done !== true) await write(stream, first.value);
      for await (const event of events) await write(stream, event);
      await end?.(stream);
    } catch (error) {
      if (context.req.raw.signal.aborted) return;
      const described = describeError(error);
      if (described === undefined) console.error(error);
      const body = described?.body ?? { error: { message: 'The server failed.', type: 'server_error', code: 'bug' } };
      await stream.writeSSE({ event: 'error', data: JSON.stringify(body) });
    }
  });
}

/** OpenAI's chunks; with `stream_options.include_usage` a last one has no choice and the usage. */
function streamedChunks(
  context: Context,
  events: AsyncGenerator<AlignEvent, void, void>,
  { stream_options }: { stream_options?: { include_usage?: boolean | null | undefined } | null | undefined },
  base: object,
  chunkOf: (piece: { text: string; tokenIds?: readonly number[] }, reason: FinishReason | null) => object,
): Promise<Response> {
  return streamed(
    context,
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
