import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from '@playwright/test';

function start(args: string[]): { child: ChildProcess; stderr: () => string } {
  const child = spawn('node', ['cli/metaaligner.mjs', 'start', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (piece: Buffer) => (stderr += piece.toString()));
  return { child, stderr: () => stderr };
}

test('metaaligner start serves until Ctrl-C', async ({ request }) => {
  const { child, stderr } = start(['--port', '0']);
  await expect.poll(stderr).toContain('http://127.0.0.1:');
  const url = /http:\S+/.exec(stderr())?.[0] ?? '';
  expect((await request.get(url)).headers()['cross-origin-opener-policy']).toBe('same-origin');
  child.kill('SIGINT');
  expect((await once(child, 'exit'))[0]).toBe(0);
});

test('metaaligner start says that its port is taken', async ({ baseURL }) => {
  const { child, stderr } = start(['--port', new URL(baseURL ?? '').port]);
  expect((await once(child, 'exit'))[0]).toBe(1);
  expect(stderr()).toContain('is in use. Take another with --port');
});
