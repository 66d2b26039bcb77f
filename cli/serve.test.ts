import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type FakeUpstream, startFakeUpstream } from '../src/engines/fake-upstream.fixture.ts';
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
    ['an upstream of another engine', ['--upstream', 'http://127.0.0.1:1'], 2, 'are of --engine openai'],
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
