import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatHeader, formatRow } from '../src/batch/row-format.ts';
import type { TrainingItem } from '../src/datasets/training-item.ts';
import { runCli } from './run-cli.fixture.ts';

interface ListHash {
  items: number;
  sha256: string;
}

/** Made by scripts/reference/datasets.py, which rebuilds everything from the published rules. */
const reference = JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures/datasets.json'), 'utf8')) as {
  hhRlhf: {
    file: string;
    rows: number;
    empty: number;
    otherPrompts: number;
    splitSha256: string;
    better: ListHash;
    equal: ListHash;
  };
  ultraFeedback: { testSize: number; better: ListHash; equal: ListHash; tests: [string, string][] };
};
const ULTRAFEEDBACK = join(import.meta.dirname, 'fixtures/ultrafeedback.jsonl');
const SCORE_COLUMNS = ['chosen', 'rejected'].flatMap((side) => [1, 2, 3].map((i) => `${side}_score${i}`));

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** As the script does: with the objectives sorted. */
function itemHash({ conversations: [prompt, target] }: TrainingItem): string {
  const [, before, aspects, after] = /^(.*? these aspects: )(.*?)( \| (?:Context|Query): .*)$/s.exec(prompt.value)!;
  return sha256(`${before}${aspects!.split('; ').sort().join('; ')}${after}\0${target.value}`);
}

function listHash(items: readonly TrainingItem[]): ListHash {
  return { items: items.length, sha256: sha256(items.map(itemHash).sort().join('')) };
}

const score = (prompt: string, response: string, objective: number) =>
  Number.parseInt(sha256(`${objective}\0${prompt}\0${response}`)[0]!, 16) % 4;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'metaaligner-dataset-'));
});
afterEach(() => rm(folder, { recursive: true }));

const readItems = async (path: string) => JSON.parse(await readFile(join(folder, path), 'utf8')) as TrainingItem[];

async function run(...args: string[]): Promise<string> {
  const { code, stderr } = await runCli(['dataset', ...args]);
  expect(code, stderr).toBe(0);
  return stderr;
}

async function failure(...args: string[]): Promise<{ code: number | null; stderr: string }> {
  const { code, stderr } = await runCli(['dataset', ...args]);
  return { code, stderr };
}

async function writeScored(rows: readonly (readonly string[])[]): Promise<string> {
  const columns = ['prompt', 'chosen_response', 'rejected_response', ...SCORE_COLUMNS];
  const path = join(folder, 'scored.csv');
  await writeFile(path, formatHeader('csv', columns) + rows.map((cells) => formatRow('csv', columns, cells)).join(''));
  return path;
}

