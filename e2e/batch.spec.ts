import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, type Playground, test } from './playground.fixture.ts';

const DATA = process.env.METAALIGNER_DATA ?? join(import.meta.dirname, '../../shared/data');

async function choose(playground: Playground, name: string, content: string | Buffer): Promise<void> {
  const { page } = playground;
  await page.getByRole('link', { name: 'Batch' }).click();
  await page.getByTestId('batch-input').setInputFiles({ name, mimeType: 'text/csv', buffer: Buffer.from(content) });
}

/** Rows with everything that a cell may hold, a blank answer among them. */
function csv(count: number): string {
  const rows = Array.from({ length: count }, (_, i) => {
    const answer = i === 1 ? ' ' : `Water the plants, ${i} times a ""stupid"" week.\nThen wait.`;
    return `"Human: How, in ${i} words?\n\nAssistant:",golden ${i},"${answer}"`;
  });
  return ['query,goldens,generated_text', ...rows].join('\n');
}

test('runs a file, goes on after a reload, opens a row for review, and writes the reference’s columns', async ({
  playground,
}) => {
  const { page } = playground;
  await playground.comeBackWith({ device: 'wasm', maxNewTokens: 24 });
  await choose(playground, 'answers.csv', csv(300));
  await expect(page.getByText('300 rows', { exact: true })).toBeVisible();
  await expect(page.getByLabel('Context', { exact: true })).toHaveValue('query');
  await expect(page.getByLabel('Answer', { exact: true })).toHaveValue('generated_text');
  await expect(page.getByLabel('Reference', { exact: true })).toHaveValue('goldens');
  await page.getByRole('button', { name: 'Run all rows' }).click();
  const progress = page.getByTestId('batch-progress');
  await expect(progress).toContainText(/^\d+ of 300 rows, 1 without an edit/);

  // The page goes away in the middle of a row, and goes on by itself.
  await page.reload();
  await expect(progress).toContainText(/^\d+ of 300 rows/);
  await page.getByRole('button', { name: 'Pause' }).click();
  await expect(page.getByRole('button', { name: 'Go on' })).toBeEnabled();
  const paused = await progress.textContent();
  await page.reload();
  await expect(progress).toHaveText(paused!);
  await page.getByRole('button', { name: 'Go on' }).click();
  await expect(progress).toContainText('300 of 300 rows, 1 without an edit', { timeout: 120_000 });
  await expect(page.locator('tr[data-row="1"]')).toContainText('The answer is blank; there is nothing to edit.');

  // A blank answer stays blank.
  await expect(page.getByRole('button', { name: /failed again/ })).toBeHidden();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'CSV', exact: true }).click(),
  ]);
  expect(download.suggestedFilename()).toBe('answers-aligned.csv');
  const written = await readFile(await download.path(), 'utf8');
  expect(written).toMatch(
    /^query,goldens,origin_responses,aligned_responses\n"Human: How, in 0 words\?\n\nAssistant:",golden 0,/,
  );
  expect(written).toContain(',golden 1, ,\n');

  await page.getByRole('button', { name: 'Review row 3', exact: true }).click();
  await expect(page.getByLabel('Answer', { exact: true })).toHaveValue(/2 times a "stupid" week/);
  await expect(playground.result).toHaveAttribute('data-status', 'done');
  await expect(page.getByText(/^Written by Demo aligner \(q8\)/)).toBeVisible();
});

test('a hundred thousand rows are listed, and only those in sight are drawn', async ({ playground }) => {
  const { page } = playground;
  await choose(playground, 'many.csv', csv(100_000));
  await expect(page.getByText('100,000 rows', { exact: true })).toBeVisible();
  const table = page.getByRole('region', { name: 'Rows' });
  await expect(page.locator('tr[data-row="0"]')).toBeVisible();
  await table.evaluate((element) => element.scrollTo(0, 44 * 50_000));
  await expect(page.locator('tr[data-row="50000"]')).toBeVisible();
  await table.evaluate((element) => element.scrollTo(0, element.scrollHeight));
  await expect(page.locator('tr[data-row="99999"]')).toBeVisible();
  expect(await page.locator('tr[data-row]').count()).toBeLessThan(60);
});

test('explains a file that it cannot read', async ({ playground }) => {
  await choose(playground, 'open.csv', 'query,generated_text\n"never closed,x\n');
  await expect(playground.error).toContainText(/open\.csv is not CSV at line \d+/);
  await choose(playground, 'answers.xlsx', 'x');
  await expect(playground.error).toContainText('answers.xlsx is no .csv, .tsv or .jsonl file.');
});

test('reads a real file of the reference', async ({ playground }) => {
  let file: Buffer;
  try {
    file = await readFile(join(DATA, 'hh-rlhf/Claude-3.csv'));
  } catch {
    test.skip(true, `no data at ${DATA}`);
    return;
  }
  await choose(playground, 'Claude-3.csv', file);
  await expect(playground.page.getByText('1,200 rows', { exact: true })).toBeVisible();
  await expect(playground.page.getByRole('button', { name: 'Run all rows' })).toBeEnabled();
});
