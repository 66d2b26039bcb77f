import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AlignerModel } from '../../src/align/align.ts';
import { localAligner } from '../../src/align/aligner.ts';
import { findObjective } from '../../src/align/objectives.ts';
import { buildPrompt } from '../../src/align/prompt.ts';
import { GREEDY } from '../../src/align/request.ts';
import { NODE_SUPPORT } from '../../src/engines/choose-variant.ts';
import { type FakeUpstream, sendJson, sendPieces, startFakeUpstream } from '../../src/engines/fake-upstream.fixture.ts';
import { loadModel } from '../../src/engines/load-model.ts';
import { startNodeEngine } from '../../src/engines/node-engine.ts';
import { OpenAiAligner } from '../../src/engines/openai-aligner.ts';
import { createScriptedEngine } from '../../src/engines/scripted-engine.ts';
import { Upstreams } from '../../src/engines/upstreams.ts';
import { openNodeFolder } from '../../src/weights/node-folder.ts';
import { type RunningServer, startServer } from '../main.ts';
import { alignAnswer, chatAnswer, completionAnswer, errorAnswer, modelsAnswer } from './answers.ts';
import { ServedModel, type ServedModelOptions } from './served-model.ts';

const DEMO = resolve(import.meta.dirname, '../../public/models/demo-aligner');
const ANSWER = 'You idiot. Rinse the rice and boil it in water.';
const REQUEST = {
  objectives: ['harmlessness'],
  context: 'Human: How do I cook rice?\n\nAssistant:',
  answer: ANSWER,
};
const MESSAGES = [
  { role: 'user', content: 'How do I cook rice?' },
  { role: 'assistant', content: ANSWER },
] as const;

const PROMPT = buildPrompt({
  ...REQUEST,
  objectives: [findObjective('harmlessness', 'hh-rlhf')],
  template: 'hh-rlhf',
  promptStyle: 'bare',
});

let root: string;
let demo: AlignerModel;
let running: RunningServer | undefined;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'metaaligner-api-'));
  await writeFile(join(root, 'index.html'), '<!doctype html><title>page</title>');
  demo = await loadDemo();
});
afterEach(async () => {
  await running?.close();
  running = undefined;
});
afterAll(async () => {
  await demo.engine.dispose();
  await rm(root, { recursive: true });
});

async function loadDemo(): Promise<AlignerModel> {
  const { model } = await loadModel(await openNodeFolder(DEMO), {
    support: NODE_SUPPORT,
    wish: { device: 'cpu', variant: 'q4' },
    startEngine: startNodeEngine({ directory: DEMO, concurrency: 4 }),
  });
  return model;
}

/** Closing the server unloads its model; the tests share one. */
const kept = (model: AlignerModel): AlignerModel => ({
  ...model,
  engine: new Proxy(model.engine, {
    get(target, name) {
      if (name === 'dispose') return async () => {};
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  }),
});

/** Writes the same token without an end. */
function endless(): AlignerModel {
  const { engine } = createScriptedEngine(() => 40, {
    config: { vocabularySize: demo.engine.vocabularySize, contextLength: 1_000_000, eosTokenIds: [] },
    onStep: () => new Promise((resolve) => setImmediate(resolve)),
  });
  return { ...demo, engine };
}

async function start(options: Partial<ServedModelOptions> = {}): Promise<{ url: string; served: ServedModel }> {
  const served = new ServedModel({
    id: 'demo-aligner',
    family: 'hh-rlhf',
    variant: 'q4',
    aligner: localAligner(kept(demo)),
    version: '1.2.3',
    maxWaiting: 100,
    deadlineMs: 60_000,
    ...options,
  });
  running = await startServer({ port: 0, pageDirectory: root, modelsDirectory: root, api: { served } });
  return { url: running.url, served };
}

function post(url: string, path: string, body: unknown, init: RequestInit = {}): Promise<Response> {
  return fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...init,
  });
}

async function softened(): Promise<string> {
  const { url } = await start();
  const { edit } = (await (await post(url, 'v1/align', { ...REQUEST, stream: false })).json()) as { edit: string };
  await running?.close();
  return edit;
}

