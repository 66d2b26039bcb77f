import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatHeader, formatRow } from '../src/batch/row-format.ts';
import {
  BART_SCORE_REFERENCE,
  BERT_SCORE_REFERENCE,
  smallCheckpointFolder,
} from '../src/engines/small-scorers.fixture.ts';
import { runCli } from './run-cli.fixture.ts';

const { texts, references, baseline, cases } = BERT_SCORE_REFERENCE;

const { TMPDIR } = process.env;
let folder: string;
let server: Server | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'metaaligner-quality-'));
});
afterEach(async () => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
  if (TMPDIR === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = TMPDIR;
  await rm(folder, { recursive: true, force: true });
});

async function writeOutputs(rows: readonly (readonly [goldens: string, text: string])[]): Promise<string> {
  const outputs = join(folder, 'outputs');
  await mkdir(outputs);
  const columns = ['goldens', 'generated_text'];
  const lines = rows.map((row) => formatRow('csv', columns, row));
  await writeFile(join(outputs, 'DR.csv'), [formatHeader('csv', columns), ...lines].join(''));
  return outputs;
}

async function writeEncoder(index: number): Promise<string> {
  const directory = join(folder, `encoder-${index}`);
  await mkdir(directory);
  const { files } = smallCheckpointFolder(cases[index]!);
  for (const [path, bytes] of files) await writeFile(join(directory, path), bytes);
  return directory;
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('evaluate quality --metrics bertscore', { timeout: 60_000 }, () => {
  it.each([
    [1, 'equal', []],
    [2, 'equal', []],
    [2, 'idf', ['--bertscore-idf']],
  ] as const)('equals bert_score within 1e-3 with encoder %i, %s weights', async (index, weights, extra) => {
    const outputs = await writeOutputs(texts.map((text, i) => [references[i]!, text]));
    const temporary = join(folder, 'temporary');
    await mkdir(temporary);
    process.env.TMPDIR = temporary;
    const args = ['evaluate', 'quality', '--outputs', outputs, '--metrics', 'bertscore,bleu', '--json', ...extra];
    const layer = ['--bertscore-layer', String(cases[index]!.layer)];
    const { code, stdout, stderr } = await runCli([...args, '--bertscore-model', await writeEncoder(index), ...layer]);
    expect(code, stderr).toBe(0);
    const [scores] = JSON.parse(stdout.toString()) as Record<string, number>[];
    expect(Object.keys(scores!)).toEqual([
      'dataset',
      'rows',
      'bertScorePrecision',
      'bertScoreRecall',
      'bertScoreF1',
      'bleu',
    ]);
    const wanted = cases[index]![weights];
    ['bertScorePrecision', 'bertScoreRecall', 'bertScoreF1'].forEach((name, k) => {
      expect(Math.abs(scores![name]! - mean(wanted.map((row) => row[k]!)))).toBeLessThan(1e-3);
    });
    // The converted encoder does not stay.
    expect((await readdir(temporary)).filter((name) => name.startsWith('metaaligner'))).toEqual([]);
  });

  it.each([0, 1])('rescales with a baseline as bert_score does, encoder %i', async (index) => {
    const outputs = await writeOutputs(texts.map((text, i) => [references[i]!, text]));
    const baselines = join(folder, 'baselines.tsv');
    await writeFile(baselines, baseline);
    const args = ['evaluate', 'quality', '--outputs', outputs, '--metrics', 'bertscore', '--json'];
    const more = ['--bertscore-layer', String(cases[index]!.layer), '--bertscore-baseline', baselines];
    const { code, stdout, stderr } = await runCli([...args, '--bertscore-model', await writeEncoder(index), ...more]);
    expect(code, stderr).toBe(0);
    const [scores] = JSON.parse(stdout.toString()) as Record<string, number>[];
    ['bertScorePrecision', 'bertScoreRecall', 'bertScoreF1'].forEach((name, k) => {
      const wanted = mean(cases[index]!.rescaled!.map((row) => row[k]!));
      expect(Math.abs(scores![name]! - wanted), name).toBeLessThan(1e-3);
    });
  });

  it('reads a RoBERTa without tokenizer.json from vocab.json and merges.txt', async () => {
    const outputs = await writeOutputs(texts.map((text, i) => [references[i]!, text]));
    const directory = await writeEncoder(2);
    const { model } = JSON.parse(await readFile(join(directory, 'tokenizer.json'), 'utf8')) as {
      model: { vocab: object; merges: [string, string][] };
    };
    await rm(join(directory, 'tokenizer.json'));
    await writeFile(join(directory, 'vocab.json'), JSON.stringify(model.vocab));
    await writeFile(join(directory, 'merges.txt'), model.merges.map((pair) => `${pair.join(' ')}\n`).join(''));
    const args = ['evaluate', 'quality', '--outputs', outputs, '--metrics', 'bertscore', '--json'];
    const layer = ['--bertscore-layer', String(cases[2]!.layer)];
    const { code, stdout, stderr } = await runCli([...args, '--bertscore-model', directory, ...layer]);
    expect(code, stderr).toBe(0);
    const [scores] = JSON.parse(stdout.toString()) as { bertScoreF1: number }[];
    expect(Math.abs(scores!.bertScoreF1 - mean(cases[2]!.equal.map((row) => row[2])))).toBeLessThan(1e-3);
  });

  it.each([
    [['--metrics', 'bertscore'], 2, 'needs --bertscore-model'],
    [['--metrics', 'bertscore', '--bertscore-model', 'ENCODER'], 2, 'Say --bertscore-layer N'],
    [['--metrics', 'bertscore', '--bertscore-model', 'ENCODER', '--bertscore-layer', '9'], 1, 'it has 3 layers'],
    [
      [
        '--metrics',
        'bertscore',
        '--bertscore-model',
        'ENCODER',
        '--bertscore-layer',
        '7',
        '--bertscore-baseline',
        'FILE',
      ],
      2,
      'is no file of baselines for layer 7. It has 4 layers, but not 7.',
    ],
    [['--metrics', 'gptscore'], 2, 'needs --endpoint URL and --model NAME'],
  ])('refuses %j', async (args, exitCode, said) => {
    const outputs = await writeOutputs([['a', 'b']]);
    const encoder = await writeEncoder(0);
    const baselines = join(folder, 'baselines.tsv');
    await writeFile(baselines, baseline);
    const more = args.map((text) => (text === 'ENCODER' ? encoder : text === 'FILE' ? baselines : text));
    const { code, stderr } = await runCli(['evaluate', 'quality', '--outputs', outputs, ...more]);
    expect(code, stderr).toBe(exitCode);
    expect(stderr).toContain(said);
  });
});

it('evaluate quality --metrics bartscore equals BARTScore within 1e-3', { timeout: 60_000 }, async () => {
  const { sources, targets, cases: bartCases } = BART_SCORE_REFERENCE;
  const outputs = await writeOutputs(sources.map((source, i) => [targets[i]!, source]));
  const directory = join(folder, 'bart');
  await mkdir(directory);
  for (const [path, bytes] of smallCheckpointFolder(bartCases[0]!).files) await writeFile(join(directory, path), bytes);
  const args = ['evaluate', 'quality', '--outputs', outputs, '--metrics', 'bartscore', '--json'];
  const { code, stdout, stderr } = await runCli([...args, '--bartscore-model', directory]);
  expect(code, stderr).toBe(0);
  const [scores] = JSON.parse(stdout.toString()) as { bartScore: number }[];
  expect(Math.abs(scores!.bartScore - mean(bartCases[0]!.scores))).toBeLessThan(1e-3);
  const without = await runCli(args);
  expect(without.code).toBe(2);
  expect(without.stderr).toContain('bartscore needs --bartscore-model');
});

describe('evaluate quality --metrics gptscore', { timeout: 60_000 }, () => {
  /** Every word with the space before it is a token of log-probability -length/10; the server adds one of its own. */
  async function startModel({ echoes = true, refuses = '' } = {}) {
    const bodies: { prompt: string; echo: boolean; logprobs: number }[] = [];
    server = createServer((request, response) => {
      let text = '';
      request.on('data', (piece: Buffer) => (text += piece.toString()));
      request.on('end', () => {
        const body = JSON.parse(text) as (typeof bodies)[number];
        bodies.push(body);
        if (refuses !== '' && body.prompt.includes(refuses)) {
          response.writeHead(400).end('too long');
          return;
        }
        const tokens = [...(echoes ? (body.prompt.match(/\s?\S+|\s/gu) ?? []) : []), ' more'];
        const token_logprobs = tokens.map((token, i) => (i === 0 ? null : -[...token].length / 10));
        response.end(JSON.stringify({ choices: [{ text: 'x', logprobs: { tokens, token_logprobs } }] }));
      });
    });
    await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
    return { bodies, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1` };
  }

  const argsOf = (outputs: string, url: string) => [
    'evaluate',
    'quality',
    '--outputs',
    outputs,
    '--metrics',
    'gptscore',
    '--endpoint',
    url,
    '--model',
    'm',
    '--json',
  ];

  it('is the mean log-probability of the reference’s tokens after the generated text, over rows', async () => {
    const { bodies, url } = await startModel();
    // Characters outside the basic plane count once, as in Python.
    const outputs = await writeOutputs([
      ['no way', 'Say 🙂🙂 no'],
      ['maybe', 'Yes'],
    ]);
    const { code, stdout, stderr } = await runCli(argsOf(outputs, url));
    expect(code, stderr).toBe(0);
    const [scores] = JSON.parse(stdout.toString()) as { gptScore: number }[];
    expect(scores!.gptScore).toBeCloseTo(mean([mean([-0.3, -0.4]), -0.6]), 12);
    expect(bodies.map(({ prompt }) => prompt).sort()).toEqual([
      'Say 🙂🙂 no\nIn other words, no way',
      'Yes\nIn other words, maybe',
    ]);
    expect(bodies[0]).toMatchObject({ echo: true, logprobs: 1 });
  });

  it('leaves out and counts a row that the server refuses, and fails where it refuses all', async () => {
    const { url } = await startModel({ refuses: 'Yes' });
    const outputs = await writeOutputs([
      ['no way', 'Say'],
      ['maybe', 'Yes'],
    ]);
    const { stdout, stderr } = await runCli(argsOf(outputs, url));
    expect((JSON.parse(stdout.toString()) as { gptScore: number }[])[0]!.gptScore).toBeCloseTo(-0.35, 12);
    expect(stderr).toContain('1 rows have no GPTScore');
    await rm(outputs, { recursive: true });
    const failed = await runCli(argsOf(await writeOutputs([['maybe', 'Yes']]), url));
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain('No row has a GPTScore');
  });

  it('says so of a server that does not repeat the prompt', async () => {
    const { url } = await startModel({ echoes: false });
    const { code, stderr } = await runCli(argsOf(await writeOutputs([['a', 'b']]), url));
    expect(code).toBe(1);
    expect(stderr).toContain('it must know echo and logprobs');
  });
});

it(
  'evaluate annotations sets BERTScore beside BLEU and ROUGE where a model is given',
  { timeout: 60_000 },
  async () => {
    const annotations = join(folder, 'annotations');
    await mkdir(annotations);
    const columns = ['text', 'label', 'model', 'fluency', 'completeness', 'reliability', 'overall'];
    const ratings = ['[1, 2, 3]', '[3, 2, 3]', '[0, 0, 1]', '[2, 2, 2]', '[1, 1, 0]'];
    const rows = texts.map((text, i) => [`post ${i}`, '0', text, ...Array<string>(4).fill(ratings[i]!)]);
    const lines = rows.map((row) => formatRow('csv', columns, row));
    await writeFile(join(annotations, 'a.csv'), [formatHeader('csv', columns), ...lines].join(''));
    const references = join(folder, 'references.csv');
    const answers = BERT_SCORE_REFERENCE.references.map((one, i) =>
      formatRow('csv', ['query', 'x'], [`post ${i}`, one]),
    );
    await writeFile(references, ['query,x\n', ...answers].join(''));
    const args = ['evaluate', 'annotations', '--annotations', annotations, '--references', references, '--json'];
    const layer = ['--bertscore-layer', String(cases[1]!.layer)];
    const { code, stdout, stderr } = await runCli([...args, '--bertscore-model', await writeEncoder(1), ...layer]);
    expect(code, stderr).toBe(0);
    const [found] = JSON.parse(stdout.toString()) as {
      report: { correlations: { metric: string; rows: number; pearson: { value: number } }[] };
    }[];
    const bertScore = found!.report.correlations.filter(({ metric }) => metric === 'BERTScore');
    expect(bertScore).toHaveLength(4);
    // Of the F1 scores in the fixture with the means of the ratings.
    const [x, y] = [cases[1]!.equal.map((row) => row[2]), [2, 8 / 3, 1 / 3, 2, 2 / 3]];
    const centred = (values: number[]) => values.map((value) => value - mean(values));
    const dot = (one: number[], other: number[]) => one.reduce((sum, value, i) => sum + value * other[i]!, 0);
    const [cx, cy] = [centred(x), centred(y)];
    expect(bertScore[0]!.pearson.value).toBeCloseTo(dot(cx, cy) / Math.sqrt(dot(cx, cx) * dot(cy, cy)), 2);
    expect(bertScore[0]!.rows).toBe(5);
  },
);
