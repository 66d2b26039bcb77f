import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A chat as it came. */
interface Asked {
  model: string;
  temperature: number;
  content: string;
  authorization: string | undefined;
}

export interface LocalJudge {
  /** Up to and without `/chat/completions`. */
  readonly url: string;
  readonly host: string;
  readonly asked: readonly Asked[];
  close(): Promise<void>;
}

/**
 * A judge on 127.0.0.1 that a page may call.
 *
 * @param answer  what it replies; a number is a status that it refuses with
 */
export async function startJudge(answer: (asked: Asked, count: number) => string | number): Promise<LocalJudge> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const allow = (target: ServerResponse) => {
      target.setHeader('access-control-allow-origin', '*');
      target.setHeader('access-control-allow-headers', 'authorization, content-type');
    };
    allow(response);
    if (request.method === 'OPTIONS') return void response.writeHead(204).end();
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(pieces).toString()) as {
        model: string;
        temperature: number;
        messages: { content: string }[];
      };
      const one: Asked = {
        model: body.model,
        temperature: body.temperature,
        content: body.messages.at(-1)!.content,
        authorization: request.headers.authorization,
      };
      asked.push(one);
      const reply = answer(one, asked.length);
      if (typeof reply === 'number') return void response.writeHead(reply).end('{"error":"no"}');
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ choices: [{ message: { content: reply } }] }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    host: `127.0.0.1:${port}`,
    asked,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
