import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { openGgufFile } from '../src/convert/checkpoint/open-checkpoint.ts';
import { convertCheckpoint } from '../src/convert/convert.ts';
import { type FakeUpstream, startFakeUpstream } from '../src/engines/fake-upstream.fixture.ts';
import { isLlamaCppMissing } from '../src/engines/llama-cpp.fixture.ts';
import { writeSmallGguf } from '../src/engines/small-gguf.fixture.ts';
import { createNodeTarget, openNodeFile } from '../src/weights/node-folder.ts';
import { type RunningCli, runCli, startCli } from './run-cli.fixture.ts';

vi.setConfig({ testTimeout: 60_000 });

const DEMO = resolve(import.meta.dirname, '../public/models/demo-aligner');
const REQUEST = {
  objectives: ['harmlessness'],
  context: 'Human: How do I cook rice?\n\nAssistant:',
  answer: 'You idiot. Rinse the rice and boil it in water.',
  stream: false,
};

let directory: string;
let upstream: FakeUpstream;
const running: RunningCli[] = [];
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'metaaligner-serve-'));
  upstream = await startFakeUpstream();
});
afterEach(async () => {
  for (const { child } of running) child.kill('SIGTERM');
  await Promise.all(running.splice(0).map(({ ended }) => ended));
});
afterAll(async () => {
  await upstream.close();
  await rm(directory, { recursive: true });
});

/** Starts the real command. Waits for the address on the terminal. */
async function serve(...args: string[]): Promise<{ url: string; cli: RunningCli }> {
  const cli = startCli(['serve', '--port', '0', '--no-page', ...args]);
  running.push(cli);
  const url = await vi.waitFor(
    () => {
      const found = /http:\/\/127\.0\.0\.1:\d+\//.exec(cli.stderr());
      if (found === null) throw new Error(`No address yet: ${cli.stderr()}`);
      return found[0];
    },
    { timeout: 30_000, interval: 50 },
  );
  return { url, cli };
}

