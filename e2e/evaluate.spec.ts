import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { startJudge } from '../cli/judge-server.fixture.ts';
import { runCli } from '../cli/run-cli.fixture.ts';
import { accessibilityFaults, expect, type Playground, test } from './playground.fixture.ts';

let folder: string;
test.beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'metaaligner-evaluate-'));
});
test.afterEach(() => rm(folder, { recursive: true }));

async function choose({ page }: Playground, files: string[]): Promise<void> {
  await page.getByRole('link', { name: 'Evaluate', exact: true }).click();
  await page.getByTestId('evaluation-input').setInputFiles(files);
}

async function save(page: Page, name: string): Promise<string> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name, exact: true }).click(),
  ]);
  expect(download.suggestedFilename()).toBe(name);
  return readFile(await download.path(), 'utf8');
}

/** Two policy models' outputs, judged under two objectives by a judge that likes the word “good”. */
async function judgedReport(): Promise<{ outputs: string; report: string }> {
  const outputs = join(folder, 'outputs');
  await mkdir(outputs);
  for (const policy of ['gpt-3.5-turbo', 'Claude-3']) {
    const rows = Array.from({ length: 24 }, (_, i) => {
      const edit = ['good good answer', 'plain answer', 'good answer'][i % 3]!;
      return `"How, ""${i}""?",good gold ${i},old ${i},${edit}${' and more'.repeat(i % 5)}`;
    });
    const header = 'query,goldens,origin_responses,aligned_responses';
    await writeFile(join(outputs, `${policy}.csv`), `${[header, ...rows].join('\n')}\n`);
  }
  const goodness = (text: string) => text.split('good').length;
  const judge = await startJudge({
    reply: ({ first, second }) =>
      String(goodness(first) === goodness(second) ? 0 : goodness(first) > goodness(second) ? 1 : 2),
  });
  const report = join(folder, 'report');
  try {
    const fixed = [
      'evaluate',
      'win-rate',
      '--outputs',
      `ours=${outputs}`,
      '--judge',
      judge.url,
      '--judge-model',
      'rule',
    ];
    const { code, stderr } = await runCli([
      ...[...fixed, '--family', 'hh-rlhf', '--objectives', 'harmlessness,humour', '--report', report],
    ]);
    expect(code, stderr).toBe(0);
  } finally {
    await judge.close();
  }
  return { outputs, report };
}