describe('POST /v1/align', { timeout: 30_000 }, () => {
  it('answers with the edit, its finish reason, usage, and what ran where', async () => {
    const { url } = await start();
    const response = await post(url, 'v1/align', { ...REQUEST, stream: false });
    expect(response.status).toBe(200);
    const result = (await response.json()) as { edit: string; usage: { editTokens: number } };
    expect(result).toMatchObject({ finishReason: 'stop', model: 'demo-aligner', variant: 'q4', device: 'cpu' });
    expect(result.edit).not.toContain('idiot');
    expect(result.edit).toContain('Rinse the rice and boil it in water.');
    expect(result.usage.editTokens).toBeGreaterThan(5);
  });

  it('streams events whose texts make the same edit', async () => {
    const edit = await softened();
    const { url } = await start();
    const response = await post(url, 'v1/align', REQUEST);
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const events = (await response.text())
      .split('\n\n')
      .filter((block) => block !== '')
      .map((block) => JSON.parse(/^data: (.*)$/m.exec(block)![1]!) as { type: string; text?: string; edit?: string });
    expect(events[0]?.type).toBe('edit-start');
    expect(events.at(-1)).toMatchObject({ type: 'edit-end', edit });
    expect(events.map(({ text = '' }) => text).join('')).toBe(edit);
  });

  it('answers a list in order; a bad one among them leaves the others their edits', async () => {
    const edit = await softened();
    const { url } = await start();
    const tooLong = { ...REQUEST, answer: 'word '.repeat(3000) };
    const response = await post(url, 'v1/align', [REQUEST, tooLong, REQUEST]);
    expect(await response.json()).toMatchObject([
      { edit },
      { error: { code: 'prompt-too-long', message: expect.stringMatching(/reads 2,048/) as string } },
      { edit },
    ]);
  });

  it('takes an objective in one’s own words', async () => {
    const { url } = await start();
    const objectives = [{ name: 'Calm', description: 'The response should be calm' }];
    const response = await post(url, 'v1/align', { ...REQUEST, objectives, stream: false });
    expect(response.status).toBe(200);
  });

  it('reads an objective’s words as they stand in the prompt, where they are given so', async () => {
    const edit = await softened();
    const { url } = await start();
    const { label, description } = findObjective('harmlessness', 'hh-rlhf');
    const objectives = [{ name: label, promptText: description }];
    const response = await post(url, 'v1/align', { ...REQUEST, objectives, stream: false });
    expect(await response.json()).toMatchObject({ edit });
  });

  it('samples as the checkpoint says where it is asked to', async () => {
    const { url } = await start({
      aligner: localAligner({ ...kept(demo), checkpointSampling: { ...GREEDY, temperature: 50, seed: 7 } }),
    });
    const body = { ...REQUEST, maxNewTokens: 8, stream: false };
    const greedy = (await (await post(url, 'v1/align', body)).json()) as { edit: string };
    const sampled = (await (await post(url, 'v1/align', { ...body, sampling: 'checkpoint' })).json()) as typeof greedy;
    expect(sampled.edit).not.toBe(greedy.edit);
  });

  it.each([
    ['no JSON', '{"objectives"', 400, 'The body is no JSON'],
    ['an unknown objective', { ...REQUEST, objectives: ['harm'] }, 400, 'Known: harmlessness'],
    ['another model', { ...REQUEST, model: 'larger' }, 400, 'This server runs demo-aligner, not larger.'],
    ['no objective', { ...REQUEST, objectives: [] }, 400, 'objectives: '],
    ['a blank answer', { ...REQUEST, answer: ' \n' }, 400, 'The answer is blank'],
    ['a number for a text', { ...REQUEST, context: 1 }, 400, 'context: '],
    ['a field that does not exist', { ...REQUEST, maxTokens: 3 }, 400, 'maxTokens'],
    ['a temperature out of range', { ...REQUEST, temperature: -1 }, 400, 'temperature is -1'],
    ['a text that no model reads', { ...REQUEST, context: 'x'.repeat(40_000) }, 400, 'no more than 32,768 characters'],
    ['an empty list', [], 400, 'The body: '],
    ['a body that is too large', { ...REQUEST, context: 'x'.repeat(5 << 20) }, 413, 'larger than 4194304 bytes'],
  ])('refuses %s', async (_name, body, status, message) => {
    const { url } = await start();
    const response = await post(url, 'v1/align', body);
    expect(response.status).toBe(status);
    const { error } = (await response.json()) as { error: { message: string } };
    expect(error.message).toContain(message);
  });

  it('refuses what another site’s page could send without asking, and other host names', async () => {
    const { url } = await start();
    const form = await post(url, 'v1/align', REQUEST, { headers: { 'content-type': 'text/plain' } });
    expect(form.status).toBe(415);
    const preflight = await fetch(`${url}v1/align`, {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
    });
    expect(preflight.headers.get('access-control-allow-origin')).toBeNull();
  });

  it('answers anything with 4xx and nothing else that is no request', async () => {
    const { url } = await start();
    const paths = fc.constantFrom('v1/align', 'v1/completions', 'v1/chat/completions');
    await fc.assert(
      fc.asyncProperty(paths, fc.oneof(fc.json(), fc.string()), async (path, body) => {
        const response = await post(url, path, body);
        await response.arrayBuffer();
        expect(response.status).toBeGreaterThanOrEqual(400);
        expect(response.status).toBeLessThan(500);
      }),
      { numRuns: 300 },
    );
  });
});

