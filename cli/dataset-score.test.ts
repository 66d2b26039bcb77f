import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type LocalHub, startLocalHub } from '../e2e/local-hub.ts';
import { formatHeader, formatRow } from '../src/batch/row-format.ts';
import { CLASSIFIER_CASES, classifierCheckpointFolder } from '../src/convert/classifier/small-classifier.fixture.ts';
import { runCli } from './run-cli.fixture.ts';

// Each test starts Node anew.
vi.setConfig({ testTimeout: 60_000 });

/** Made by scripts/reference/small_classifiers.py with transformers and numpy. */
const reference = JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures/scores.json'), 'utf8')) as {
  pairs: [string, string, string][];
  kept: number[];
  statistics: [mean: number, std: number][];
  chosen: number[][];
  rejected: number[][];
};
const COLUMNS = ['prompt', 'chosen_response', 'rejected_response'];

let folder: string;
let server: Server | undefined;
let hub: LocalHub | undefined;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'metaaligner-score-'))));
afterEach(async () => {
  server?.close();
  await hub?.close();
  [server, hub] = [undefined, undefined];
  await rm(folder, { recursive: true });
});

async function writePairs(
  pairs: readonly (readonly string[])[],
  columns: readonly string[] = COLUMNS,
): Promise<string> {
  const path = join(folder, 'pairs.csv');
  await writeFile(path, formatHeader('csv', columns) + pairs.map((cells) => formatRow('csv', columns, cells)).join(''));
  return path;
}

async function writeClassifier(index: number): Promise<string> {
  const path = join(folder, `classifier-${index}`);
  await mkdir(path);
  const { files } = classifierCheckpointFolder(CLASSIFIER_CASES[index]!);
  for (const [name, bytes] of files) await writeFile(join(path, name), bytes);
  return path;
}

const score = (input: string, ...more: string[]) =>
  runCli([
    ...['dataset', 'hh-rlhf', 'score', '--input', input, '--to', join(folder, 'scored.csv')],
    ...['--classifiers', join(folder, 'cache'), '--threads', '1', ...more],
  ]);

async function readScored(): Promise<Record<string, string>[]> {
  return parse(await readFile(join(folder, 'scored.csv')), { columns: true });
}

const readReport = async () =>
  JSON.parse(await readFile(join(folder, 'scored.scores.json'), 'utf8')) as {
    objectives: { name: string; mean: number; std: number }[];
    dropped: { line: number }[];
  };

