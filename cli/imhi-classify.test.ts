import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatHeader, formatRow } from '../src/batch/row-format.ts';
import { type ClassifierCase, classifierCheckpointFolder } from '../src/convert/classifier/small-classifier.fixture.ts';
import { CLASSIFIER_LABELS, IMHI_DATASETS, labelOfClassifiedReference } from '../src/evaluation/imhi-labels.ts';
import { runCli } from './run-cli.fixture.ts';

interface ImhiCase extends Pick<ClassifierCase, 'seed' | 'config' | 'tokenizer' | 'tokenizerConfig'> {
  dataset: string;
  rows: { goldens: string; text: string; label: string }[];
  metrics: Record<string, number>;
}

/** Made by scripts/reference/imhi_classify.py with transformers and scikit-learn. */
const { cases } = JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures/imhi-classify.json'), 'utf8')) as {
  cases: ImhiCase[];
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'metaaligner-classify-'));
  await mkdir(join(folder, 'outputs'));
  for (const imhiCase of cases) {
    const directory = join(folder, 'models', imhiCase.dataset);
    await mkdir(directory, { recursive: true });
    const { files } = classifierCheckpointFolder({ ...imhiCase, name: '', vocabulary: [], rows: [], cutTo12: [] });
    for (const [path, bytes] of files) await writeFile(join(directory, path), bytes);
    const columns = ['id', 'goldens', 'generated_text'];
    const lines = imhiCase.rows.map(({ goldens, text }, i) => formatRow('csv', columns, [String(i), goldens, text]));
    await writeFile(
      join(folder, 'outputs', `${imhiCase.dataset}.csv`),
      [formatHeader('csv', columns), ...lines].join(''),
    );
  }
});
afterAll(() => rm(folder, { recursive: true }));

const argsOf = (to: string, ...more: string[]) => [
  ...['evaluate', 'imhi', 'classify', '--outputs', join(folder, 'outputs'), '--to', join(folder, to)],
  ...['--from', join(folder, 'models'), '--classifiers', join(folder, 'cache'), ...more],
];

describe('evaluate imhi classify', { timeout: 60_000 }, () => {
  it('gives transformers’ labels beside the texts and scikit-learn’s scores', async () => {
    const { code, stdout, stderr } = await runCli(argsOf('labelled', '--calculate', '--json'));
    expect(code, stderr).toBe(0);
    expect(stderr).toContain('should see a professional');
    for (const { dataset, rows } of cases) {
      const text = await readFile(join(folder, 'labelled', `${dataset}.csv`));
      const written: Record<string, string>[] = parse(text, { columns: true });
      expect(written).toEqual(
        rows.map(({ goldens, text: generated_text, label }, i) => ({
          id: String(i),
          goldens,
          generated_text,
          labels: label,
        })),
      );
    }
    const byName = [...cases].sort((one, other) => one.dataset.localeCompare(other.dataset, 'en'));
    expect(JSON.parse(stdout.toString())).toEqual(byName.map(({ dataset, metrics }) => ({ dataset, ...metrics })));
  });

  it('replaces labels that are there, needs no references without --calculate, and prints tables', async () => {
    const outputs = join(folder, 'earlier');
    await mkdir(outputs);
    const [{ text, label }] = cases[0]!.rows as [ImhiCase['rows'][number]];
    await writeFile(join(outputs, 'DR.csv'), `labels,generated_text\nmaybe,${text}\n`);
    const fixed = ['evaluate', 'imhi', 'classify', '--outputs', outputs, '--from', join(folder, 'models')];
    const args = [...fixed, '--classifiers', join(folder, 'cache')];
    const { code, stdout, stderr } = await runCli([...args, '--to', join(folder, 'again')]);
    expect(code, stderr).toBe(0);
    expect(stdout.toString()).toBe('');
    expect(await readFile(join(folder, 'again/DR.csv'), 'utf8')).toBe(`generated_text,labels\n${text},${label}\n`);
    const calculated = await runCli([...args, '--to', join(folder, 'third'), '--calculate']);
    expect(calculated.code).toBe(1);
    expect(calculated.stderr).toContain('has no column goldens');
    const table = await runCli(argsOf('fourth', '--calculate', '--confusion'));
    expect(table.stdout.toString()).toMatch(/^DR +40 +42\.50 +34\.37 +42\.50 +37\.80 +0$/m);
    expect(table.stdout.toString()).toContain('SAD: reference, then outputs');
    // Converted once.
    expect(await readdir(join(folder, 'cache'))).toHaveLength(cases.length);
  });

  it.each([
    [['--to', 'OUTPUTS'], 2, '--to is the folder of --outputs'],
    [['--from', 'SWAPPED'], 1, 'tells 2 labels apart; CAMS has 6 (none, bias, job, medication, relation, alienation)'],
    [['--from', 'EMPTY'], 2, 'holds no classifier for CAMS'],
  ])('refuses %j', async (extra, exitCode, said) => {
    const places: Record<string, string> = { OUTPUTS: 'outputs', SWAPPED: 'swapped', EMPTY: 'empty' };
    await mkdir(join(folder, 'empty'), { recursive: true });
    const directory = join(folder, 'swapped', 'CAMS');
    await mkdir(directory, { recursive: true });
    for (const path of await readdir(join(folder, 'models', 'DR'))) {
      await writeFile(join(directory, path), await readFile(join(folder, 'models', 'DR', path)));
    }
    const more = extra.map((text) => (places[text] === undefined ? text : join(folder, places[text])));
    const { code, stderr } = await runCli(argsOf('refused', ...more));
    expect(code, stderr).toBe(exitCode);
    expect(stderr).toContain(said);
  });
});

it('knows the ten classifiers’ labels and what their evaluation looks for in references', () => {
  expect(IMHI_DATASETS.map((dataset) => CLASSIFIER_LABELS[dataset].length)).toEqual([6, 2, 2, 2, 2, 2, 2, 9, 5, 4]);
  expect(CLASSIFIER_LABELS.swmh.map(([name]) => name)).toEqual([
    'depression',
    'suicide',
    'anxiety',
    'bipolar',
    'no mental',
  ]);
  expect(CLASSIFIER_LABELS['t-sid'].map(([name]) => name)).toEqual(['depression', 'suicide', 'ptsd', 'control']);
  expect(labelOfClassifiedReference('t-sid', 'No mental condition.')).toBe(0);
  expect(labelOfClassifiedReference('SAD', 'emotion turmoil')).toBe(6);
  expect(labelOfClassifiedReference('SAD', 'another')).toBe(8);
  expect(labelOfClassifiedReference('CAMS', 'none')).toBeUndefined();
  expect(labelOfClassifiedReference('swmh', 'no mental disorders')).toBe(0);
});