it('tells its page beside the list of models that there is an interface', async () => {
  const { url } = await start();
  expect((await fetch(`${url}models/index.json`)).headers.get('link')).toBe('</openapi.json>; rel="service-desc"');
});

it('describes itself in OpenAPI, with the schemas that check the requests', async () => {
  const { url } = await start();
  const document = (await (await fetch(`${url}openapi.json`)).json()) as {
    info: object;
    paths: Record<string, { post?: { requestBody: { content: { 'application/json': { schema: unknown } } } } }>;
  };
  expect(document.info).toMatchObject({ version: '1.2.3' });
  for (const path of ['/v1/models', '/healthz', '/readyz']) {
    expect((await fetch(url + path.slice(1))).status).toBe(200);
    expect(document.paths).toHaveProperty([path]);
  }
  const schema = document.paths['/v1/align']!.post!.requestBody.content['application/json'].schema;
  expect(schema).toMatchObject({
    anyOf: [
      { required: ['objectives', 'context', 'answer'], additionalProperties: false },
      { type: 'array', minItems: 1, maxItems: 256 },
    ],
  });
});

it('answers as its OpenAPI document says', { timeout: 30_000 }, async () => {
  const { url } = await start();
  const ask = async (path: string, body: object) => (await (await post(url, path, body)).json()) as unknown;
  const tooLong = { ...REQUEST, answer: 'word '.repeat(3000) };
  alignAnswer.parse(await ask('v1/align', { ...REQUEST, stream: false }));
  alignAnswer.parse(await ask('v1/align', [REQUEST, tooLong]));
  completionAnswer.parse(await ask('v1/completions', { prompt: PROMPT, max_tokens: 3, return_token_ids: true }));
  completionAnswer.parse(await ask('v1/completions', { prompt: PROMPT, max_tokens: 3 }));
  chatAnswer.parse(await ask('v1/chat/completions', { messages: MESSAGES, objectives: ['harmlessness'] }));
  errorAnswer.parse(await ask('v1/align', tooLong));
  errorAnswer.parse(await ask('v1/align', { ...REQUEST, context: 1 }));
  modelsAnswer.parse(await (await fetch(`${url}v1/models`)).json());
});

