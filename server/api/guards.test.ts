import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { localAligner } from '../../src/align/aligner.ts';
import type { Engine } from '../../src/align/engine.ts';
import { GREEDY } from '../../src/align/request.ts';
import type { Tokenizer } from '../../src/align/tokenizer.ts';
import { makeKey, parseKeys } from '../keys.ts';
import { type RunningServer, startServer, type StartOptions } from '../main.ts';
import type { LogEntry } from './request-log.ts';
import type { ApiOptions } from './routes.ts';
import { ServedModel, type ServedModelOptions } from './served-model.ts';

const SECRET_TEXT = 'my neighbour is ill';
const REQUEST = { objectives: ['harmlessness'], context: '', answer: SECRET_TEXT, maxNewTokens: 3 };

/** A token a letter. */
const TOKENIZER: Tokenizer = {
  vocabularySize: 128,
  bosTokenId: 1,
  eosTokenId: 2,
  encode(text) {
    if (text.includes('bug')) throw new TypeError(text);
    return Int32Array.from(text, (letter) => letter.charCodeAt(0) % 128);
  },
  decode: (tokenIds) => String.fromCharCode(...tokenIds),
};

let running: RunningServer | undefined;
afterEach(async () => {
  await running?.close();
  running = undefined;
});

interface TestOptions extends Partial<ApiOptions>, Pick<StartOptions, 'address' | 'hosts'> {
  model?: Partial<ServedModelOptions>;
  /** Each step of the model waits for this. */
  onStep?: () => void | Promise<void>;
  tokensPerStep?: number;
}

/** A model that writes the letter a for ever. */
async function start({ address, hosts, model, onStep = () => {}, tokensPerStep = 1, ...api }: TestOptions = {}) {
  const engine: Engine = {
    device: 'cpu',
    contextLength: 1_000_000_000,
    vocabularySize: 128,
    maxConcurrency: 1,
    async *generate(_promptIds, { maxNewTokens }, signal) {
      for (let written = 0; written < maxNewTokens; written += tokensPerStep) {
        await new Promise((resolve) => setImmediate(resolve));
        await onStep();
        signal.throwIfAborted();
        yield new Array<number>(tokensPerStep).fill(97);
      }
      return 'length';
    },
    dispose: async () => {},
  };
  const served = new ServedModel({
    id: 'letters',
    family: 'hh-rlhf',
    variant: 'q4',
    aligner: localAligner({ tokenizer: TOKENIZER, engine, checkpointSampling: GREEDY }),
    version: '1.2.3',
    maxWaiting: 100,
    deadlineMs: 60_000,
    ...model,
  });
  const entries: LogEntry[] = [];
  running = await startServer({
    port: 0,
    pageDirectory: undefined,
    ...(address !== undefined && { address }),
    ...(hosts !== undefined && { hosts }),
    api: { served, log: (entry) => entries.push(entry), ...api },
  });
  return { url: running.url, served, entries };
}

function post(url: string, body: unknown, init: { headers?: Record<string, string>; signal?: AbortSignal } = {}) {
  return fetch(`${url}v1/align`, {
    method: 'POST',
    ...init,
    headers: { 'content-type': 'application/json', ...init.headers },
    body: JSON.stringify(body),
  });
}

/** A gate that steps of the model wait at. */
function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { open, onStep: () => opened };
}

