import { readFile } from 'node:fs/promises';
import type { Page } from '@playwright/test';
import { exampleEntry } from '../src/history/history-entry.fixture.ts';
import { writeHistoryFile } from '../src/history/history-entry.ts';
import { expect, test } from './playground.fixture.ts';

async function importFile(page: Page, text: string): Promise<void> {
  await page.getByRole('link', { name: 'History' }).click();
  await page
    .getByTestId('history-import')
    .setInputFiles({ name: 'history.json', mimeType: 'application/json', buffer: Buffer.from(text) });
}

function entries(count: number, edit = 'A kind answer. It ends.') {
  return Array.from({ length: count }, (_, i) =>
    exampleEntry({ id: `entry-${i}`, createdAt: 1_780_000_000_000 + i, edit: `${edit} Number ${i}.` }),
  );
}

test('takes a file, searches, pins, deletes, and writes the file again', async ({ playground: { page } }) => {
  await importFile(page, writeHistoryFile(entries(3)));
  await expect(page.getByText('3 edits added.')).toBeVisible();
  await page.getByLabel('Search texts, objectives and models').fill('number 1.');
  await expect(page.getByText('1 of 3 edits')).toBeVisible();
  await page.getByRole('button', { name: /^Pin / }).click();
  await page.getByLabel('Search texts, objectives and models').fill('');
  await expect(page.locator('main li').first()).toContainText('Number 1.');

  // What is pinned is asked about; the answer has the focus, and “no” gives it back.
  const deletePinned = page
    .locator('main li')
    .first()
    .getByRole('button', { name: /^Delete / });
  await deletePinned.press('Enter');
  await expect(page.getByRole('button', { name: 'Delete', exact: true })).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(deletePinned).toBeFocused();

  await page.getByRole('button', { name: 'Delete all that are not pinned' }).click();
  await expect(page.getByText('Delete 2 edits for good?')).toBeVisible();
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await expect(page.locator('main li')).toHaveCount(1);
  await page.reload();
  await expect(page.locator('main li')).toHaveCount(1);
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Export all' }).click(),
  ]);
  const file = JSON.parse(await readFile(await download.path(), 'utf8')) as { entries: { id: string }[] };
  expect(file.entries.map(({ id }) => id)).toEqual(['entry-1']);
});

test('explains a file that it cannot take, and keeps what it has', async ({ playground: { page } }) => {
  await importFile(page, writeHistoryFile(entries(1)));
  await expect(page.getByText('1 edit added.')).toBeVisible();
  await importFile(page, writeHistoryFile([]).replace('"version": 1', '"version": 9'));
  await expect(page.getByRole('alert')).toContainText('The file is of version 9; this page reads up to 1.');
  await importFile(page, '<html>');
  await expect(page.getByRole('alert')).toContainText('The file is no JSON');
  await expect(page.locator('main li')).toHaveCount(1);
});

test('draws what a model or a file wrote as text, never as markup', async ({ playground: { page } }) => {
  const attack = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
  await importFile(page, writeHistoryFile(entries(1, attack)));
  await expect(page.locator('main li')).toContainText('<img src=x');
  await page.getByRole('button', { name: /^Open / }).click();
  await expect(page.getByText('<script>').first()).toBeVisible();
  expect(await page.title()).toBe('MetaAligner');
});

test('two tabs keep both of their runs and drafts', async ({ playground, context, baseURL }) => {
  const { page } = playground;
  const other = await context.newPage();
  await other.goto(baseURL ?? '');
  await page.getByLabel('Answer', { exact: true }).fill('First tab.');
  await other.getByLabel('Answer', { exact: true }).fill('Second tab.');
  await importFile(page, writeHistoryFile(entries(2).slice(0, 1)));
  await importFile(other, writeHistoryFile(entries(2).slice(1)));
  // The first tab learns of it without a reload.
  await expect(page.getByText('2 edits', { exact: true })).toBeVisible();
  for (const [tab, text] of [
    [page, 'First tab.'],
    [other, 'Second tab.'],
  ] as const) {
    await tab.getByRole('link', { name: 'Playground' }).click();
    await tab.reload();
    await expect(tab.getByLabel('Answer', { exact: true })).toHaveValue(text);
  }
});