describe('dataset hh-rlhf', { timeout: 30_000 }, () => {
  it('splits and builds what the published rules make of the real dialogues, the same bytes for a seed', async (context) => {
    const { hhRlhf } = reference;
    const input = resolve(process.env.METAALIGNER_DATA ?? '../shared/data', hhRlhf.file);
    if (!existsSync(input)) context.skip(`no data at ${input} (METAALIGNER_DATA)`);
    const split = join(folder, 'split.csv');
    const said = await run('hh-rlhf', 'split', '--input', input, '--to', split);
    expect(said).toContain(`${hhRlhf.empty} left out; ${hhRlhf.otherPrompts} have two prompts`);
    const rows = parse(await readFile(split)) as [string, string, string][];
    rows.shift();
    expect(rows).toHaveLength(hhRlhf.rows);
    expect(sha256(rows.map((row) => sha256(row.join('\0'))).join(''))).toBe(hhRlhf.splitSha256);

    const scored = await writeScored(
      rows.map(([prompt, chosen, rejected]) => [
        ...[prompt, chosen, rejected],
        ...[chosen, rejected].flatMap((response) => [0, 1, 2].map((i) => String(score(prompt, response, i)))),
      ]),
    );
    const build = (to: string, seed: string) =>
      run('hh-rlhf', 'build', '--scored', scored, '--to', join(folder, to), '--split', 'test', '--seed', seed);
    await build('one', '3');
    await build('two', '3');
    await build('three', '4');
    expect(listHash(await readItems('one/no_equal/test.json'))).toEqual(hhRlhf.better);
    expect(listHash(await readItems('one/all_equal/val.json'))).toEqual(hhRlhf.equal);
    for (const path of ['no_equal/test.json', 'all_equal/val.json', 'report-test.json']) {
      expect((await readFile(join(folder, 'one', path))).equals(await readFile(join(folder, 'two', path)))).toBe(true);
    }
    const [one, three] = [await readItems('one/no_equal/test.json'), await readItems('three/no_equal/test.json')];
    expect(one).not.toEqual(three);
    expect(listHash(three)).toEqual(hhRlhf.better);
    // One counter for both lists; equal items stay in their order.
    const equalIds = (await readItems('one/all_equal/val.json')).map(({ id }) => id);
    expect(equalIds).toEqual([...equalIds].sort((a, b) => a - b));
    expect(new Set([...equalIds, ...one.map(({ id }) => id)]).size).toBe(hhRlhf.better.items + hhRlhf.equal.items);
    expect(await readdir(join(folder, 'one'))).toEqual(['README.md', 'all_equal', 'no_equal', 'report-test.json']);
  });

  it('keeps the first shuffled items of train for validation, and says when none would be left', async () => {
    const rows = Array.from({ length: 30 }, (_, i) => [`p${i}`, `c${i}`, `r${i}`, '1', '0', '2', '0', '0', '2']);
    const scored = await writeScored(rows);
    const args = ['hh-rlhf', 'build', '--scored', scored, '--to', folder, '--split', 'train', '--val-size'];
    await run(...args, '10');
    const [train, val] = [await readItems('no_equal/train.json'), await readItems('no_equal/val.json')];
    expect([train.length, val.length]).toEqual([20, 10]);
    expect(train[0]!.conversations[0].value).toMatch(/ to improve it considering these aspects: Harmlessness: /);
    const equal = await readItems('all_equal/train.json');
    expect(equal).toHaveLength(30);
    expect(equal[0]!.conversations[0].value).toMatch(
      / to make it equal considering .*Helpfulness: .*; Humour: .*\| Answer: r0 /,
    );
    const tooFew = await failure(...args, '30');
    expect(tooFew.code).toBe(2);
    expect(tooFew.stderr).toContain('There are 30 items and 30 are kept for validation');
  });

  it('lists bad rows with their lines, and stops at the first with --strict', async () => {
    const input = join(folder, 'pairs.jsonl.gz');
    const good = { chosen: '\n\nHuman: a\n\nAssistant: b', rejected: '\n\nHuman: a\n\nAssistant: c' };
    const lines = [
      JSON.stringify(good),
      '{"chosen": ',
      '',
      JSON.stringify({ ...good, rejected: 'no turn' }),
      JSON.stringify({ ...good, chosen: '\n\nHuman: a\n\nAssistant: \u001c' }),
    ];
    await writeFile(input, gzipSync(lines.join('\n')));
    const to = join(folder, 'split.csv');
    const { code, stdout } = await runCli(['dataset', 'hh-rlhf', 'split', '--input', input, '--to', to, '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout.toString())).toMatchObject({
      read: 4,
      written: 1,
      leftOut: [{ line: 2 }, { line: 4 }, { line: 5, problem: 'A response is empty.' }],
    });
    expect(parse(await readFile(to))).toEqual([
      ['prompt', 'chosen_response', 'rejected_response'],
      ['\n\nHuman: a \n\nAssistant:', 'b', 'c'],
    ]);
    const strict = await failure('hh-rlhf', 'split', '--input', input, '--to', to, '--strict');
    expect(strict.code).toBe(1);
    expect(strict.stderr).toContain('Line 2 of');

    const scored = await writeScored([
      ['p', 'c', 'r', '1', '1', '1', '0', 'NaN', '0'],
      ['p', 'c', 'r', '1', '1', '', '0', '0', '0'],
      ['p', '', 'r', '1', '1', '1', '0', '0', '0'],
      ['p', 'c', 'r', '1', '1', '1', '0', '0', '0'],
    ]);
    const built = ['hh-rlhf', 'build', '--scored', scored, '--to', folder, '--split', 'test'];
    await run(...built);
    const report = JSON.parse(await readFile(join(folder, 'report-test.json'), 'utf8')) as object;
    expect(report).toMatchObject({
      pairs: { read: 4, used: 1 },
      itemsByObjectives: { better: { 3: 1 }, equal: {} },
      leftOut: [{ line: 1 }, { line: 2 }, { line: 3 }],
    });
    expect((await failure(...built, '--strict')).code).toBe(1);
  });

  it.each([
    ['a file that is missing', ['--input', 'nowhere.jsonl'], 2, 'does not exist'],
    ['a format it does not know', ['--input', 'x.xlsx'], 2, 'is not named .jsonl, .csv or .tsv'],
  ])('refuses %s', async (_name, args, exitCode, said) => {
    const { code, stderr } = await failure('hh-rlhf', 'split', ...args, '--to', join(folder, 'x.csv'));
    expect(code).toBe(exitCode);
    expect(stderr).toContain(said);
  });

  it('refuses a gzip file that is cut short, and a file without the columns', async () => {
    const input = join(folder, 'cut.jsonl.gz');
    await writeFile(input, gzipSync('{"chosen":1}\n'.repeat(1000)).subarray(0, 30));
    const cut = await failure('hh-rlhf', 'split', '--input', input, '--to', join(folder, 'x.csv'));
    expect(cut.code).toBe(1);
    expect(cut.stderr).toContain('damaged or cut short');
    const other = join(folder, 'other.jsonl');
    await writeFile(other, '{"text":1}\n');
    const lacking = await failure('hh-rlhf', 'split', '--input', other, '--to', join(folder, 'x.csv'));
    expect(lacking.stderr).toContain('lacks chosen, rejected; it has text');
  });
});

describe('dataset ultrafeedback', { timeout: 30_000 }, () => {
  it('builds what the published rules make, with N/A, missing, equal and odd completions', async () => {
    const { ultraFeedback } = reference;
    const args = ['ultrafeedback', 'build', '--input', ULTRAFEEDBACK, '--to', folder, '--val-size', '20'];
    await run(...args, '--test-size', String(ultraFeedback.testSize));
    const better = [...(await readItems('no_equal/train.json')), ...(await readItems('no_equal/val.json'))];
    expect(await readItems('no_equal/val.json')).toHaveLength(20);
    expect(listHash(better)).toEqual(ultraFeedback.better);
    expect(listHash(await readItems('all_equal/train.json'))).toEqual(ultraFeedback.equal);
    const [header, ...tests]: string[][] = parse(await readFile(join(folder, 'no_equal/test.csv')));
    expect(header).toEqual(['query', 'golden_response']);
    expect(tests).toEqual(ultraFeedback.tests);
    const all = await failure(...args, '--test-size', '60');
    expect(all.code).toBe(2);
    expect(all.stderr).toContain('has 60 instructions and the last 60 are the test set');
  });
});
