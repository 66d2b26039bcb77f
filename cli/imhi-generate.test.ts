import { createServer, type Server } from 'node:http';
import { existsSync } from 'node:fs';
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatHeader, formatRow } from '../src/batch/row-format.ts';
import { SMALL_LLAMA } from '../src/convert/small-llama.fixture.ts';
import { convertToDisk } from '../src/engines/small-model.fixture.ts';
import { runCli, startCli } from './run-cli.fixture.ts';

interface CompletionBody {
  prompt: string;
  /** In place of a prompt. */
  messages?: { role: string; content: string }[];
  max_tokens: number;
  temperature?: number;
}

let folder: string;
let server: Server | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'metaaligner-imhi-'));
});
afterEach(async () => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
  await rm(folder, { recursive: true, force: true });
});

/** A model that answers with its query's length; a word is a token. */
async function startModel({ holdFrom = Infinity, usage = true, isChat = false } = {}) {
  const bodies: CompletionBody[] = [];
  server = createServer((request, response) => {
    let text = '';
    request.on('data', (piece: Buffer) => (text += piece.toString()));
    request.on('end', () => {
      const body = JSON.parse(text) as CompletionBody;
      bodies.push(body);
      if (bodies.length >= holdFrom) return;
      const path = isChat ? '/v1/chat/completions' : '/v1/completions';
      if (request.url !== path) {
        response.statusCode = 404;
        response.end('{}');
        return;
      }
      // A chat's template takes seven.
      const query = body.messages?.[0]?.content ?? body.prompt;
      const prompt_tokens = query.split(' ').length + (isChat ? 7 : 0);
      const answer = `Yes. Reasoning: ${query.length}`;
      const finish_reason = body.max_tokens === 1 ? 'length' : 'stop';
      const choice = isChat ? { message: { content: answer }, finish_reason } : { text: answer, finish_reason };
      response.end(
        JSON.stringify({ choices: [choice], ...(usage && { usage: { prompt_tokens, completion_tokens: 3 } }) }),
      );
    });
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return { bodies, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1` };
}

/** An instruction set of two data sets. */
async function writeInput(queries: readonly string[]): Promise<string> {
  const input = join(folder, 'input');
  await mkdir(input);
  const columns = ['query', 'gpt-3.5-turbo'];
  for (const [dataset, golden] of [
    ['DR', 'No, the poster does not. Reasoning: "calm"'],
    ['dreaddit', 'Yes, the poster does.'],
  ] as const) {
    const rows = queries.map((query) => formatRow('csv', columns, [query, golden]));
    await writeFile(join(input, `${dataset}.csv`), [formatHeader('csv', columns), ...rows].join(''));
  }
  return input;
}

async function readCsv(path: string): Promise<Record<string, string>[]> {
  return parse(await readFile(path), { columns: true });
}

describe('evaluate imhi generate', { timeout: 60_000 }, () => {
  it('sends the bare query with what 2,048 tokens leave, and writes what the scores read', async () => {
    const { bodies, url } = await startModel();
    const queries = ['Consider this post: "a, b"\nQuestion: does it?', 'one two three'];
    const outputs = join(folder, 'outputs');
    const args = ['evaluate', 'imhi', 'generate', '--endpoint', url, '--model', 'policy', '--outputs', outputs];
    const { code, stderr } = await runCli([...args, '--input', await writeInput(queries)]);
    expect(code, stderr).toBe(0);
    expect(stderr).toContain('should see a professional');
    expect(await readCsv(join(outputs, 'DR.csv'))).toEqual(
      queries.map((query) => ({
        query,
        goldens: 'No, the poster does not. Reasoning: "calm"',
        generated_text: `Yes. Reasoning: ${query.length}`,
      })),
    );
    expect(new Set(bodies.map(({ prompt }) => prompt))).toEqual(new Set(queries));
    const answers = bodies.filter(({ prompt, max_tokens }) => prompt === 'one two three' && max_tokens !== 1);
    expect(answers.map(({ max_tokens, temperature }) => [max_tokens, temperature])).toEqual([
      [2045, 0],
      [2045, 0],
    ]);
    const report = JSON.parse(await readFile(join(outputs, 'DR.report.json'), 'utf8')) as { note: string };
    expect(report).toMatchObject({ counts: { rows: 2, answered: 2, failed: 0 } });
    expect(report.note).toContain('professional');
    const scores = await runCli(['evaluate', 'imhi', 'rule', '--outputs', outputs, '--json']);
    expect(JSON.parse(scores.stdout.toString())).toMatchObject([
      { dataset: 'DR', accuracy: 0 },
      { dataset: 'dreaddit', accuracy: 100 },
    ]);
  });

  it('asks a chat interface with the query as the one message, its template counted among the tokens', async () => {
    const { bodies, url } = await startModel({ isChat: true });
    const outputs = join(folder, 'outputs');
    const fixed = ['evaluate', 'imhi', 'generate', '--endpoint', url, '--api', 'chat', '--model', 'policy'];
    const args = [...fixed, '--input', await writeInput(['one two three', 'x '.repeat(2050)]), '--outputs', outputs];
    const { code, stderr } = await runCli([...args, '--datasets', 'DR']);
    expect(code, stderr).toBe(0);
    expect(stderr).toContain('1 answers, 1 failed');
    expect((await readCsv(join(outputs, 'DR.csv'))).map((row) => row.generated_text)).toEqual([
      'Yes. Reasoning: 13',
      '',
    ]);
    const sent = bodies.find(({ max_tokens }) => max_tokens !== 1);
    expect(sent).toEqual({
      model: 'policy',
      messages: [{ role: 'user', content: 'one two three' }],
      ...{ max_tokens: 2048 - 10, temperature: 0, seed: 0 },
    });
    expect(await readFile(join(outputs, 'DR.errors.jsonl'), 'utf8')).toContain('prompt-too-long');
  });

  it('goes on after a kill, with a torn line in its journal, and answers nothing twice', async () => {
    const queries = Array.from({ length: 20 }, (_, i) => `query ${'x'.repeat(i)}`);
    const input = await writeInput(queries);
    const outputs = join(folder, 'outputs');
    const held = await startModel({ holdFrom: 25 });
    const argsFor = (url: string) =>
      ['evaluate', 'imhi', 'generate', '--endpoint', url, '--model', 'policy', '--outputs', outputs].concat([
        '--input',
        input,
        '--datasets',
        'DR',
        '--concurrency',
        '2',
      ]);
    const running = startCli(argsFor(held.url));
    await expect.poll(() => held.bodies.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(26);
    running.child.kill('SIGKILL');
    await running.ended;
    const port = Number(new URL(held.url).port);
    server!.closeAllConnections();
    await new Promise((resolve) => server!.close(resolve));
    expect(existsSync(join(outputs, 'DR.csv'))).toBe(false);
    await appendFile(join(outputs, 'DR.journal.jsonl'), '{"row":');

    const bodies: CompletionBody[] = [];
    server = createServer((request, response) => {
      let text = '';
      request.on('data', (piece: Buffer) => (text += piece.toString()));
      request.on('end', () => {
        const body = JSON.parse(text) as CompletionBody;
        bodies.push(body);
        const usage = { prompt_tokens: 2, completion_tokens: 3 };
        const choice = { text: `Yes. Reasoning: ${body.prompt.length}`, finish_reason: 'stop' };
        response.end(JSON.stringify({ choices: [choice], usage }));
      });
    });
    await new Promise<void>((resolve) => server!.listen(port, '127.0.0.1', resolve));
    const { code, stderr } = await runCli(argsFor(held.url));
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/20 answers \(1[12] finished before\)/);
    expect(bodies.length).toBeLessThanOrEqual(2 * (20 - 11));
    const rows = await readCsv(join(outputs, 'DR.csv'));
    expect(rows.map((row) => row.generated_text)).toEqual(queries.map(({ length }) => `Yes. Reasoning: ${length}`));

    const other = await runCli([...argsFor(held.url), '--temperature', '0.5']);
    expect(other.code).toBe(1);
    expect(other.stderr).toContain('belongs to a run with other settings: model');
  });

  it('runs a converted model on this machine, the length counted with the query', async () => {
    const model = await convertToDisk(['q8'], SMALL_LLAMA);
    try {
      const outputs = join(folder, 'outputs');
      // A byte is a token: 1 + 9, 1 + 40 and none.
      const input = await writeInput(['Is it so?', 'x'.repeat(40), ' ']);
      const fixed = ['evaluate', 'imhi', 'generate', '--model', model.directory, '--outputs', outputs];
      const args = [...fixed, '--input', input, '--max-length', '32', '--datasets', 'DR'];
      const { code, stderr } = await runCli(args);
      expect(code, stderr).toBe(0);
      expect(stderr).toContain('1 answers, 2 failed');
      const journal = (await readFile(join(outputs, 'DR.journal.jsonl'), 'utf8')).trim().split('\n').slice(1);
      const results = journal.map((line) => JSON.parse(line) as Record<string, unknown>);
      const answer = results.find(({ row }) => row === 0) as { promptTokens: number; editTokens: number };
      expect(answer.promptTokens).toBe(10);
      expect(answer).toMatchObject(answer.editTokens === 22 ? { finishReason: 'length' } : { finishReason: 'stop' });
      const errors = (await readFile(join(outputs, 'DR.errors.jsonl'), 'utf8')).trim().split('\n');
      expect(errors.map((line) => JSON.parse(line) as object)).toMatchObject([
        { row: 2, code: 'prompt-too-long' },
        { row: 3, code: 'blank-query' },
      ]);
      expect((await readCsv(join(outputs, 'DR.csv'))).map(({ goldens }) => goldens!.slice(0, 3))).toEqual(
        Array(3).fill('No,'),
      );
    } finally {
      await model.remove();
    }
  });

  it('says so where the server does not tell the length of a query', async () => {
    const { url } = await startModel({ usage: false });
    const args = ['evaluate', 'imhi', 'generate', '--endpoint', url, '--model', 'policy', '--input'];
    const { code, stderr } = await runCli([...args, await writeInput(['q']), '--outputs', join(folder, 'outputs')]);
    expect(code).toBe(1);
    expect(stderr).toContain('usage.prompt_tokens');
  });

  it.each([
    [['--endpoint', 'nowhere'], 'is no address'],
    [['--datasets', 'DR,SAD'], 'has no SAD.csv. It has: DR, dreaddit.'],
    [['--goldens-column', 'answers'], 'needs the columns query and answers; it has query, gpt-3.5-turbo'],
    [['--outputs', 'INPUT'], '--outputs is the folder of --input'],
    [['--temperature', '-1'], 'temperature is -1'],
  ])('refuses %j', async (extra, said) => {
    const input = await writeInput(['q']);
    const fixed = ['evaluate', 'imhi', 'generate', '--endpoint', 'http://127.0.0.1:1/v1', '--model', 'policy'];
    const more = extra.map((text) => (text === 'INPUT' ? input : text));
    const { code, stderr } = await runCli([...fixed, '--input', input, '--outputs', join(folder, 'outputs'), ...more]);
    expect(code, stderr).toBe(2);
    expect(stderr).toContain(said);
  });
});
