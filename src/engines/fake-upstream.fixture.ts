import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a completion was asked with. */
export interface UpstreamCall {
  body: Record<string, unknown>;
  authorization: string | undefined;
  /** Resolves when the asker has left or the answer is whole. */
  ended: Promise<void>;
}

/** Somebody else's completions server, which does what a test tells it: a real one cannot be made to fail on time. */
export interface FakeUpstream {
  /** Up to and with `/v1`. */
  url: string;
  calls: UpstreamCall[];
  /** How it answers completions. */
  answer: (response: ServerResponse, call: UpstreamCall) => void | Promise<void>;
  /** How it lists its models. */
  list: (response: ServerResponse) => void;
  close(): Promise<void>;
}

export const MODEL_LIST = { object: 'list', data: [{ id: 'aligner', max_model_len: 2048 }] };

export async function startFakeUpstream(): Promise<FakeUpstream> {
  const fake: FakeUpstream = {
    url: '',
    calls: [],
    answer: (response) => sendText(response, [' Rinse', ' it.']),
    list: (response) => sendJson(response, 200, MODEL_LIST),
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
  const server = createServer((request, response) => {
    void read(request).then((text) => {
      if (request.url === '/v1/models') return fake.list(response);
      const call: UpstreamCall = {
        body: JSON.parse(text) as Record<string, unknown>,
        authorization: request.headers.authorization,
        ended: new Promise((resolve) => response.on('close', () => resolve())),
      };
      fake.calls.push(call);
      return fake.answer(response, call);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  fake.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  return fake;
}

/** The pieces of a text, as vLLM streams them, without an end. */
export function sendPieces(response: ServerResponse, pieces: readonly string[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  for (const text of pieces) sendEvent(response, { choices: [{ index: 0, text, finish_reason: null }], usage: null });
}

export function sendText(response: ServerResponse, pieces: readonly string[], finishReason = 'stop'): void {
  sendPieces(response, pieces);
  sendEvent(response, { choices: [{ index: 0, text: '', finish_reason: finishReason }] });
  sendEvent(response, { choices: [], usage: { prompt_tokens: 7, completion_tokens: pieces.length } });
  response.end('data: [DONE]\n\n');
}

export function sendJson(response: ServerResponse, status: number, body: unknown, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

function sendEvent(response: ServerResponse, data: unknown): void {
  response.write(`data: ${JSON.stringify(data)}\n\n`);
}

async function read(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of request) text += String(piece);
  return text;
}
