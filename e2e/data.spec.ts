import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { runCli } from '../cli/run-cli.fixture.ts';
import { accessibilityFaults, expect, type Playground, test } from './playground.fixture.ts';

const ULTRAFEEDBACK = join(import.meta.dirname, '../cli/fixtures/ultrafeedback.jsonl');

let folder: string;
test.beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'metaaligner-data-'));
});
test.afterEach(() => rm(folder, { recursive: true }));

/** Forty scored pairs; in the third a score is missing. */
function scoredCsv(): string {
  const header = 'prompt,chosen_response,rejected_response,chosen_score1,chosen_score2,chosen_score3';
  const rows = Array.from({ length: 40 }, (_, i) => {
    const scores = [i % 3, (i * 7) % 5, i === 2 ? '' : -0.5, 1, 2, i % 2 ? -0.5 : 0.25];
    return `"\n\nHuman: How, in ${i} “words”? \n\nAssistant:","Water, ""daily"", ${i}.",Never ${i}.,${scores.join(',')}`;
  });
  return [`${header},rejected_score1,rejected_score2,rejected_score3`, ...rows, ''].join('\n');
}

async function choose({ page }: Playground, name: string, content: string | Buffer): Promise<void> {
  await page.getByRole('link', { name: 'Data', exact: true }).click();
  await page.getByTestId('data-input').setInputFiles({ name, mimeType: 'text/csv', buffer: Buffer.from(content) });
}

/** What the button of this file saves. */
async function save(page: Page, path: string): Promise<{ name: string; content: Buffer }> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: new RegExp(`^${path.replace('.', '\\.')} \\(`) }).click(),
  ]);
  return { name: download.suggestedFilename(), content: await readFile(await download.path()) };
}

async function build(...args: string[]): Promise<void> {
  const { code, stderr } = await runCli(['dataset', ...args, '--to', folder]);
  expect(code, stderr).toBe(0);
}

test('shows scored pairs, what each direction teaches and its prompts, and saves what the command line builds', async ({
  playground,
}) => {
  const { page } = playground;
  const csv = scoredCsv();
  await choose(playground, 'scored.csv', csv);
  await expect(page.getByTestId('data-counts')).toContainText(/^39 pairs · \d+ items towards something better/);
  await expect(page.getByTestId('data-left-out')).toContainText('1 row is left out');
  await expect(page.getByTestId('data-left-out')).toContainText('A score is no number. Row 3');
  const row = page.locator('tr[data-row="0"]');
  await expect(row).toContainText('0 / 1');
  await expect(row).toContainText('-0.5 / 0.25');
  // In the first row nothing is better about the chosen response.
  await expect(row.getByRole('cell').nth(5)).toHaveText('–');
  await expect(row.getByRole('cell').nth(6)).toHaveText(/Harmlessness/);

  await page.getByRole('button', { name: 'Show pair 2, row 2' }).click();
  await expect(page.getByRole('heading', { name: 'The pair of row 2' })).toBeFocused();
  await expect(page.getByRole('group', { name: 'Prompt: Equal' })).toContainText('to make it equal considering');
  await expect(page.getByRole('group', { name: 'Target: Equal' })).toHaveText('Water, "daily", 1.');
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    expect(await accessibilityFaults(page)).toEqual([]);
  }
  for (const width of [320, 1440]) {
    await page.setViewportSize({ width, height: 800 });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(overflow, `at ${width} pixels`).toBeLessThanOrEqual(0);
  }

  await page.getByLabel('Seed').fill('5');
  await page.getByLabel('Items kept for validation').fill('9');
  await page.getByLabel('Objectives that an item names at most').fill('2');
  const scored = join(folder, 'scored.csv');
  await writeFile(scored, csv);
  const args = ['hh-rlhf', 'build', '--scored', scored, '--split', 'train', '--seed', '5', '--val-size', '9'];
  for (const [format, label] of [
    ['fastchat', 'FastChat JSON'],
    ['openai', 'Messages JSONL (OpenAI)'],
  ] as const) {
    await build(...args, '--max-objectives', '2', '--format', format);
    await page.getByLabel('Format').selectOption(label);
    const ending = format === 'fastchat' ? 'json' : 'jsonl';
    for (const path of ['no_equal/train', 'no_equal/val', 'all_equal/train']) {
      const { name, content } = await save(page, `${path}.${ending}`);
      expect(name).toBe(`scored-${path.replace('/', '-')}.${ending}`);
      expect(content.equals(await readFile(join(folder, `${path}.${ending}`)))).toBe(true);
    }
  }

  // Another view and back: the file is still there.
  await page.getByRole('link', { name: 'History' }).click();
  await page.getByRole('link', { name: 'Data', exact: true }).click();
  await expect(page.getByLabel('Seed')).toHaveValue('5');
  await page.getByLabel('Items kept for validation').fill('1000');
  await expect(playground.error).toContainText(/There are \d+ items and 1000 are kept for validation/);
  expect(playground.consoleErrors).toEqual([]);
});

test('builds UltraFeedback’s records with their test set as the command line does', async ({ playground }) => {
  const { page } = playground;
  await choose(playground, 'rated.jsonl', await readFile(ULTRAFEEDBACK));
  await page.getByLabel('Instructions at the end for the test set').fill('7');
  await page.getByLabel('Items kept for validation').fill('20');
  await page.getByLabel('Format').selectOption('FastChat JSONL');
  await build(
    'ultrafeedback',
    'build',
    '--input',
    ULTRAFEEDBACK,
    '--val-size',
    '20',
    '--test-size',
    '7',
    '--format',
    'jsonl',
  );
  for (const path of ['no_equal/train.jsonl', 'no_equal/val.jsonl', 'all_equal/train.jsonl', 'no_equal/test.csv']) {
    const { content } = await save(page, path);
    expect(content.equals(await readFile(join(folder, path))), path).toBe(true);
  }
  await page.getByLabel('Instructions at the end for the test set').fill('60');
  await expect(playground.error).toContainText('rated.jsonl has 60 instructions and the last 60 are the test set');
});

test('explains a file that it cannot use', async ({ playground }) => {
  await choose(playground, 'answers.csv', 'query,generated_text\nWhy?,So.\n');
  await expect(playground.error).toContainText('answers.csv has no column prompt');
  await expect(playground.error).toContainText('Its columns: query, generated_text.');
});