describe('OpenAI’s client', { timeout: 30_000 }, () => {
  const clientOf = (url: string) => new OpenAI({ baseURL: `${url}v1`, apiKey: 'none', maxRetries: 0 });

  it('lists the model, and aligns the last message, whole and streamed', async () => {
    const edit = await softened();
    const { url } = await start();
    const client = clientOf(url);
    expect((await client.models.list()).data).toMatchObject([
      { id: 'demo-aligner', metaaligner: { version: '1.2.3', family: 'hh-rlhf', variant: 'q4', device: 'cpu' } },
    ]);
    const body = { model: 'demo-aligner', messages: [...MESSAGES], objectives: ['harmlessness'] };
    const whole = await client.chat.completions.create(body);
    expect(whole.choices[0]).toMatchObject({ message: { role: 'assistant', content: edit }, finish_reason: 'stop' });
    expect(whole.usage?.total_tokens).toBeGreaterThan(20);
    let text = '';
    const reasons: (string | null)[] = [];
    for await (const chunk of await client.chat.completions.create({ ...body, stream: true })) {
      text += chunk.choices[0]?.delta.content ?? '';
      reasons.push(chunk.choices[0]?.finish_reason ?? null);
    }
    expect(text).toBe(edit);
    expect(reasons.at(-1)).toBe('stop');
  });

  it('continues a prompt as it is, whole and streamed, as long as asked', async () => {
    const { url } = await start();
    const client = clientOf(url);
    const body = { model: 'demo-aligner', prompt: PROMPT, max_tokens: 5 };
    const whole = await client.completions.create(body);
    expect(whole.choices[0]?.finish_reason).toBe('length');
    expect(whole.usage?.completion_tokens).toBe(5);
    let text = '';
    for await (const chunk of await client.completions.create({ ...body, stream: true }))
      text += chunk.choices[0]?.text;
    expect(text).toBe(whole.choices[0]?.text);
  });

  it('gets the usage at the end of a stream where it asks for it', async () => {
    const { url } = await start();
    const client = clientOf(url);
    const body = { model: 'demo-aligner', prompt: PROMPT, max_tokens: 3 };
    const whole = await client.completions.create(body);
    const usages: unknown[] = [];
    const stream = await client.completions.create({ ...body, stream: true, stream_options: { include_usage: true } });
    for await (const chunk of stream) usages.push(chunk.usage);
    expect(usages.at(-1)).toEqual(whole.usage);
    expect(usages.slice(0, -1).every((usage) => usage === undefined)).toBe(true);
  });

  it('gets an error of its own kind for a conversation without an answer', async () => {
    const { url } = await start();
    const call = clientOf(url).chat.completions.create({
      model: 'x',
      messages: [MESSAGES[0], MESSAGES[0]],
      objectives: ['harmlessness'],
    } as never);
    await expect(call).rejects.toThrow(OpenAI.BadRequestError);
    await expect(call).rejects.toThrow('it must be the answer to align');
  });
});

describe('token ids, as vLLM has them', { timeout: 30_000 }, () => {
  it('are taken for a prompt and returned, whole and step by step', async () => {
    const { url } = await start();
    const prompt = [...demo.tokenizer.encode(PROMPT)];
    const body = { prompt, max_tokens: 6, return_token_ids: true };
    const whole = (await (await post(url, 'v1/completions', body)).json()) as {
      choices: { text: string; token_ids: number[] }[];
    };
    const { text, token_ids } = whole.choices[0]!;
    expect(token_ids).toHaveLength(6);
    expect(demo.tokenizer.decode(token_ids)).toBe(text);
    const asText = await post(url, 'v1/completions', { ...body, prompt: PROMPT });
    expect(await asText.json()).toMatchObject({ choices: whole.choices });
    const streamed = await (await post(url, 'v1/completions', { ...body, stream: true })).text();
    const ids = [...streamed.matchAll(/"token_ids":(\[[^\]]*\])/g)].flatMap(
      ([, list]) => JSON.parse(list!) as number[],
    );
    expect(ids).toEqual(token_ids);
    const penalized = await post(url, 'v1/completions', { ...body, repetition_penalty: 50, top_k: -1 });
    expect(await penalized.json()).not.toMatchObject({ choices: whole.choices });
  });

  it('of another model’s vocabulary are refused, and the context length is told', async () => {
    const { url } = await start();
    for (const prompt of [[1, 1_000_000], [-1], [1.5], [2 ** 31], []]) {
      expect((await post(url, 'v1/completions', { prompt })).status).toBe(400);
    }
    const models = await fetch(`${url}v1/models`);
    expect(await models.json()).toMatchObject({ data: [{ id: 'demo-aligner', max_model_len: 2048 }] });
  });
});