test('shows what the command line reported, beside the paper’s figures, and saves the same page', async ({
  playground,
}) => {
  const { page } = playground;
  const { outputs, report } = await judgedReport();
  await choose(playground, [join(report, 'report.json')]);
  const advantages = page.getByRole('region', { name: /^Edit less original/ });
  await expect(advantages.getByRole('row', { name: /^gpt-3\.5-turbo harmlessness ours/ })).toContainText('15.92');
  await expect(page.getByRole('region', { name: /^Win rates with 95 % intervals/ }).getByRole('img')).toHaveCount(12);
  await expect(page.getByRole('region', { name: /^Win rate against the reference/ })).toContainText('MORLHF');
  await expect(page.getByRole('img', { name: 'Length against win rate' })).toBeVisible();
  // An example is one click away.
  const title = 'ours on gpt-3.5-turbo, harmlessness: edit against reference (rule)';
  const examples = page.locator('details', { has: page.locator('summary', { hasText: title }) });
  await expect(examples.getByText('How, "0"?')).toBeHidden();
  await examples.getByText(title, { exact: true }).click();
  await expect(examples.getByText('How, "0"?')).toBeVisible();
  await expect(examples.getByRole('heading', { name: 'A win, row 1', exact: true })).toBeVisible();
  await expect(page.getByText(/Versions: metaaligner \d/)).toBeVisible();

  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    expect(await accessibilityFaults(page)).toEqual([]);
  }
  for (const width of [320, 390, 1440]) {
    await page.setViewportSize({ width, height: 800 });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(overflow, `at ${width} pixels`).toBeLessThanOrEqual(0);
  }

  // What the page saves is what the command line makes of the same file.
  const again = join(folder, 'again');
  expect((await runCli(['evaluate', 'report', join(report, 'report.json'), '--to', again])).code).toBe(0);
  const withoutVersions = (text: string) => text.replace(/, Node\.js [\d.]+|,?\s*"Node\.js": "[\d.]+"/g, '');
  for (const name of ['report.html', 'rates.csv', 'advantages.csv', 'lengths.csv', 'examples.csv', 'published.csv']) {
    const saved = await save(page, name);
    expect(withoutVersions(saved), name).toBe(withoutVersions(await readFile(join(again, name), 'utf8')));
  }
  const saved = join(folder, 'saved.json');
  await writeFile(saved, await save(page, 'report.json'));

  // The verdicts and the outputs make the same report again; what was saved opens.
  await page.getByRole('button', { name: 'Close all' }).click();
  await choose(playground, [
    join(report, 'verdicts.csv'),
    join(outputs, 'Claude-3.csv'),
    join(outputs, 'gpt-3.5-turbo.csv'),
  ]);
  await expect(page.getByText('A win, row 1', { exact: true }).first()).toBeAttached();
  expect(await save(page, 'rates.csv')).toBe(await readFile(join(again, 'rates.csv'), 'utf8'));
  expect(await save(page, 'examples.csv')).toBe(await readFile(join(again, 'examples.csv'), 'utf8'));
  await expect(page.getByRole('region', { name: /^BLEU, ROUGE/ })).toContainText('aligned_responses');
  await page.getByRole('button', { name: 'Close all' }).click();
  await choose(playground, [saved]);
  await expect(advantages).toBeVisible();
  expect(playground.consoleErrors).toEqual([]);
});

test('scores answers of IMHI as the command line does, and keeps what can be used beside a bad file', async ({
  playground,
}) => {
  const { page } = playground;
  const answers = join(folder, 'answers');
  await mkdir(answers);
  const rows = ['Yes. Reasoning: tired.,yes it is', 'No. Reasoning: well.,hard to say', 'Unclear.,no', 'No.,yes'];
  await writeFile(join(answers, 'DR.csv'), `goldens,generated_text\n${rows.join('\n')}\n`);
  const bad = join(folder, 'bad.csv');
  await writeFile(bad, 'query\nWhy?\n');
  await choose(playground, [join(answers, 'DR.csv'), bad]);
  await expect(playground.error).toContainText('bad.csv has the columns query.');
  const labels = page.getByRole('region', { name: /^Labels of the outputs/ });
  const printed = async (...args: string[]) =>
    JSON.parse((await runCli(['evaluate', ...args, '--outputs', answers, '--json'])).stdout.toString()) as Record<
      string,
      number
    >[];
  const [rule] = await printed('imhi', 'rule');
  const shown = [rule!.accuracy, rule!.weightedF1, rule!.microF1, rule!.macroF1].map((value) => value!.toFixed(2));
  await expect(labels.getByRole('row').nth(1)).toContainText(
    ['DR', 'DR.csv', 'by rules', rule!.rows, ...shown, rule!.outOfDomain, rule!.unlabelledReferences].join(''),
  );
  const [quality] = await printed('quality');
  await expect(page.getByRole('region', { name: /^BLEU, ROUGE/ })).toContainText(quality!.rougeL!.toFixed(4));
  await expect(page.getByText('who needs help should see a professional', { exact: false }).first()).toBeVisible();
  await page.getByText('Confusion matrix of DR (DR.csv)').click();
  await expect(page.getByRole('region', { name: /^Rows: labels of the references/ })).toBeVisible();
  expect(await accessibilityFaults(page)).toEqual([]);

  // Another view and back: the report is still there. Without the bad file nothing is wrong.
  await page.getByRole('link', { name: 'History' }).click();
  await page.getByRole('link', { name: 'Evaluate', exact: true }).click();
  await page.getByRole('button', { name: 'Remove bad.csv' }).click();
  await expect(playground.error).toHaveCount(0);
  await expect(labels).toBeVisible();
});