describe('keys', () => {
  const alice = makeKey('alice', undefined);
  const bob = makeKey('bob', 1);
  const keys = parseKeys(`# ours\n${alice.line}\n\n${bob.line}\n`, 'keys');
  const bearer = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });

  it('let in who has one, and nobody else', async () => {
    const { url, entries } = await start({ keys });
    const done = await post(url, { ...REQUEST, stream: false }, bearer(alice.key));
    expect(await done.json()).toMatchObject({ edit: 'aaa' });
    const refused: Record<string, string>[] = [
      {},
      { authorization: 'Bearer ' },
      { authorization: `Bearer ${alice.key}x` },
      { authorization: `Bearer ${alice.line.slice(-64)}` },
      { authorization: `Basic ${alice.key}` },
    ];
    for (const headers of refused) {
      const response = await post(url, REQUEST, { headers });
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toBe('Bearer');
      expect(await response.json()).toMatchObject({ error: { code: 'key-refused' } });
    }
    for (const path of ['v1/models', 'metrics']) {
      expect((await fetch(url + path)).status).toBe(401);
      expect((await fetch(url + path, bearer(bob.key))).status).toBe(200);
    }
    for (const path of ['healthz', 'readyz', 'openapi.json']) expect((await fetch(url + path)).status).toBe(200);
    await vi.waitFor(() => expect(entries).toHaveLength(8));
    expect(entries[0]).toMatchObject({ key: 'alice', status: 200 });
    expect(JSON.stringify(entries)).not.toContain(alice.key);
  });

  it('hold each owner to its limit, and give the place back', async () => {
    const { open, onStep } = gate();
    const { url } = await start({ keys, onStep });
    const first = post(url, { ...REQUEST, stream: false }, bearer(bob.key));
    const second = await vi.waitFor(async () => {
      const response = await post(url, { ...REQUEST, stream: false, maxNewTokens: 1 }, bearer(bob.key));
      expect(response.status).toBe(429);
      return response;
    });
    expect(await second.json()).toMatchObject({
      error: { code: 'key-limit', message: expect.stringContaining('1 requests') as string },
    });
    const other = post(url, { ...REQUEST, stream: false }, bearer(alice.key));
    open();
    expect((await first).status).toBe(200);
    expect((await other).status).toBe(200);
    await vi.waitFor(async () => {
      expect((await post(url, { ...REQUEST, stream: false }, bearer(bob.key))).status).toBe(200);
    });
  });

  it('are kept as hashes only', () => {
    expect(alice.key).toMatch(/^ma-[\w-]{43}$/);
    expect(alice.line).not.toContain(alice.key.slice(3));
    expect(makeKey('alice', undefined).key).not.toBe(alice.key);
  });

  it.each([
    ['alice', 'Line 1 of keys is not'],
    [alice.key, 'Line 1 of keys is not'],
    [`${alice.line}\n${alice.line}`, 'Line 2 of keys names alice a second time'],
    [`${alice.line} max=0`, 'Line 1'],
    ['\n# none\n', 'keys has no key'],
  ])('are refused in a file of %j', (text, message) => {
    let caught: unknown;
    try {
      parseKeys(text, 'keys');
    } catch (error) {
      caught = error;
    }
    expect(caught).toMatchObject({ code: 'invalid-request', message: expect.stringContaining(message) as string });
    expect(String(caught)).not.toContain(alice.key);
  });

  it('are needed where other machines can call', async () => {
    await expect(start({ address: '0.0.0.0' })).rejects.toThrow('0.0.0.0 can be reached from other machines');
    const { url } = await start({ address: '0.0.0.0', keys });
    const port = new URL(url).port;
    expect((await fetch(`http://127.0.0.1:${port}/v1/models`)).status).toBe(401);
    await expect(start({ address: '192.0.2.1', keys })).rejects.toThrow('no address of this machine');
  });
});

describe('other sites', () => {
  const preflight = (url: string, origin: string) =>
    fetch(`${url}v1/align`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
    });

  it('may call when they are listed, as they are written', async () => {
    const { url } = await start({ origins: ['https://chat.example'] });
    const allowed = await preflight(url, 'https://chat.example');
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://chat.example');
    expect(allowed.headers.get('access-control-allow-headers')).toContain('Authorization');
    expect(allowed.headers.get('access-control-allow-credentials')).toBeNull();
    for (const origin of ['https://chat.example.evil', 'http://chat.example', 'null', '*']) {
      expect((await preflight(url, origin)).headers.get('access-control-allow-origin')).toBeNull();
    }
    const init = { headers: { origin: 'https://chat.example' } };
    const answer = await post(url, { ...REQUEST, stream: false }, init);
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://chat.example');
  });

  it('learn that the server is there and no more when they are not listed, and why when they call it by another name', async () => {
    const { url } = await start();
    const headers = { origin: 'https://other.example' };
    const health = await fetch(`${url}healthz`, { headers });
    expect(health.headers.get('access-control-allow-origin')).toBe('*');
    for (const path of ['v1/models', 'metrics', 'openapi.json', 'readyz']) {
      expect((await fetch(url + path, { headers })).headers.get('access-control-allow-origin')).toBeNull();
    }
  });

  it('cannot take this machine’s name for theirs: names are listed, addresses need not be', async () => {
    const { url } = await start({ hosts: ['Aligner.internal'] });
    const statusFor = (host: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        const { port } = new URL(url);
        httpRequest({ port, host: '127.0.0.1', path: '/healthz', headers: { host } }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
          .on('error', reject)
          .end();
      });
    for (const host of ['aligner.internal', 'aligner.internal:80', '10.1.2.3:4173', '[fe80::1]:80', 'localhost']) {
      expect(await statusFor(host)).toBe(200);
    }
    for (const host of ['evil.example', 'aligner.internal.evil', '10.1.2.3.evil']) {
      expect(await statusFor(host)).toBe(403);
    }
  });

  it.each([
    ['text/plain', 415],
    ['application/jsonp', 415],
    ['application/x-www-form-urlencoded', 415],
    ['application/json; charset=utf-8', 200],
    ['APPLICATION/JSON', 200],
  ])('cannot send a form: %s is answered with %d', async (type, status) => {
    const { url } = await start();
    const response = await post(url, { ...REQUEST, stream: false }, { headers: { 'content-type': type } });
    expect(response.status).toBe(status);
  });
});