describe('before upstreams', { timeout: 30_000 }, () => {
  let upstream: FakeUpstream;
  beforeEach(async () => void (upstream = await startFakeUpstream()));
  afterEach(() => upstream.close());

  async function startBefore(stallMs = 10_000) {
    const upstreams = new Upstreams({
      urls: [upstream.url],
      apiKey: 'upstream-secret',
      model: 'aligner',
      stallMs,
      wait: async () => {},
    });
    const aligner = new OpenAiAligner(upstreams, { maxConcurrency: 8, contextLength: 2048 });
    return start({ aligner, variant: undefined, upstreamStates: () => upstreams.states });
  }

  it('answers as with a model of its own', async () => {
    const { url } = await startBefore();
    const whole = await post(url, 'v1/align', { ...REQUEST, stream: false });
    expect(await whole.json()).toMatchObject({ edit: 'Rinse it.', finishReason: 'stop', device: 'server' });
    const metrics = await (await fetch(`${url}metrics`)).text();
    const { host } = new URL(upstream.url);
    expect(metrics).toContain(`metaaligner_upstream_running{upstream="${host}"} 0`);
    expect(metrics).toContain(`metaaligner_upstream_out{upstream="${host}"} 0`);
  });

  it('answers 502, and 503 on /readyz, while none answers', async () => {
    upstream.answer = (response) => void response.destroy();
    const { url } = await startBefore();
    const response = await post(url, 'v1/align', REQUEST);
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ error: { type: 'server_error', code: 'server-unreachable' } });
    expect((await fetch(`${url}readyz`)).status).toBe(503);
    expect((await fetch(`${url}healthz`)).status).toBe(200);
  });

  it('tells of a key that the upstream refuses without showing it', async () => {
    upstream.answer = (response) => sendJson(response, 401, { error: { message: 'bad key upstream-secret' } });
    const { url } = await startBefore();
    const response = await post(url, 'v1/align', REQUEST);
    expect(response.status).toBe(502);
    expect(await response.text()).not.toContain('upstream-secret');
  });

  it('ends a stream in an error when the upstream dies within it', async () => {
    upstream.answer = (response) => {
      sendPieces(response, ['half']);
      response.end();
    };
    const { url } = await startBefore();
    const text = await (await post(url, 'v1/align', REQUEST)).text();
    expect(text).toContain('"text":"half"');
    expect(text).toMatch(/event: error\ndata: .*"code":"server-failed"/);
    expect(text).not.toContain('edit-end');
  });

  it('ends a stream in an error when the upstream stalls within it, and answers 502 when it does before', async () => {
    upstream.answer = (response) => sendPieces(response, ['half']);
    const { url } = await startBefore(100);
    const text = await (await post(url, 'v1/align', REQUEST)).text();
    expect(text).toContain('"text":"half"');
    expect(text).toMatch(/event: error\ndata: .*sent nothing for 0\.1 s/);
    upstream.answer = () => {};
    const response = await post(url, 'v1/align', REQUEST);
    expect(response.status).toBe(502);
    expect(await response.text()).toContain('sent nothing for 0.1 s');
  });

  it('throws in OpenAI’s client when the upstream dies within a stream', async () => {
    upstream.answer = (response) => {
      sendPieces(response, ['half']);
      response.end();
    };
    const { url } = await startBefore();
    const client = new OpenAI({ baseURL: `${url}v1`, apiKey: 'none', maxRetries: 0 });
    const stream = await client.completions.create({ model: 'aligner', prompt: 'Edit: ', stream: true });
    let text = '';
    const reading = (async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.text ?? '';
    })();
    await expect(reading).rejects.toThrow(/ended its answer after 1 pieces, unfinished/);
    expect(text).toBe('half');
  });

  it('lets the upstream know that the client has left', async () => {
    upstream.answer = (response) => sendPieces(response, ['half']);
    const { url, served } = await startBefore();
    const leave = new AbortController();
    await post(url, 'v1/align', REQUEST, { signal: leave.signal });
    leave.abort();
    await upstream.calls[0]!.ended;
    await vi.waitFor(() => expect(served.queue.running).toBe(0));
  });
});

