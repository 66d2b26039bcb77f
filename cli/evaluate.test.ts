import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, type TestContext } from 'vitest';
import { runCli } from './run-cli.fixture.ts';

interface Scored {
  dataset: string;
  [measure: string]: string | number;
}

/** Made by scripts/reference/evaluation.py with scikit-learn, sacrebleu, rouge_score, scipy and statsmodels. */
const reference = JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures/evaluation.json'), 'utf8')) as {
  rule: Record<string, Scored[]>;
  quality: Record<string, Scored[]>;
  annotations: {
    file: string;
    rows: number;
    withoutReference: number;
    identical: number;
    correlations: { metric: string; aspect: string; pearson: number[]; spearman: number; kendall: number }[];
    agreement: Record<string, number>;
  }[];
};

function dataFolder(context: TestContext, folder: string): string {
  const path = resolve(process.env.METAALIGNER_DATA ?? '../shared/data', 'imhi', folder);
  if (!existsSync(path)) context.skip(`no data at ${path} (METAALIGNER_DATA)`);
  return path;
}

async function runJson<Result>(args: string[]): Promise<Result> {
  const { code, stdout, stderr } = await runCli([...args, '--json']);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout.toString()) as Result;
}

const byName = (rows: readonly Scored[]) => [...rows].sort((one, other) => (one.dataset < other.dataset ? -1 : 1));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'metaaligner-evaluate-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('evaluate imhi rule', { timeout: 30_000 }, () => {
  it.for(Object.keys(reference.rule))('equals scikit-learn to the last digit on %s', async (name, context) => {
    const outputs = dataFolder(context, name);
    const found = await runJson<Scored[]>(['evaluate', 'imhi', 'rule', '--outputs', outputs]);
    expect(byName(found)).toEqual(byName(reference.rule[name]!));
  });

  it('leaves out rows whose reference has no label, counts them, and says which files are no data set', async () => {
    const rows = [
      '"no causes","none"',
      '"bias or abuse. Reasoning: none","I see bias here. Reasoning: jobs"',
      '"none","-"',
    ];
    await writeFile(join(folder, 'CAMS.csv'), `goldens,generated_text\n${rows.join('\n')}\n`);
    await writeFile(join(folder, 'other.csv'), 'goldens,generated_text\na,b\n');
    const { code, stdout, stderr } = await runCli(['evaluate', 'imhi', 'rule', '--outputs', folder, '--json']);
    expect(code).toBe(0);
    expect(stderr).toContain('other.csv is left out');
    expect(stderr).toContain('should see a professional');
    expect(JSON.parse(stdout.toString())).toEqual([
      {
        dataset: 'CAMS',
        rows: 2,
        accuracy: 100,
        weightedF1: 100,
        microF1: 100,
        macroF1: 100,
        outOfDomain: 1,
        unlabelledReferences: 1,
      },
    ]);
  });

  it('reports a data set of which no reference has a label', async () => {
    await writeFile(join(folder, 'DR.csv'), 'goldens,generated_text\nperhaps,yes\n');
    const found = await runJson<Scored[]>(['evaluate', 'imhi', 'rule', '--outputs', folder]);
    expect(found).toMatchObject([{ rows: 0, accuracy: null, unlabelledReferences: 1 }]);
  });

  it('prints a table with a note on help, and confusion matrices on request', async () => {
    await writeFile(join(folder, 'DR.csv'), 'goldens,generated_text\nyes,no\nno,no\n');
    const { stdout, stderr } = await runCli(['evaluate', 'imhi', 'rule', '--outputs', folder, '--confusion']);
    expect(stdout.toString()).toMatch(/^DR +2 +50\.00 +33\.33 +50\.00 +33\.33 +0 +0$/m);
    expect(stdout.toString()).toMatch(/^yes +1 +0$/m);
    expect(stderr).toContain('should see a professional');
  });

  it.each([
    ['no folder', async () => join(folder, 'nowhere'), 2, 'cannot be read'],
    ['no file of a data set', async () => (await writeFile(join(folder, 'x.csv'), 'a\n1\n'), folder), 2, 'CAMS, CLP'],
    [
      'a column that is missing',
      async () => (await writeFile(join(folder, 'DR.csv'), 'goldens,text\n1,2\n'), folder),
      1,
      'has no column generated_text; it has goldens, text',
    ],
    [
      'a row without a cell',
      async () => (await writeFile(join(folder, 'DR.csv'), 'goldens,generated_text\nyes\n'), folder),
      1,
      'Row 1 of',
    ],
  ])('refuses %s', async (_name, make, exitCode, said) => {
    const { code, stderr } = await runCli(['evaluate', 'imhi', 'rule', '--outputs', await make()]);
    expect(code).toBe(exitCode);
    expect(stderr).toContain(said);
  });
});