/** For a server that cannot tell its own. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

const post = (url: string, body: object, headers: Record<string, string> = {}) =>
  fetch(`${url}v1/align`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

const editOf = async (response: Response) => ((await response.json()) as { edit: string }).edit;

describe('serve', () => {
  it('stands before another of its kind, by texts and by tokens, and writes the same', async () => {
    const back = await serve('--model', DEMO, '--variant', 'q4', '--threads', '1');
    const edit = await editOf(await post(back.url, REQUEST));
    expect(edit).toContain('Rinse the rice');
    const front = ['--engine', 'openai', '--upstream', back.url];
    const texts = await serve(...front, '--family', 'hh-rlhf');
    expect(await editOf(await post(texts.url, REQUEST))).toBe(edit);
    const tokens = await serve(...front, '--model', DEMO);
    expect(await editOf(await post(tokens.url, REQUEST))).toBe(edit);
    const tooLong = await post(tokens.url, { ...REQUEST, answer: 'word '.repeat(3000) });
    expect(tooLong.status).toBe(400);
    expect(await tooLong.text()).toContain('the model reads 2,048');
  });

  it.skipIf(isLlamaCppMissing)('runs a GGUF with llama.cpp, and writes what the converted model does', async () => {
    const gguf = await writeSmallGguf();
    const converted = join(directory, 'converted');
    await convertCheckpoint(await openGgufFile(await openNodeFile(gguf.path)), createNodeTarget(converted), {
      variants: ['fp32'],
      name: 'Small random Llama',
      source: 'random weights',
      family: 'hh-rlhf',
    });
    const options = ['--family', 'hh-rlhf', '--threads', '1'];
    const llama = await serve('--engine', 'llama-cpp', '--model', gguf.path, '--context-length', '1024', ...options);
    expect(llama.cli.stderr()).toContain('small-llama, by llama.cpp on the CPU, is at');
    const onnx = await serve('--model', converted, '--variant', 'fp32', ...options);
    const request = { ...REQUEST, maxNewTokens: 12 };
    const [ours, theirs] = await Promise.all(
      [llama, onnx].map(async ({ url }) => (await (await post(url, request)).json()) as Record<string, unknown>),
    );
    expect(ours?.edit).toBe(theirs?.edit);
    expect(ours).toMatchObject({ device: 'cpu', usage: { editTokens: 12 } });
    const tooLong = await post(llama.url, { ...request, context: 'word '.repeat(200) });
    expect(await tooLong.text()).toContain('the model reads 1,024');
    await gguf.remove();
  });

  it('lets in who has a key that was made for it, and logs each request on its terminal', async () => {
    const keysFile = join(directory, 'keys');
    const made = await runCli(['key', 'alice', '--keys-file', keysFile, '--max-requests', '2']);
    expect(made).toMatchObject({ code: 0, stderr: expect.stringContaining('after a restart') as string });
    const key = made.stdout.toString().trim();
    expect((await stat(keysFile)).mode & 0o777).toBe(0o600);
    expect(await readFile(keysFile, 'utf8')).toMatch(/^alice sha256:[0-9a-f]{64} max=2\n$/);
    const again = await runCli(['key', 'alice', '--keys-file', keysFile]);
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('alice a second time') as string });

    const { url, cli } = await serve(
      '--engine',
      'openai',
      '--upstream',
      upstream.url,
      '--family',
      'imhi',
      ...['--keys-file', keysFile],
    );
    expect((await post(url, REQUEST)).status).toBe(401);
    expect((await post(url, REQUEST, { authorization: `Bearer ${key}` })).status).toBe(200);
    await vi.waitFor(() => expect(cli.stderr()).toContain('"key":"alice"'));
    expect(cli.stderr()).not.toContain('idiot');
    expect(cli.stderr()).not.toContain(key);
  });

  it('logs what is asked and answered only where it is told to, and says so', async () => {
    const { url, cli } = await serve('--model', DEMO, '--variant', 'q4', '--threads', '1', '--log-texts');
    expect(cli.stderr()).toContain('The log holds the texts of all requests and edits');
    const edit = await editOf(await post(url, REQUEST));
    const [entry] = await vi.waitFor(() => {
      const lines = cli.stderr().split('\n');
      const entries = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as object);
      expect(entries).toHaveLength(1);
      return entries;
    });
    expect(entry).toMatchObject({ status: 200, request: REQUEST, edits: [edit] });
  });

  it('at SIGTERM under load answers each of those who are in, and ends', async () => {
    const { url, cli } = await serve('--model', DEMO, '--variant', 'q4', '--threads', '1', '--concurrency', '2');
    // All of them are in, and most still wait.
    const streams = Array.from({ length: 40 }, async () => {
      const response = await post(url, { ...REQUEST, stream: true });
      return [response.status, await response.text()] as const;
    });
    const areIn = async () => {
      const metrics = await (await fetch(`${url}metrics`)).text();
      const done = Number(/^metaaligner_requests_total\{outcome="done"\} (\d+)$/m.exec(metrics)?.[1] ?? 0);
      const [, running, waiting] = /^metaaligner_running (\d+)$[^]*^metaaligner_waiting (\d+)$/m.exec(metrics)!;
      expect(done + Number(running) + Number(waiting)).toBe(40);
    };
    await vi.waitFor(areIn, { timeout: 30_000 });
    cli.child.kill('SIGTERM');
    for (const stream of streams) {
      const [status, text] = await stream;
      expect(status).toBe(200);
      expect(text).toContain('event: edit-end');
    }
    const { code, stderr } = await cli.ended;
    expect(code).toBe(0);
    expect(stderr).not.toContain('were not finished');
  });

  it('finishes what runs at SIGTERM, and ends well', async () => {
    let finish = () => {};
    const held = new Promise<void>((resolve) => (finish = resolve));
    const { answer } = upstream;
    upstream.answer = async (response, call) => {
      await held;
      return answer(response, call);
    };
    const { url, cli } = await serve('--engine', 'openai', '--upstream', upstream.url, '--family', 'hh-rlhf');
    const before = upstream.calls.length;
    const edits = Array.from({ length: 5 }, async () => editOf(await post(url, REQUEST)));
    await vi.waitFor(() => expect(upstream.calls.length - before).toBe(5));
    cli.child.kill('SIGTERM');
    await vi.waitFor(() => expect(cli.stderr()).toContain('5 requests have 30 s to finish'));
    finish();
    expect(new Set(await Promise.all(edits))).toEqual(new Set(['Rinse it.']));
    expect(await cli.ended).toMatchObject({ code: 0 });
    upstream.answer = answer;
  });

  it('tells what it could not finish at SIGTERM', async () => {
    const { answer } = upstream;
    upstream.answer = () => {};
    const { url, cli } = await serve(
      '--engine',
      'openai',
      '--upstream',
      upstream.url,
      ...['--family', 'hh-rlhf', '--grace', '1'],
    );
    const before = upstream.calls.length;
    const response = post(url, REQUEST);
    await vi.waitFor(() => expect(upstream.calls.length - before).toBe(1));
    cli.child.kill('SIGTERM');
    expect((await response).status).toBe(503);
    const { code, stderr } = await cli.ended;
    expect({ code, stderr }).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('1 requests were not finished') as string,
    });
    upstream.answer = answer;
  });

  it.each([
    ['a model that is not there', ['--model', 'absent'], 2, 'There is no converted model “absent”'],
    ['no upstream', ['--engine', 'openai'], 2, '--engine openai needs an --upstream'],
    ['an upstream of another engine', ['--upstream', 'http://127.0.0.1:1'], 2, '--upstream is of --engine openai'],
    ['a variant of another engine', ['--engine', 'llama-cpp', '--variant', 'q4'], 2, '--variant is of --engine onnx'],
    ['llama.cpp without a model', ['--engine', 'llama-cpp'], 2, '--engine llama-cpp needs a --model'],
    [
      'a device of another engine',
      ['--device', 'metal'],
      2,
      '--engine onnx has the devices auto, cuda, webgpu, cpu, not metal',
    ],
    [
      'CUDA that is not there',
      ['--model', DEMO, '--device', 'cuda', '--variant', 'q4'],
      1,
      'while loading the model on cuda',
    ],
    ['a GGUF that is not there', ['--engine', 'llama-cpp', '--model', 'no.gguf'], 1, 'There is no no.gguf'],
    ['no GGUF', ['--engine', 'llama-cpp', '--model', 'package.json'], 2, 'package.json is no GGUF'],
    ['a folder without one', ['--engine', 'llama-cpp', '--model', 'src'], 2, 'src holds no GGUF'],
    ['no address', ['--engine', 'openai', '--upstream', 'gpu'], 2, '“gpu” is no address'],
    [
      'an upstream that is not there',
      ['--engine', 'openai', '--upstream', 'http://127.0.0.1:1'],
      1,
      '127.0.0.1:1 cannot be reached',
    ],
    ['a host that others reach, without keys', ['--host', '0.0.0.0'], 1, 'that needs keys (--keys-file)'],
    ['a keys file that is not there', ['--keys-file', 'absent'], 1, 'The keys file absent cannot be read'],
    ['any origin', ['--allow-origin', '*'], 2, 'It must be an origin'],
    ['a deadline that no clock reaches', ['--deadline', '3000000'], 2, 'It must be 2147483 (24 days) at most'],
  ])('says what is wrong with %s', async (_name, args, code, message) => {
    const result = await runCli(['serve', '--port', '0', '--no-page', ...args]);
    expect({ code: result.code, stderr: result.stderr }).toEqual({
      code,
      stderr: expect.stringContaining(message) as string,
    });
  });

  it('asks for the family where neither upstream nor option tells it, and for the model where there are several', async () => {
    const args = ['serve', '--port', '0', '--no-page', '--engine', 'openai', '--upstream', upstream.url];
    const family = await runCli(args);
    expect(family).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('“aligner” does not tell its family') as string,
    });
    const model = await runCli([...args, '--upstream-model', 'other']);
    expect(model).toMatchObject({ code: 2, stderr: expect.stringContaining('it has aligner') as string });
  });

  it('has the options that the files in deploy/ start it with', async () => {
    const help = (await runCli(['serve', '--help'])).stdout.toString();
    const read = (name: string) => readFile(resolve(import.meta.dirname, '../deploy', name), 'utf8');
    const compose = (await read('compose.yaml')).split('\n  metaaligner:\n')[1]!;
    const texts = [compose, await read('kubernetes/metaaligner.yaml'), await read('Dockerfile')];
    for (const text of texts) {
      const options = [...text.matchAll(/(?:^\s+- |^CMD.*?"serve".*?")(--[a-z-]+)/gm)].map(([, option]) => option!);
      expect(options.length).toBeGreaterThan(0);
      for (const option of options) expect(help).toContain(`  ${option} `.trimEnd());
    }
  });

  it('goes on where its log cannot be written, as on a full disk', async () => {
    const full = await open('/dev/full', 'w');
    const port = await freePort();
    const args = ['serve', '--port', String(port), '--no-page', '--model', DEMO, '--threads', '1'];
    const child = spawn(process.execPath, [resolve(import.meta.dirname, 'metaaligner.mjs'), ...args], {
      stdio: ['ignore', 'ignore', full.fd],
    });
    const ended = once(child, 'exit');
    try {
      const url = `http://127.0.0.1:${port}/`;
      await vi.waitFor(async () => expect((await fetch(`${url}readyz`)).status).toBe(200), { timeout: 30_000 });
      for (let i = 0; i < 3; i++) expect(await editOf(await post(url, REQUEST))).toContain('Rinse the rice');
    } finally {
      child.kill('SIGTERM');
      await full.close();
    }
    expect(await ended).toEqual([0, null]);
  });

  it('leaves a file of keys as it was where a key has no room, and shows no key', async () => {
    const keysFile = join(directory, 'full-keys');
    const first = `alice sha256:${'a'.repeat(64)}\n`;
    // The first block has room for a part of the second line.
    await writeFile(keysFile, `${'#'.repeat(1024 - first.length - 20)}\n${first}`);
    const before = await readFile(keysFile, 'utf8');
    const bin = resolve(import.meta.dirname, 'metaaligner.mjs');
    const limited = `trap '' XFSZ; ulimit -f 1; exec "$0" "$@"`;
    const child = spawn('bash', ['-c', limited, process.execPath, bin, 'key', 'bob', '--keys-file', keysFile]);
    const output: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece: Buffer) => output.push(piece));
    expect(await once(child, 'close')).toEqual([1, null]);
    expect(Buffer.concat(output).toString()).toMatch(/^error: The key was not added: .*\nFree some space.*\n$/);
    expect(await readFile(keysFile, 'utf8')).toBe(before);
  });

  it('says which port is taken', async () => {
    const { url } = await serve('--model', DEMO, '--threads', '1');
    const { port } = new URL(url);
    const second = await runCli(['serve', '--no-page', '--model', DEMO, '--port', port]);
    expect(second).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`Port ${port} of 127.0.0.1 is in use`) as string,
    });
  });
});
