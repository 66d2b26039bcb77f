import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
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

/** Waits for the address on the terminal. */
async function serve(...args: string[]): Promise<{ url: string; cli: RunningCli }> {
  const cli = startCli(['serve', '--port', '0', '--threads', '1', ...args].filter((arg) => arg !== ''));
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
