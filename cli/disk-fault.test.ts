import { mkdir, mkdtemp, open, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { JournalFile } from './batch/journal-file.ts';
import { writeWhole } from './batch/output-files.ts';
import { readRows } from './batch/read-rows.ts';
import { diskFault } from './disk-fault.ts';
import { VerdictCache } from './judge/verdict-cache.ts';
import { runCli } from './run-cli.fixture.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'metaaligner-disk-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

const thrownBy = (work: () => Promise<unknown>): Promise<unknown> => work().then(undefined, (error: unknown) => error);

it.each([
  ['a file that is not there', () => readFile(join(folder, 'x')), /x is not there/],
  ['a folder read as a file', () => readFile(folder), /^A folder was given where a file is wanted\.$/],
  ['a folder of rows', () => readAll(folder), /metaaligner-disk-\w+ is a folder, where a file is wanted\.$/],
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
  // Reading a folder fails when it is open, without its path.
  expect(diskFault(await thrownBy(work))).toMatch(sentence);
});

async function readAll(path: string): Promise<void> {
  for await (const row of readRows({ path, format: 'jsonl' })) expect(row).toBeDefined();
}

/** As long as it lasts, nothing can be added to a file. */
async function fillDisk(): Promise<void> {
  const full = await open('/dev/full', 'w');
  const error = await thrownBy(() => full.appendFile('x'));
  // Each write has an error of its own.
  const write = () => Promise.reject(Object.assign(new Error('no space'), error));
  vi.spyOn(Object.getPrototypeOf(full) as typeof full, 'appendFile').mockImplementation(write);
  await full.close();
}

it.skipIf(process.platform !== 'linux').each([0, 1])(
  'says of a full disk what is kept: %i rows of a batch and replies of a judge',
  async (count) => {
    const kept = count > 0 ? ' What was finished before is kept.' : '';
    const [rows, replies] = [join(folder, 'rows.jsonl'), join(folder, 'replies.jsonl')];
    const job = { version: 1 } as unknown as Parameters<typeof JournalFile.open>[1];
    const journal = await JournalFile.open(rows, job, { setCount: 1, isRestarted: false });
    const cache = await VerdictCache.open(replies);
    const add = (row: number) => journal.append({ row, set: 0, error: 'engine-failed' } as never);
    const reply = { text: 'yes', promptTokens: 1, replyTokens: 1 };
    if (count > 0) await Promise.all([add(0), cache.add('a', reply)]);
    await fillDisk();
    expect(diskFault(await thrownBy(() => add(1)))).toBe(`${rows} cannot be written: the disk is full.${kept}`);
    const failed = await thrownBy(() => cache.add('b', reply));
    expect(diskFault(failed)).toBe(`${replies} cannot be written: the disk is full.${kept}`);
    await Promise.all([journal.close(), cache.close()]);
  },
);

it.skipIf(process.platform !== 'linux')('says of a full disk nothing of what is kept where nothing is', async () => {
  const path = join(folder, 'report.html');
  await symlink('/dev/full', `${path}.part`);
  const error = await thrownBy(() => writeWhole(path, (write) => write('report')));
  expect(diskFault(error)).toBe(`${path} cannot be written: the disk is full.`);
});

it('says nothing of bugs, and of what is no matter of a disk', () => {
  expect(diskFault(new Error('ENOENT'))).toBeUndefined();
  expect(diskFault(Object.assign(new Error('in use'), { code: 'EADDRINUSE', syscall: 'listen' }))).toBeUndefined();
  expect(diskFault('ENOENT')).toBeUndefined();
});

it('tells a path that cannot be used in one line, without a stack', { timeout: 60_000 }, async () => {
  const outputs = join(folder, 'outputs');
  await mkdir(outputs);
  await mkdir(join(folder, 'of.json'));
  const row = 'q,gold,old,new';
  await writeFile(join(outputs, 'a.csv'), `query,goldens,origin_responses,aligned_responses\n${row}\n`);
  const judge = ['--judge', 'http://127.0.0.1:9/v1', '--judge-model', 'm', '--family', 'hh-rlhf'];
  const fixed = ['evaluate', 'win-rate', '--outputs', outputs, '--objectives', 'humour', ...judge];
  const missing = join(folder, 'nowhere/cache.jsonl');
  for (const [args, path] of [
    [[...fixed, '--report', join(folder, 'report'), '--cache', missing], missing],
    [[...fixed, '--report', join(outputs, 'a.csv')], join(outputs, 'a.csv')],
    [['evaluate', 'report', join(folder, 'none.json'), '--to', join(folder, 'to')], join(folder, 'none.json')],
    [['evaluate', 'report', join(folder, 'of.json'), '--to', join(folder, 'to')], join(folder, 'of.json')],
  ] as const) {
    const { code, stderr } = await runCli([...args]);
    expect(code).toBe(1);
    expect(stderr).toContain(`error: ${path} is `);
    expect(stderr).not.toContain('    at ');
  }
});