describe('under load', { timeout: 30_000 }, () => {
  it('runs a few at a time, lets a bounded number wait, and tells others to come again', async () => {
    const { url, served } = await start({ aligner: localAligner(endless()), maxWaiting: 1 });
    const leave = new AbortController();
    const ask = () => post(url, 'v1/align', { ...REQUEST, maxNewTokens: 100_000 }, { signal: leave.signal });
    const [first, second] = [ask(), ask()];
    second.catch(() => {});
    await first;
    await vi.waitFor(() => expect(served.queue.waiting).toBe(1));
    const third = await ask();
    expect(third.status).toBe(429);
    expect(third.headers.get('retry-after')).toBe('1');
    // Clients that leave give their places back: the one that ran and the one that waited.
    leave.abort();
    await vi.waitFor(() => expect([served.queue.running, served.queue.waiting]).toEqual([0, 0]));
  });

  it('ends a request at its deadline', async () => {
    const { url, served } = await start({ aligner: localAligner(endless()), deadlineMs: 200 });
    const response = await post(url, 'v1/align', { ...REQUEST, maxNewTokens: 100_000, stream: false });
    expect(response.status).toBe(504);
    expect(served.queue.running).toBe(0);
    const metrics = await (await fetch(`${url}metrics`)).text();
    expect(metrics).toContain('metaaligner_requests_total{outcome="deadline"} 1');
  });

  it('counts for Prometheus how requests ended and what they took', async () => {
    const { url } = await start();
    await (await post(url, 'v1/align', { ...REQUEST, stream: false })).arrayBuffer();
    await (await post(url, 'v1/align', { ...REQUEST, answer: 'word '.repeat(3000) })).arrayBuffer();
    const response = await fetch(`${url}metrics`);
    expect(response.headers.get('content-type')).toContain('text/plain');
    const metrics = await response.text();
    expect(metrics).toContain('metaaligner_requests_total{outcome="done"} 1');
    expect(metrics).toContain('metaaligner_requests_total{outcome="refused"} 1');
    const valueOf = (name: string) => {
      const line = metrics.split('\n').find((each) => each.startsWith(`${name} `));
      return Number(line?.slice(name.length));
    };
    const edit = valueOf('metaaligner_tokens_total{kind="edit"}');
    expect(edit).toBeGreaterThan(0);
    // One that writes alone drafts: each step writes a token, and what was drafted rightly.
    const accepted = valueOf('metaaligner_accepted_draft_tokens_total');
    expect(valueOf('metaaligner_steps_total') + accepted).toBe(edit);
    expect(valueOf('metaaligner_resident_memory_bytes')).toBeGreaterThan(10e6);
    expect(metrics).toContain('metaaligner_time_to_first_token_seconds_count 1');
    expect(metrics).toContain('metaaligner_running 0');
  });

  it('tells a stream that the server is being stopped', async () => {
    const { url } = await start({ aligner: localAligner(endless()) });
    const response = await post(url, 'v1/align', { ...REQUEST, maxNewTokens: 100_000 });
    const text = response.text();
    await running?.close();
    running = undefined;
    expect(await text).toContain('"code":"stopped"');
  });

  it('answers forty at once as it answers one', async () => {
    const edit = await softened();
    const { url } = await start();
    const edits = await Promise.all(
      Array.from({ length: 40 }, async () => {
        const response = await post(url, 'v1/align', { ...REQUEST, stream: false });
        return ((await response.json()) as { edit: string }).edit;
      }),
    );
    expect(new Set(edits)).toEqual(new Set([edit]));
  });
});