test('compares people’s ratings with the references beside them, as the command line does', async ({ playground }) => {
  const { page } = playground;
  const ratings = ['[3, 3, 2]', '[1, 0, 1]', '[2, 3, 2]', '[0, 0, 1]', '[2, 1, 2]', '[3, 2, 3]', '[1, 1, 0]'];
  const rated = join(folder, 'rated');
  await mkdir(rated);
  const words = 'the poster says that nothing helps and that all days are grey'.split(' ');
  const people = ratings.map((rating, i) => {
    const explanation = `yes, ${words.slice(0, 3 + ((i * 5) % 9)).join(' ')}`;
    return ['post ' + 'x'.repeat(i + 1), '1', explanation, rating, rating, ratings[(i + 2) % 7]!, rating];
  });
  const csv = (rows: string[][]) => `${rows.map((row) => row.map((cell) => `"${cell}"`).join(',')).join('\n')}\n`;
  const header = ['text', 'label', 'made-up', 'fluency', 'completeness', 'reliability', 'overall'];
  await writeFile(join(rated, 'people.csv'), csv([header, ...people]));
  const references = join(folder, 'DR.csv');
  const queries = people.slice(0, 6).map(([post]) => [`Consider this post: '${post}' Why?`, `yes, ${words.join(' ')}`]);
  await writeFile(references, csv([['query', 'gpt-3.5-turbo'], ...queries]));

  await choose(playground, [join(rated, 'people.csv')]);
  await expect(playground.error).toContainText('people.csv holds people’s ratings of explanations');
  await page.getByTestId('evaluation-input').setInputFiles([references]);
  const table = page.getByRole('region', {
    name: /^people\.csv: 6 rows compared; 1 without a reference and 0 identical/,
  });
  await expect(table).toBeVisible();
  await expect(playground.error).toHaveCount(0);
  await expect(page.getByText('who needs help should see a professional', { exact: false }).first()).toBeVisible();
  expect(await accessibilityFaults(page)).toEqual([]);
  const args = ['evaluate', 'annotations', '--annotations', rated, '--references', references];
  const printed = (await runCli(args)).stdout.toString();
  const [, ...cells] = /^\| ROUGE-L +\| fluency +\| +(.*?) +\| +(.*?) +\| +(.*?) +\|$/m.exec(printed)!;
  const row = table.getByRole('row', { name: /^ROUGE-L fluency/ });
  for (const cell of cells) await expect(row).toContainText(cell);
  expect(await save(page, 'correlations.csv')).toContain('people.csv,ROUGE-L,6,fluency,');
});

test('stays quick to answer while a large file is scored', async ({ playground }) => {
  const { page } = playground;
  const text = (i: number) => Array.from({ length: 120 }, (_, k) => `word${(i * 7 + k * 3) % 97}`).join(' ');
  const rows = Array.from({ length: 4000 }, (_, i) => `${text(i)},${text(i + 1)}`);
  const path = join(folder, 'large.csv');
  await writeFile(path, `goldens,generated_text\n${rows.join('\n')}\n`);
  await page.evaluate(() => {
    const tasks: number[] = [];
    (globalThis as unknown as { longTasks: number[] }).longTasks = tasks;
    new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({
      entryTypes: ['longtask'],
    });
  });
  await choose(playground, [path]);
  await expect(page.getByRole('region', { name: /^BLEU, ROUGE/ })).toContainText('4000');
  const longest = await page.evaluate(() =>
    Math.max(0, ...(globalThis as unknown as { longTasks: number[] }).longTasks),
  );
  expect(longest).toBeLessThan(1000);
});
