import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { diskFault } from './disk-fault.ts';
import { runCli } from './run-cli.fixture.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'metaaligner-disk-'));
});
afterEach(() => rm(folder, { recursive: true }));

it.each([
  ['a file that is not there', () => readFile(join(folder, 'x')), /x is not there/],
  ['a folder read as a file', () => readFile(folder), /folder, where a file is wanted|is a folder/],
  [
    'a folder below a file',
    async () => (await writeFile(join(folder, 'f'), ''), mkdir(join(folder, 'f/g'))),
    /f\/g lies below something that is no folder/,
  ],
  [
    'a folder in place of a file',
    async () => (await writeFile(join(folder, 'f'), ''), mkdir(join(folder, 'f'))),
    /f is there already/,
  ],
])('says in a sentence what is wrong with %s', async (_what, work, sentence) => {
  const error: unknown = await work().catch((thrown: unknown) => thrown);
  // Reading a folder fails when it is open, without its path.
  expect(diskFault(error)).toMatch(sentence);
});

it('says nothing of bugs, and of what is no matter of a disk', () => {
  expect(diskFault(new Error('ENOENT'))).toBeUndefined();
  expect(diskFault(Object.assign(new Error('in use'), { code: 'EADDRINUSE', syscall: 'listen' }))).toBeUndefined();
  expect(diskFault('ENOENT')).toBeUndefined();
});

it('tells a path that cannot be used in one line, without a stack', { timeout: 60_000 }, async () => {
  const outputs = join(folder, 'outputs');
  await mkdir(outputs);
  const row = 'q,gold,old,new';
  await writeFile(join(outputs, 'a.csv'), `query,goldens,origin_responses,aligned_responses\n${row}\n`);
  const judge = ['--judge', 'http://127.0.0.1:9/v1', '--judge-model', 'm', '--family', 'hh-rlhf'];
  const fixed = ['evaluate', 'win-rate', '--outputs', outputs, '--objectives', 'humour', ...judge];
  const missing = join(folder, 'nowhere/cache.jsonl');
  for (const [args, path] of [
    [[...fixed, '--report', join(folder, 'report'), '--cache', missing], missing],
    [[...fixed, '--report', join(outputs, 'a.csv')], join(outputs, 'a.csv')],
    [['evaluate', 'report', join(folder, 'none.json'), '--to', join(folder, 'to')], join(folder, 'none.json')],
  ] as const) {
    const { code, stderr } = await runCli([...args]);
    expect(code).toBe(1);
    expect(stderr).toContain(`error: ${path} is `);
    expect(stderr).not.toContain('    at ');
  }
});
