import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';

import { AlignError } from '../align/errors.ts';
import { chat } from './chat-endpoint.ts';
import { complete } from './completions-endpoint.ts';
import { isOfOneCall, postWithBackOff } from './post-with-back-off.ts';

const CONTENT = { model: 'm', messages: [{ role: 'user', content: 'q' }] } as const;

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const calls: string[] = [];
  const server = createServer((request, response) => {
    calls.push(request.url ?? '');
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, calls };
}

async function failureOf(url: string, apiKey?: string): Promise<{ error: AlignError; waits: number }> {
  let waits = 0;
  const wait = async () => void (waits += 1);
  const { signal } = new AbortController();
  const call = postWithBackOff({ url, model: 'm', apiKey }, 'chat/completions', { text: 'private' }, { signal, wait });
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof AlignError)) throw new Error('No AlignError was thrown.');
  return { error, waits };
}

it.each([301, 302, 307, 308])(
  'takes nothing to where a server sends it with %i, and says so at once',
  async (status) => {
    const other = await serve((_request, response) => response.end('{}'));
    const first = await serve((_request, response) => {
      response.writeHead(status, { location: `${other.url}/chat/completions` }).end();
    });
    const { error, waits } = await failureOf(first.url, 'secret');
    expect(other.calls).toEqual([]);
    expect(first.calls).toHaveLength(1);
    expect(waits).toBe(0);
    expect(error.code).toBe('server-unreachable');
    expect(error.message).toContain('another address');
  },
);

it('says at once that a key cannot be sent, or an address holds a password, and repeats neither', async () => {
  const { url, calls } = await serve((_request, response) => response.end('{}'));
  const key = await failureOf(url, 'schlüssel');
  expect(key).toMatchObject({ waits: 0, error: { code: 'key-refused' } });
  expect(key.error.message).not.toContain('schlüssel');
  const address = await failureOf(url.replace('//', '//me:geheim@'));
  expect(address).toMatchObject({ waits: 0, error: { code: 'server-unreachable' } });
  expect(JSON.stringify(address.error)).not.toContain('geheim');
  expect(calls).toEqual([]);
});

it('tries a failing server again', async () => {
  let isFirst = true;
  const { url, calls } = await serve((_request, response) => {
    response.statusCode = isFirst ? 503 : 200;
    isFirst = false;
    response.end('{}');
  });
  const { signal } = new AbortController();
  const reply = await postWithBackOff(
    { url, model: 'm', apiKey: ' key\n' },
    'chat/completions',
    {},
    { signal, wait: async () => {} },
  );
  expect(reply.body).toBe('{}');
  expect(calls).toHaveLength(2);
});

it.each(['{"error":{"message":"upstream","code":502}}', '<html>', '', 'null', '{"choices":[{"message":null}]}', '[7]'])(
  'asks again where a chat answers 200 with %j',
  async (odd) => {
    const whole = JSON.stringify({ choices: [{ message: { content: '1' } }], usage: { prompt_tokens: 9 } });
    const { url, calls } = await serve((_request, response) => response.end(calls.length === 1 ? odd : whole));
    const { signal } = new AbortController();
    const reply = await chat({ url, model: 'm', apiKey: undefined }, CONTENT, { signal, wait: async () => {} });
    expect(reply).toEqual({ text: '1', promptTokens: 9, replyTokens: 0 });
    expect(calls).toHaveLength(2);
  },
);

it('gives up on a chat that goes on answering nonsense, which is a failure of one call', async () => {
  const { url, calls } = await serve((_request, response) => response.end('nonsense'));
  const { signal } = new AbortController();
  const call = chat({ url, model: 'm', apiKey: undefined }, CONTENT, { signal, wait: async () => {} });
  const error = await call.catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'server-unreachable' });
  expect(String(error)).toContain('no chat completion: nonsense');
  expect(isOfOneCall(error)).toBe(true);
  expect(calls).toHaveLength(6);
});

it('asks again where a completion answers 200 with an error', async () => {
  const whole = JSON.stringify({ choices: [{ text: 'so', finish_reason: 'length' }] });
  const { url, calls } = await serve((_request, response) => response.end(calls.length === 1 ? '{"error":1}' : whole));
  const { signal } = new AbortController();
  const request = { prompt: 'q', maxNewTokens: 1, sampling: undefined };
  const outcome = await complete({ url, model: 'm', apiKey: undefined }, request, { signal, wait: async () => {} });
  expect(outcome).toEqual({ edit: 'so', finishReason: 'length', promptTokens: 0, editTokens: 0 });
  expect(calls).toHaveLength(2);
});