/** Answers each list of inputs with `answer`, and remembers what it was asked. */
async function startScorer(
  answer: (inputs: unknown[], call: number) => unknown,
): Promise<{ url: string; asked: unknown[] }> {
  const asked: unknown[] = [];
  let call = 0;
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const { inputs } = JSON.parse(body) as { inputs: unknown[] };
      const made = answer(inputs, (call += 1));
      if (typeof made === 'number') response.writeHead(made);
      else asked.push(...inputs);
      response.end(JSON.stringify(made));
    });
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/predict`, asked };
}

describe('dataset hh-rlhf score', () => {
  it('drops, scores and standardizes as the published script does with transformers', async () => {
    const [gpt2, other, distilBert] = [await writeClassifier(2), await writeClassifier(3), await writeClassifier(1)];
    const { code, stderr } = await score(
      await writePairs(reference.pairs),
      ...['--model', `harmless=${gpt2}`, '--model', `helpful=${other}#1`, '--model', `humor=${distilBert}#1`],
    );
    expect(code, stderr).toBe(0);
    const rows = await readScored();
    expect(rows.map((row) => COLUMNS.map((column) => row[column]))).toEqual(
      reference.kept.map((pair) => reference.pairs[pair]),
    );
    for (let i = 0; i < 3; i++) {
      for (const [side, expected] of [
        ['chosen', reference.chosen[i]!],
        ['rejected', reference.rejected[i]!],
      ] as const) {
        rows.forEach((row, j) => expect(Number(row[`${side}_score${i + 1}`])).toBeCloseTo(expected[j]!, 9));
      }
    }
    const report = await readReport();
    expect(report.objectives.map(({ name }) => name)).toEqual(['harmlessness', 'helpfulness', 'humour']);
    report.objectives.forEach(({ mean, std }, i) => {
      expect(mean).toBeCloseTo(reference.statistics[i]![0], 12);
      expect(std).toBeCloseTo(reference.statistics[i]![1], 12);
    });
    const dropped = reference.pairs.map((_, i) => i + 1).filter((line) => !reference.kept.includes(line - 1));
    expect(report.dropped.map(({ line }) => line)).toEqual(dropped);
    // The journal has done its work; what it wrote builds.
    expect((await readdir(folder)).filter((name) => name.includes('journal'))).toEqual([]);
    const built = await runCli([
      ...['dataset', 'hh-rlhf', 'build', '--scored', join(folder, 'scored.csv')],
      ...['--to', join(folder, 'built'), '--split', 'test'],
    ]);
    expect(built.code, built.stderr).toBe(0);
  });

  it('takes a model of the hub, by its id', async () => {
    const { files } = classifierCheckpointFolder(CLASSIFIER_CASES[1]!);
    hub = await startLocalHub({
      repositories: { 'mohameddhiab/humor-no-humor': { files: Object.fromEntries(files) } },
    });
    const { code, stderr } = await score(
      await writePairs(reference.pairs.slice(0, 20)),
      ...['--only', 'humor', '--hub', hub.endpoint],
    );
    expect(code, stderr).toBe(0);
    expect((await readScored()).length).toBeGreaterThan(10);
    const { stderr: missing, code: missingCode } = await score(
      await writePairs(reference.pairs),
      ...['--only', 'humor', '--model', 'humor=mohameddhiab/humor-no-humor#2', '--hub', hub.endpoint, '--restart'],
    );
    expect(missingCode).toBe(1);
    expect(missing).toContain('2 logits (NO_HUMOR, HUMOR); there is none at index 2');
  });

  it('goes on where a lost server stopped it, and not with other scores', async () => {
    const pairs = Array.from({ length: 300 }, (_, i) => [`\n\nHuman: ${i} \n\nAssistant:`, 'yes', 'no way']);
    const input = await writePairs(pairs);
    // A text's score is its length; the server is gone for the eleventh call, after some windows of pairs.
    const answer = (inputs: unknown[], isLost: boolean) =>
      isLost
        ? 403
        : inputs.map((text) => [
            { label: 'OTHER', score: 9 },
            { label: 'LENGTH', score: String(text).length / 10 },
          ]);
    const { url, asked } = await startScorer((inputs, call) => answer(inputs, call > 10 && call < 12));
    const args = ['--only', 'humor', '--server', `humor=${url}#LENGTH`];
    const lost = await score(input, ...args);
    expect(lost.code).toBe(1);
    expect(lost.stderr).toContain('answered 403');
    const before = asked.length;
    const other = await score(input, '--only', 'humor', '--server', `humor=${url}#OTHER`);
    expect(other.code).toBe(1);
    expect(other.stderr).toContain('--restart');
    const { code, stderr } = await score(input, ...args);
    expect(code, stderr).toBe(0);
    const already = Number(/(\d+) of 300 pairs are scored already/.exec(stderr)?.[1]);
    expect(already).toBeGreaterThan(50);
    expect(asked.length - before).toBe(2 * (300 - already));
    const rows = await readScored();
    expect(rows).toHaveLength(300);
    const { mean, std } = (await readReport()).objectives[0]!;
    expect(mean).toBeCloseTo(0.45, 12);
    expect(std).toBeCloseTo(0.15, 12);
    expect(Number(rows[299]!.chosen_score3)).toBeCloseTo(-1, 9);
    expect(Number(rows[299]!.rejected_score3)).toBeCloseTo(1, 9);
  });

  it('drops the pairs that a server refuses, each asked by itself', async () => {
    const pairs = [0, 1, 2, 3].map((i) => [`p${i}`, i === 2 ? 'far too long' : 'short', 'other']);
    const { url } = await startScorer((inputs) =>
      inputs.some((input) => String((input as string[])[1]).includes('long')) ? 413 : inputs.map((_, i) => i),
    );
    const { code, stderr } = await score(await writePairs(pairs), '--only', 'helpful', '--server', `helpful=${url}`);
    expect(code, stderr).toBe(0);
    expect((await readReport()).dropped).toMatchObject([{ line: 3 }]);
    expect(await readScored()).toHaveLength(3);
  });

  it('takes scores that the file has, own objectives and messages, and builds from them', async () => {
    const objectives = join(folder, 'objectives.json');
    await writeFile(
      objectives,
      JSON.stringify([
        { name: 'humour', score: { columns: ['fun_a', 'fun_b'] } },
        {
          name: 'brevity',
          description: 'Brevity: the response should be short',
          chosen: 'a_brevity',
          rejected: 'b_brevity',
          threshold: 1.5,
          score: { columns: ['short_a', 'short_b'] },
        },
      ]),
    );
    const input = join(folder, 'own.jsonl');
    const row = (answer: string, scores: object) => {
      const messages = (content: string) => [
        { role: 'user', content: 'Hello?' },
        { role: 'assistant', content },
      ];
      return JSON.stringify({ good: messages(answer), bad: messages('no'), ...scores });
    };
    await writeFile(
      input,
      [
        row('yes', { fun_a: 0.25, fun_b: 0.15, short_a: 1, short_b: 0 }),
        row('yes', { fun_a: '3', fun_b: 0, short_a: 0, short_b: 2 }),
        row('', { fun_a: 1, fun_b: 0, short_a: 0, short_b: 2 }),
        row('yes', { fun_a: 'many', fun_b: 0, short_a: 0, short_b: 2 }),
      ].join('\n'),
    );
    const args = ['--objectives', objectives, '--chosen-column', 'good', '--rejected-column', 'bad'];
    const { code, stderr } = await score(input, ...args);
    expect(code, stderr).toBe(0);
    expect(stderr).toContain('2 scored in');
    const rows = await readScored();
    expect(Object.keys(rows[0]!)).toEqual([...COLUMNS, 'chosen_score1', 'a_brevity', 'rejected_score1', 'b_brevity']);
    expect(rows[0]).toMatchObject({ prompt: '\n\nHuman: Hello?\n\nAssistant:', chosen_response: 'yes' });
    // 0.25, 3 against 0.15, 0 to one decimal: 0.2, 3, 0.1, 0.
    expect((await readReport()).objectives[0]).toMatchObject({ mean: 0.825 });
    const build = [
      'dataset',
      'hh-rlhf',
      'build',
      '--scored',
      join(folder, 'scored.csv'),
      '--to',
      join(folder, 'built'),
    ];
    const built = await runCli([...build, '--split', 'test', '--objectives', objectives]);
    expect(built.code, built.stderr).toBe(0);
    const items = JSON.parse(await readFile(join(folder, 'built/no_equal/test.json'), 'utf8')) as {
      conversations: { value: string }[];
    }[];
    const aspects = items.map(({ conversations }) => /aspects: (.*?) \|/.exec(conversations[0]!.value)![1]).sort();
    // Brevity differs by 1.2 deviations in the first pair, within the threshold, and by 2.4 in the second.
    expect(aspects).toEqual([
      'Brevity: the response should be short',
      'Humour: The response should be cheerful and amusing',
      'Humour: The response should be cheerful and amusing',
    ]);
  });

  it.each([
    ['an objective that is none', ['--only', 'wit'], 'There is no objective “wit”'],
    ['two sources of one', ['--model', 'humor=a/b', '--columns', 'humour=a,b'], 'two sources'],
    ['an index that is none', ['--model', 'humor=a/b#HUMOR'], 'index of a logit'],
    ['a server without a path', ['--server', 'humor=http://127.0.0.1'], 'no address with a path'],
    ['columns that are not two', ['--columns', 'humor=a'], 'must be two names'],
    ['an assignment without a name', ['--model', 'a/b'], 'NAME='],
    ['a file of objectives that is not there', ['--objectives', 'nowhere.json'], 'does not exist'],
  ])('refuses %s', async (_name, args, said) => {
    const { code, stderr } = await score(await writePairs(reference.pairs), ...args);
    expect(code).toBe(2);
    expect(stderr).toContain(said);
  });

  it('names columns that the file lacks, and stops at a bad row with --strict', async () => {
    const lacking = await score(await writePairs(reference.pairs), '--only', 'humor', '--columns', 'humor=a,b');
    expect(lacking.stderr).toContain('lacks a, b; it has prompt');
    const input = await writePairs([
      ['p', 'a', ''],
      ['p', 'a', 'b'],
    ]);
    const strict = await score(input, '--only', 'humor', '--strict');
    expect(strict.code).toBe(1);
    expect(strict.stderr).toContain('Line 1 of');
  });
});