describe('evaluate quality', { timeout: 30_000 }, () => {
  it.for(Object.keys(reference.quality))(
    'equals sacrebleu and rouge_score within 1e-6 on %s',
    async (name, context) => {
      const outputs = dataFolder(context, name);
      const found = await runJson<Scored[]>(['evaluate', 'quality', '--outputs', outputs, '--metrics', 'bleu,rouge']);
      const wanted = byName(reference.quality[name]!);
      expect(found).toHaveLength(wanted.length);
      for (const [i, row] of byName(found).entries()) {
        for (const [key, value] of Object.entries(wanted[i]!)) {
          if (typeof value === 'number') expect(row[key], `${row.dataset} ${key}`).toBeCloseTo(value, 6);
          else expect(row[key]).toBe(value);
        }
      }
    },
  );

  it('refuses an unknown metric with the list of those that exist', async () => {
    const { code, stderr } = await runCli(['evaluate', 'quality', '--outputs', folder, '--metrics', 'bleu,meteor']);
    expect(code).toBe(2);
    expect(stderr).toContain('“meteor”. Known: bleu, rouge, bertscore, bartscore, gptscore.');
  });
});

describe('evaluate annotations', { timeout: 30_000 }, () => {
  it('equals scipy and statsmodels on the human ratings', async (context) => {
    const annotations = dataFolder(context, 'DR_annotation');
    const references = join(dataFolder(context, 'test_instruction'), 'DR.csv');
    const found = await runJson<{ file: string; report: (typeof reference.annotations)[number] }[]>([
      'evaluate',
      'annotations',
      '--annotations',
      annotations,
      '--references',
      references,
    ]);
    expect(found.map(({ file }) => file)).toEqual(reference.annotations.map(({ file }) => file));
    for (const [i, { report }] of found.entries()) {
      const wanted = reference.annotations[i]!;
      const { rows, withoutReference, identical } = wanted;
      expect(report).toMatchObject({ rows, withoutReference, identical });
      for (const [aspect, kappa] of Object.entries(wanted.agreement)) {
        expect(report.agreement[aspect]).toBeCloseTo(kappa, 9);
      }
      for (const { metric, aspect, pearson, spearman, kendall } of wanted.correlations) {
        const row = report.correlations.find((one) => one.metric === metric && one.aspect === aspect);
        expect(row).toMatchObject({
          pearson: {
            value: expect.closeTo(pearson[0]!, 9) as number,
            low: expect.closeTo(pearson[1]!, 9) as number,
            high: expect.closeTo(pearson[2]!, 9) as number,
          },
          spearman: { value: expect.closeTo(spearman, 9) as number },
          kendall: { value: expect.closeTo(kendall, 9) as number },
        });
      }
    }
  });

  it('puts the same numbers into a report of the same files', async (context) => {
    const annotations = dataFolder(context, 'DR_annotation');
    const references = join(dataFolder(context, 'test_instruction'), 'DR.csv');
    type Found = { file: string; report: { correlations: unknown[] } }[];
    const printed = await runJson<Found>([
      ...['evaluate', 'annotations', '--annotations', annotations, '--references', references],
    ]);
    const files = printed.map(({ file }) => join(annotations, `${file}.csv`));
    const { code, stderr } = await runCli(['evaluate', 'report', references, ...files, '--to', folder]);
    expect(code, stderr).toBe(0);
    expect(stderr).toContain('should see a professional');
    const report = JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')) as { annotations: Found };
    expect(report.annotations.map((one) => one.report)).toEqual(printed.map((one) => one.report));
    const alone = await runCli(['evaluate', 'report', files[0]!, '--to', folder]);
    expect(alone.code).toBe(1);
    expect(alone.stderr).toContain('Add the CSV file with the references too');
  });

  it('refuses ratings that are no list, with their row', async () => {
    await writeFile(
      join(folder, 'a.csv'),
      'text,label,model,fluency,completeness,reliability,overall\np,0,e,"[1, 2]",x,"[1, 2]","[1, 2]"\n',
    );
    const references = join(folder, 'references');
    await writeFile(references, 'query,answer\np,a\n');
    const { code, stderr } = await runCli([
      'evaluate',
      'annotations',
      '--annotations',
      folder,
      '--references',
      references,
    ]);
    expect(code).toBe(1);
    expect(stderr).toContain('has “x” where ratings should be');
  });
});
