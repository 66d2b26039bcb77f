import { resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { align, type AlignerModel } from '../align/align.ts';
import { localAligner } from '../align/aligner.ts';
import type { AlignEvent } from '../align/edit.ts';
import { AlignError } from '../align/errors.ts';
import { customObjective, findObjective } from '../align/objectives.ts';
import { type AlignRequest, GREEDY } from '../align/request.ts';
import { NODE_SUPPORT } from '../engines/choose-variant.ts';
import { type FakeUpstream, sendJson, startFakeUpstream } from '../engines/fake-upstream.fixture.ts';
import { loadModel } from '../engines/load-model.ts';
import { startNodeEngine } from '../engines/node-engine.ts';
import { createScriptedEngine } from '../engines/scripted-engine.ts';
import { openNodeFolder } from '../weights/node-folder.ts';
import { ServedModel, type ServedModelOptions } from '../../server/api/served-model.ts';
import { makeKey, parseKeys } from '../../server/keys.ts';
import { type RunningServer, startServer, type StartOptions } from '../../server/main.ts';
import type { LogEntry } from '../../server/api/request-log.ts';
import { createServerClient } from './server-client.ts';

const DEMO = resolve(import.meta.dirname, '../../public/models/demo-aligner');
const REQUEST: AlignRequest = {
  objectives: [findObjective('harmlessness', 'hh-rlhf'), customObjective('Calm', 'The response should be calm')],
  context: 'Human: How do I cook rice?\n\nAssistant:',
  answer: 'You idiot. Rinse the rice and boil it in water.',
  template: 'hh-rlhf',
  promptStyle: 'bare',
  maxNewTokens: 64,
  sampling: GREEDY,
};

let demo: AlignerModel;
let running: RunningServer | undefined;
let upstream: FakeUpstream | undefined;
beforeAll(async () => {
  const { model } = await loadModel(await openNodeFolder(DEMO), {
    support: NODE_SUPPORT,
    wish: { device: 'cpu', variant: 'q4' },
    startEngine: startNodeEngine({ directory: DEMO, concurrency: 4 }),
  });
  demo = model;
});
afterEach(async () => {
  await running?.close();
  await upstream?.close();
  running = upstream = undefined;
});
afterAll(() => demo.engine.dispose());

interface ServerOptions extends Partial<ServedModelOptions>, Pick<StartOptions, 'hosts'> {
  keys?: ReturnType<typeof parseKeys>;
}

/** The real server, with the demo aligner unless a test has another one. */
async function start({ hosts, keys, ...options }: ServerOptions = {}) {
  const entries: LogEntry[] = [];
  const served = new ServedModel({
    id: 'demo-aligner',
    family: 'hh-rlhf',
    variant: 'q4',
    // Closing the server unloads its model; the tests share one.
    aligner: { ...localAligner(demo), dispose: async () => {} },
    version: '1.2.3',
    maxWaiting: 100,
    deadlineMs: 60_000,
    ...options,
  });
  running = await startServer({
    port: 0,
    pageDirectory: undefined,
    ...(hosts !== undefined && { hosts }),
    api: { served, keys, log: (entry) => entries.push(entry) },
  });
  return { url: running.url.slice(0, -1), served, entries };
}

function clientWith(key?: string, blockedOrigins: string[] = [], origin = 'http://page.example') {
  return createServerClient({ keyOf: () => key, page: { origin, blockedOrigins: new Set(blockedOrigins) } });
}

/** Writes the same token without an end. */
function endless() {
  const { engine } = createScriptedEngine(() => 40, {
    config: { vocabularySize: demo.engine.vocabularySize, contextLength: 1_000_000, eosTokenIds: [] },
    onStep: () => new Promise((resolve) => setImmediate(resolve)),
  });
  return localAligner({ ...demo, engine });
}

const at = (url: string, modelId = 'demo-aligner') => ({ kind: 'server' as const, url, modelId });
const failure = (call: Promise<unknown>) =>
  call.then(
    () => {
      throw new Error('It did not fail.');
    },
    (error: unknown) => error as AlignError,
  );

async function eventsOf(url: string, request = REQUEST, key?: string): Promise<AlignEvent[]> {
  const events: AlignEvent[] = [];
  await clientWith(key).align(at(url), request, (event) => events.push(event), new AbortController().signal);
  return events;
}

describe('a run on a server', () => {
  /** The events of the same path here, without what a clock tells. */
  async function here(request: AlignRequest): Promise<unknown[]> {
    const events: AlignEvent[] = [];
    for await (const event of align(request, demo, new AbortController().signal)) events.push(event);
    return events.map(timeless);
  }
  const timeless = (event: AlignEvent): unknown => {
    if (event.type === 'edit-delta') return { ...event, elapsedMs: 0 };
    return event.type === 'edit-end' ? { ...event, timings: {} } : event;
  };

  it.each([
    ['with objectives of the catalogue and one’s own', REQUEST],
    ['in the prompt’s other style', { ...REQUEST, promptStyle: 'vicuna' }],
    ['of another family', { ...REQUEST, template: 'ultrafeedback' }],
    ['as the checkpoint samples', { ...REQUEST, sampling: 'checkpoint' }],
    ['sampled', { ...REQUEST, sampling: { ...GREEDY, temperature: 2, topK: 50, topP: 0.9, seed: 3 } }],
    ['that is cut off', { ...REQUEST, maxNewTokens: 3 }],
    ['with letters of several bytes', { ...REQUEST, answer: 'Du Idiot 🍚. Wasche den Reis – gründlich.' }],
  ] as [string, AlignRequest][])('has the events of the same run here, %s', async (_name, request) => {
    const { url } = await start();
    const events = (await eventsOf(url, request)).map(timeless);
    const expected = await here(request);
    // How many tokens a step has is the engine's own: it differs where several requests may run at a time.
    const texts = (all: unknown[]) => all.map((event) => (event as { text?: string }).text ?? '').join('');
    expect(events[0]).toEqual(expected[0]);
    expect(texts(events)).toBe(texts(expected));
    expect(events.at(-1)).toMatchObject({
      ...(expected.at(-1) as object),
      usage: { steps: expect.any(Number) as number },
    });
  });

  it('ends as cancelled at an abort, with what there was, and the server stops within a step', async () => {
    const { url, served } = await start({ aligner: endless() });
    const aborter = new AbortController();
    const events: AlignEvent[] = [];
    await clientWith().align(
      at(url),
      { ...REQUEST, maxNewTokens: 100_000 },
      (event) => {
        events.push(event);
        if (events.length === 20) aborter.abort();
      },
      aborter.signal,
    );
    const end = events.at(-1);
    expect(events).toHaveLength(21);
    expect(end).toMatchObject({ type: 'edit-end', finishReason: 'cancelled' });
    const written = events.map((event) => (event.type === 'edit-delta' ? event.text : '')).join('');
    expect(end).toMatchObject({
      edit: written, // A letter a token.
      usage: { editTokens: written.length, promptTokens: expect.any(Number) as number },
    });
    await vi.waitFor(() => expect(served.queue.running).toBe(0));
  });

  it('that was aborted before it began asks nobody', async () => {
    const { url, entries } = await start();
    const events: AlignEvent[] = [];
    await clientWith().align(at(url), REQUEST, (event) => events.push(event), AbortSignal.abort());
    expect(events).toMatchObject([{ type: 'edit-end', finishReason: 'cancelled', edit: '' }]);
    expect(entries).toEqual([]);
  });

  it('is refused here where there is nothing to send, and there with the server’s own words', async () => {
    const { url, entries } = await start();
    expect(await failure(eventsOf(url, { ...REQUEST, answer: ' ' }))).toMatchObject({ code: 'invalid-request' });
    expect(entries).toEqual([]);
    const tooLong = await failure(eventsOf(url, { ...REQUEST, answer: 'word '.repeat(3000) }));
    expect(tooLong.toJSON()).toMatchObject({
      code: 'prompt-too-long',
      message: expect.stringMatching(/^The prompt is [\d,]+ tokens and the model reads 2,048, .*too many\.$/) as string,
      remedy: 'Shorten the context or the answer, or choose a model with a longer context.',
    });
  });

  it('is refused where the server runs another model by now', async () => {
    const { url } = await start({ id: 'another' });
    expect(await failure(eventsOf(url))).toMatchObject({
      code: 'unknown-name',
      message: 'This server runs another, not demo-aligner.',
    });
  });

  it('says that the server is busy, and when it may be asked again', async () => {
    const { url, served } = await start({ aligner: { ...endless(), maxConcurrency: 1 }, maxWaiting: 0 });
    const aborter = new AbortController();
    const first = clientWith().align(at(url), { ...REQUEST, maxNewTokens: 100_000 }, () => {}, aborter.signal);
    await vi.waitFor(() => expect(served.queue.running).toBe(1));
    const busy = await failure(eventsOf(url));
    expect(busy.code).toBe('server-busy');
    expect(busy.message).toMatch(/^127\.0\.0\.1:\d+ answered 429: 1 requests run .* It may be asked again in 1 s\.$/);
    expect(busy.details.retryAfterMs).toBe(1000);
    aborter.abort();
    await first;
  });

  it('says that the server is being stopped, after what had come', async () => {
    const { url } = await start({ aligner: endless() });
    const events: AlignEvent[] = [];
    let stopped: Promise<unknown> | undefined;
    const run = clientWith().align(
      at(url),
      { ...REQUEST, maxNewTokens: 100_000 },
      (event) => {
        events.push(event);
        if (events.length === 5) stopped = running?.close(0);
      },
      new AbortController().signal,
    );
    expect(await failure(run)).toMatchObject({
      code: 'server-busy',
      message: expect.stringMatching(/broke off: The server is being stopped/) as string,
    });
    expect(events.filter(({ type }) => type === 'edit-delta').length).toBeGreaterThan(3);
    await stopped;
  });

  it('passes its deadline on', async () => {
    const { url } = await start({ aligner: endless(), deadlineMs: 100 });
    const late = await failure(eventsOf(url, { ...REQUEST, maxNewTokens: 100_000 }));
    expect(late).toMatchObject({
      code: 'server-failed',
      message: expect.stringMatching(/took longer than 0.1 s/) as string,
      details: { isAnswer: true, isDeadline: true },
    });
  });

  it('tells of no device’s failure as if it were this one’s', async () => {
    const { engine } = createScriptedEngine(() => 40, {
      config: { vocabularySize: demo.engine.vocabularySize, contextLength: 2048, eosTokenIds: [] },
      onStep: () => Promise.reject(new AlignError('device-lost', 'The GPU of the server is gone.')),
    });
    const { url } = await start({ aligner: localAligner({ ...demo, engine }) });
    const lost = await failure(eventsOf(url));
    expect(['server-failed', 'server-busy']).toContain(lost.code);
    if (lost.code === 'server-failed') expect(lost.details).toMatchObject({ isAnswer: true, isDeadline: false });
    expect(lost.message).toContain('The GPU of the server is gone.');
    expect(lost.message).not.toContain('close other tabs');
  });
});

describe('what a server offers', () => {
  it('is told with what it is', async () => {
    const { url } = await start();
    expect(await clientWith().models(url)).toEqual([
      { id: 'demo-aligner', family: 'hh-rlhf', variant: 'q4', contextLength: 2048 },
    ]);
  });

  it('needs a key where the server has keys, which goes to nobody else', async () => {
    const { key, line } = makeKey('alice', undefined);
    const { url, entries } = await start({ keys: parseKeys(line, 'keys') });
    expect((await failure(clientWith().models(url))).message).toMatch(/^127\.0\.0\.1:\d+ needs a key\.$/);
    const wrong = await failure(clientWith('ma-wrong').models(url));
    expect(wrong).toMatchObject({
      code: 'key-refused',
      message: expect.stringMatching(/does not know this key\.$/) as string,
    });
    expect(JSON.stringify(wrong)).not.toContain('ma-wrong');
    expect(await clientWith(key).models(url)).toHaveLength(1);
    expect((await eventsOf(url, REQUEST, key)).at(-1)).toMatchObject({ finishReason: 'stop' });
    await vi.waitFor(() => expect(entries.map(({ status }) => status)).toEqual([401, 401, 200, 200]));
  });

  it('is not there where nothing answers', async () => {
    const { url } = await start();
    await running?.close();
    const gone = await failure(clientWith().models(url));
    expect(gone.code).toBe('server-unreachable');
    expect(gone.message).toMatch(/^127\.0\.0\.1:\d+ cannot be reached from this page/);
  });

  it('says what kept the page from calling, and the option that lets it', async () => {
    const { url } = await start();
    await running?.close();
    const blocked = await failure(clientWith(undefined, [url]).models(url));
    expect(blocked).toMatchObject({
      code: 'call-not-allowed',
      message: expect.stringContaining(`“--server ${url}”`) as string,
    });
    const mixed = await failure(clientWith(undefined, [], 'https://page.example').models('http://10.255.255.1:1'));
    expect(mixed).toMatchObject({
      code: 'call-not-allowed',
      message: expect.stringMatching(/came over https/) as string,
    });
  }, 40_000);

  it.each([
    [
      'answers 404',
      (fake: FakeUpstream) => (fake.list = (response) => sendJson(response, 404, {})),
      /has no MetaAligner interface/,
    ],
    [
      'lists nothing',
      (fake: FakeUpstream) => (fake.list = (response) => sendJson(response, 200, { data: 3 })),
      /no list of models/,
    ],
    ['speaks OpenAI’s interface alone', () => {}, /“metaaligner serve --engine openai --upstream http/],
    [
      'sends a page',
      (fake: FakeUpstream) => (fake.list = (response) => response.writeHead(200).end('<!doctype html>')),
      /no JSON/,
    ],
  ] as [string, (fake: FakeUpstream) => void, RegExp][])(
    'is nothing where the server %s',
    async (_name, prepare, message) => {
      upstream = await startFakeUpstream();
      prepare(upstream);
      const url = upstream.url.replace(/\/v1$/, '');
      expect(await failure(clientWith().models(url))).toMatchObject({
        code: 'server-failed',
        message: expect.stringMatching(message) as string,
      });
    },
  );
});

describe('a stream that is not whole', () => {
  const EVENT = 'event: edit-delta\ndata: {"text":"Rinse","editTokens":1,"elapsedMs":5}\n\n';

  async function read(body: string, end: (response: import('node:http').ServerResponse) => void = (one) => one.end()) {
    upstream = await startFakeUpstream();
    upstream.answer = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(body, () => end(response));
    };
    const events: AlignEvent[] = [];
    const { signal } = new AbortController();
    const url = upstream.url.replace(/\/v1$/, '');
    const error = await failure(clientWith().align(at(url), REQUEST, (event) => events.push(event), signal));
    return { events, error };
  }

  it('keeps what had come, and says that the end is missing', async () => {
    const { events, error } = await read(EVENT);
    expect(events).toMatchObject([{ text: 'Rinse' }]);
    expect(error).toMatchObject({ code: 'server-failed' });
    expect(error.message).toMatch(/ended its answer before the edit was whole/);
  });

  it('says so where the connection breaks', async () => {
    const { events, error } = await read(EVENT, (response) => response.destroy());
    expect(events).toHaveLength(1);
    expect(error).toMatchObject({ code: 'server-failed' });
  });

  it.each([
    ['event: edit-delta\ndata: {"text":3,"editTokens":1,"elapsedMs":5}\n\n'],
    ['event: edit-delta\ndata: {"text":"a"\n\n'],
    ['event: edit-end\ndata: {"edit":"a","finishReason":"tired","usage":{},"timings":{}}\n\n'],
    ['event: edit-start\ndata: null\n\n'],
  ])('trusts no event that is not what it says: %j', async (body) => {
    const { events, error } = await read(body);
    expect(events).toEqual([]);
    expect(error.message).toMatch(/sent a damaged “edit-/);
  });

  it('passes over what a later server may send', async () => {
    const { events, error } = await read(`event: mood\ndata: {}\n\n${EVENT}`);
    expect(events).toHaveLength(1);
    expect(error.message).toMatch(/before the edit was whole/);
  });
});
