import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

interface JudgeOptions {
  /** The reply to a prompt. */
  reply: (asked: AskedPair, call: number) => string | null;
  /** The status that the call fails with; undefined: it does not. */
  fails?: (call: number, body: string) => number | undefined;
  /** Holds calls back from this one on, until they are dropped. */
  holdFrom?: number;
  /** By default a free one. */
  port?: number;
}

export interface AskedPair {
  first: string;
  second: string;
  prompt: string;
  model: string;
}

export interface JudgeServer {
  url: string;
  bodies: Record<string, unknown>[];
  calls(): number;
  close(): Promise<void>;
}

/** An OpenAI-compatible judge that follows a rule. */
export async function startJudge({ reply, fails, holdFrom = Infinity, port = 0 }: JudgeOptions): Promise<JudgeServer> {
  let calls = 0;
  const bodies: Record<string, unknown>[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (piece: Buffer) => (text += piece.toString()));
    request.on('end', () => {
      const call = ++calls;
      if (request.url !== '/v1/chat/completions') {
        response.writeHead(404).end('no such address');
        return;
      }
      if (call >= holdFrom) return;
      const status = fails?.(call, text);
      if (status !== undefined) {
        response.writeHead(status, { 'retry-after': '0' }).end('slow down');
        return;
      }
      const body = JSON.parse(text) as { model: string; messages: { content: string }[] };
      bodies.push(body);
      const prompt = body.messages.at(-1)!.content;
      const [, first = '', second = ''] = /RESPONSE 1: (.*) \n \| RESPONSE 2: (.*)" {10,}"\n/s.exec(prompt) ?? [];
      const content = reply({ first, second, prompt, model: body.model }, call);
      const usage = { prompt_tokens: 200, completion_tokens: 1 };
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ choices: [{ message: { role: 'assistant', content } }], usage }));
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    bodies,
    calls: () => calls,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
