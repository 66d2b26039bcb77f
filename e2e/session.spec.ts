import { readFile } from 'node:fs/promises';
import { expect, test } from '@playwright/test';
import { Playground } from './playground.fixture.ts';

test.use({ serviceWorkers: 'allow', permissions: ['clipboard-read', 'clipboard-write'] });

test('a person’s session, from the first visit to the exported text, the last part of it without a network', async ({
  page,
  context,
  baseURL,
}) => {
  const playground = new Playground(page, baseURL ?? '');
  await playground.open();
  await playground.comeBackWith({ device: 'wasm', editView: 'inline' });

  // An example, and an objective of one's own.
  await page.getByLabel('Your own text or an example').selectOption('A rude reply');
  await page.getByText('Write your own objective').click();
  await page.getByLabel('Name', { exact: true }).fill('Warmth');
  await page.getByLabel('Description', { exact: true }).fill('The response should be kind');
  await page.getByRole('button', { name: 'Add objective' }).click();
  await page.getByRole('heading', { name: 'The exact prompt' }).click();
  await expect(page.getByTestId('prompt')).toContainText('Warmth: The response should be kind | Context: Human:');

  await playground.align.click();
  await expect(playground.result).toHaveAttribute('data-status', 'done');
  await expect(page.getByText(/^Written by Demo aligner \(q8\) on this device/)).toBeVisible();
  await expect(page.locator('[data-kind]')).toHaveAttribute('data-kind', 'changed');

  // One change is taken back, one is put in other words, the rest stays.
  const changes = page.locator('[data-change]');
  const changeCount = await changes.count();
  expect(changeCount).toBeGreaterThan(1);
  await changes.first().click();
  await page.getByRole('button', { name: 'Reject', exact: true }).click();
  await expect(page.getByText(`Change 2 of ${changeCount}`)).toBeVisible();
  await page.getByRole('group', { name: 'Edit', exact: true }).focus();
  await page.keyboard.press('e');
  const ownWords = page.getByLabel(/^Your own words for this change/);
  await ownWords.fill('Never mind.');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('group', { name: 'Edit', exact: true })).toBeFocused();
  await expect(page.getByText('1 reworded')).toBeHidden();
  await page.keyboard.press('e');
  await ownWords.fill(' Ask at a nursery!');
  // Words that were typed are not lost by going elsewhere.
  await page.getByLabel('Answer', { exact: true }).click();
  await expect(page.getByText('1 rejected · 1 reworded')).toBeVisible();
  await expect(ownWords).toBeHidden();
  const reviewed = await playground.editText();
  expect(reviewed).toContain('What a lazy question.');
  expect(reviewed).toContain('Ask at a nursery!');

  // The same answer under each objective alone.
  await page.getByRole('tab', { name: 'Compare objectives' }).click();
  await page.getByLabel('All together').uncheck();
  await page.getByRole('button', { name: 'Run 4 edits' }).click();
  await expect(page.getByText('4 of 4 edits done')).toBeVisible();
  await expect(page.locator('li[data-status="done"]')).toHaveCount(4);
  await expect(page.locator('li[data-status="done"]').last()).toContainText('The model left the answer as it is.');
  await page.getByRole('button', { name: 'Open and review Humour' }).click();
  await expect(page.getByText(/^Only extended|Only extended, by/).first()).toBeVisible();

  // Reload without a network, and the first edit again as it was left.
  await expect(page.getByText('Works offline')).toBeVisible();
  await context.setOffline(true);
  await page.reload();
  await expect(page.getByText('No network')).toBeVisible();
  await page.getByRole('link', { name: 'History' }).click();
  await expect(page.getByText('5 edits')).toBeVisible();
  await page.getByLabel('Search texts, objectives and models').fill('warmth harmlessness');
  await expect(page.getByText('1 of 5 edits')).toBeVisible();
  await page.getByRole('button', { name: /^Open / }).click();
  await expect(page.getByText('1 rejected · 1 reworded')).toBeVisible();
  expect(await playground.editText()).toBe(reviewed);
  await expect(page.getByText('You have changed the request since this edit.')).toBeHidden();

  // And it still runs, from the request that was opened.
  await playground.align.click();
  await expect(page.getByText('1 rejected · 1 reworded')).toBeHidden();
  await expect(playground.result).toHaveAttribute('data-status', 'done');

  await page.getByText('Export', { exact: true }).click();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'JSON, everything' }).click(),
  ]);
  const exported = JSON.parse(await readFile(await download.path(), 'utf8')) as Record<string, unknown>;
  expect(exported).toMatchObject({
    reviewedText: await playground.editText(),
    model: { id: 'demo-aligner', variant: 'q8', device: 'wasm' },
    finishReason: 'stop',
  });
  expect(playground.foreignRequests).toEqual([]);
});