describe('what is too much', () => {
  it('is turned away before its body is read', async () => {
    const { open, onStep } = gate();
    const { url, served } = await start({ model: { maxWaiting: 1 }, onStep });
    const { port } = new URL(url);
    // Bodies that never come: as many as are let in hold a place each.
    const sockets = Array.from({ length: 66 }, () => {
      const socket = connect(Number(port), '127.0.0.1');
      socket.write(
        'POST /v1/align HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 4000000\r\n\r\n{',
      );
      return socket;
    });
    await vi.waitFor(async () => {
      const response = await post(url, REQUEST);
      await response.body?.cancel();
      expect(response.status).toBe(429);
      expect(response.headers.get('retry-after')).toBe('1');
    });
    expect(served.queue.running).toBe(0);
    for (const socket of sockets) socket.destroy();
    open();
    await vi.waitFor(async () => expect((await post(url, { ...REQUEST, stream: false })).status).toBe(200));
  });

  it('is written no faster than it is read, and is cut off when it is not read at all', async () => {
    let steps = 0;
    const { url, entries, served } = await start({
      slowReaderMs: 300,
      tokensPerStep: 1000,
      onStep: () => void (steps += 1),
    });
    const { port } = new URL(url);
    const socket = connect(Number(port), '127.0.0.1');
    const body = JSON.stringify({ ...REQUEST, maxNewTokens: 900_000_000 });
    socket.write(
      `POST /v1/align HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    socket.pause();
    socket.on('error', () => {});
    await vi.waitFor(() => expect(entries).toHaveLength(1), { timeout: 20_000 });
    expect(entries[0]).toMatchObject({ error: 'slow-reader', status: 200 });
    const stepsAtEnd = steps;
    await vi.waitFor(() => expect(served.queue.running).toBe(0));
    // A few megabytes are with the systems in between; then the model waited.
    expect(stepsAtEnd).toBeLessThan(20_000);
    socket.destroy();
  }, 30_000);
});

describe('a whole answer', () => {
  it('may take the model longer than its reader, who is cut off when it takes nothing of it', async () => {
    let steps = 0;
    const slowReaderMs = 300;
    const thinking = () => new Promise<void>((resolve) => setTimeout(resolve, 3 * slowReaderMs));
    const { url, entries } = await start({
      slowReaderMs,
      tokensPerStep: 20_000,
      onStep: () => (steps++ === 0 ? thinking() : undefined),
    });
    const { port } = new URL(url);
    const socket = connect(Number(port), '127.0.0.1');
    const body = JSON.stringify(Array(20).fill({ ...REQUEST, maxNewTokens: 1_000_000 }));
    socket.write(
      `POST /v1/align HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    socket.pause();
    socket.on('error', () => {});
    await vi.waitFor(() => expect(entries).toHaveLength(1), { timeout: 20_000 });
    expect(entries[0]).toMatchObject({ error: 'slow-reader', status: 200, editTokens: 20_000_000 });
    socket.destroy();
  }, 30_000);
});

describe('a client with many requests', () => {
  it('keeps none of another waiting behind them, a list of many included', async () => {
    const { open, onStep } = gate();
    const [many, one] = [makeKey('many', undefined), makeKey('one', undefined)];
    const keys = parseKeys(`${many.line}\n${one.line}\n`, 'keys');
    const { url, served, entries } = await start({ onStep, keys });
    const ask = (body: object, { key }: { key: string }) =>
      post(url, body, { headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` } });
    const answers = [ask(Array(5).fill(REQUEST), many)];
    await vi.waitFor(() => expect(served.queue.running).toBe(1));
    for (let i = 0; i < 4; i++) answers.push(ask({ ...REQUEST, stream: false }, many));
    await vi.waitFor(() => expect(served.queue.waiting).toBe(4));
    answers.push(ask({ ...REQUEST, stream: false }, one));
    await vi.waitFor(() => expect(served.queue.waiting).toBe(5));
    open();
    for (const answer of answers) expect((await answer).status).toBe(200);
    await vi.waitFor(() => expect(entries).toHaveLength(6));
    // One of the others at most had its turn before.
    expect(entries.findIndex(({ key }) => key === 'one')).toBeLessThan(2);
  });
});

describe('a server that is stopped', () => {
  it('lets what runs finish, and nobody else in', async () => {
    const { open, onStep } = gate();
    const { url, served } = await start({ onStep });
    const response = post(url, { ...REQUEST, stream: false });
    await vi.waitFor(() => expect(served.queue.running).toBe(1));
    const closed = running!.close(60_000);
    expect(served.unreadiness).toBe('stopping');
    await expect(post(url, REQUEST)).rejects.toThrow();
    open();
    expect(await (await response).json()).toMatchObject({ edit: 'aaa' });
    expect(await closed).toBe(0);
  });

  it('tells what does not finish in time, and how many they were', async () => {
    const { url, served, entries } = await start();
    const response = await post(url, { ...REQUEST, maxNewTokens: 900_000_000 });
    const text = response.text();
    await vi.waitFor(() => expect(served.queue.running).toBe(1));
    expect(await running!.close(50)).toBe(1);
    expect(await text).toContain('"code":"stopped"');
    expect(entries).toMatchObject([{ error: 'stopped' }]);
  });
});

describe('the log', () => {
  it('tells of each request what it took, and nothing of what it said', async () => {
    const { url, entries } = await start();
    const done = await post(url, { ...REQUEST, stream: false });
    await post(url, { ...REQUEST, objectives: [SECRET_TEXT] });
    await post(url, [REQUEST, REQUEST]);
    await fetch(`${url}v1/${encodeURIComponent(SECRET_TEXT)}`);
    const leave = new AbortController();
    await post(url, { ...REQUEST, maxNewTokens: 900_000_000 }, { signal: leave.signal });
    leave.abort();
    await vi.waitFor(() => expect(entries).toHaveLength(5));
    const prompt = entries[0]!.promptTokens;
    expect(prompt).toBeGreaterThan(SECRET_TEXT.length);
    expect(entries).toMatchObject([
      { event: 'request', method: 'POST', path: '/v1/align', status: 200, editTokens: 3 },
      { status: 400, error: 'unknown-name', editTokens: 0 },
      { status: 200, promptTokens: 2 * prompt, editTokens: 6 },
      { method: 'GET', path: 'other', status: 404 },
      { status: 200, error: 'left' },
    ]);
    expect(done.headers.get('x-request-id')).toBe(entries[0]!.id);
    expect(JSON.stringify(entries)).not.toContain('neighbour');
    const metrics = await (await fetch(`${url}metrics`)).text();
    expect(metrics).toContain('metaaligner_http_requests_total{path="/v1/align",status="200"} 3');
    expect(metrics).toContain('metaaligner_http_requests_total{path="/v1/align",status="400"} 1');
    expect(metrics).toContain('metaaligner_http_requests_total{path="other",status="404"} 1');
    expect(metrics).not.toContain('neighbour');
  });

  it('holds what was asked and answered where that is switched on', async () => {
    const { url, entries } = await start({ logsTexts: true });
    await (await post(url, { ...REQUEST, stream: false })).arrayBuffer();
    await (await post(url, REQUEST)).text();
    await (await post(url, [REQUEST, REQUEST])).arrayBuffer();
    await post(url, { ...REQUEST, objectives: ['none'] });
    await vi.waitFor(() => expect(entries).toHaveLength(4));
    expect(entries).toMatchObject([
      { request: { ...REQUEST, stream: false }, edits: ['aaa'] },
      { request: REQUEST, edits: ['aaa'] },
      { request: [REQUEST, REQUEST], edits: ['aaa', 'aaa'] },
      { status: 400, edits: [] },
    ]);
  });

  it('tells a client that left before there was an answer from one that got it', async () => {
    const { open, onStep } = gate();
    const { url, served, entries } = await start({ onStep });
    const leave = new AbortController();
    const response = post(url, { ...REQUEST, stream: false }, { signal: leave.signal });
    await vi.waitFor(() => expect(served.queue.running).toBe(1));
    leave.abort();
    await expect(response).rejects.toThrow();
    open();
    await vi.waitFor(() => expect(entries).toMatchObject([{ status: 499, error: 'left' }]));
  });

  it('shows where a bug of ours happened without what its message may repeat', async () => {
    const error = vi.spyOn(console, 'error').mockImplementation(() => {});
    const { url } = await start();
    const response = await post(url, { ...REQUEST, context: 'bug', stream: false });
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain(SECRET_TEXT);
    const logged = error.mock.calls.flat().join('\n');
    expect(logged).toContain('encode');
    expect(logged).not.toContain(SECRET_TEXT);
    error.mockRestore();
  });
});

it('answers broken HTTP with 4xx, and goes on', async () => {
  const { url } = await start();
  const { port } = new URL(url);
  const lines = [
    'GARBAGE\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    'GET /healthz HTTP/1.1\r\n\r\n',
    `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'x'.repeat(100_000)}\r\n\r\n`,
    'POST /v1/align HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n',
    'POST /v1/align HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
    'POST /v1/align HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
  ];
  for (const line of lines) {
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => {});
    socket.write(line);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 4\d\d /);
    socket.destroy();
  }
  expect((await fetch(`${url}healthz`)).status).toBe(200);
});
