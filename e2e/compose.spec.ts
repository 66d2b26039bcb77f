import type { Page } from '@playwright/test';
import { expect, test } from './playground.fixture.ts';

test.use({ permissions: ['clipboard-read', 'clipboard-write'] });

async function paste(page: Page, label: string, text: string): Promise<void> {
  await page.evaluate((copied) => navigator.clipboard.writeText(copied), text);
  await page.getByLabel(label, { exact: true }).focus();
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.press('ControlOrMeta+v');
}

const context = (page: Page) => page.getByLabel('Context', { exact: true });
const answer = (page: Page) => page.getByLabel('Answer', { exact: true });

test('a pasted conversation fills context and answer, and can be undone', async ({ playground: { page } }) => {
  const before = [await context(page).inputValue(), await answer(page).inputValue()];
  const messages = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Why?' },
    { role: 'assistant', content: 'Because.' },
    { role: 'user', content: 'Really?' },
    { role: 'assistant', content: 'Yes, really.' },
  ];
  await paste(page, 'Context', JSON.stringify({ messages }));
  await expect(context(page)).toHaveValue('Human: Why?\n\nAssistant: Because.\n\nHuman: Really?\n\nAssistant:');
  await expect(answer(page)).toHaveValue('Yes, really.');
  await expect(
    page.getByText(/3 turns of context, and the last reply as the answer\. 1 message has no place/),
  ).toBeVisible();
  await page.getByRole('button', { name: 'Undo', exact: true }).click();
  await expect(context(page)).toHaveValue(before[0]!);
  await expect(answer(page)).toHaveValue(before[1]!);
});

test('turns are added, spoken by another, moved and removed, by keyboard', async ({ playground: { page } }) => {
  await context(page).fill('Human: One\n\nAssistant: Two\n\nHuman: Three\n\nAssistant:');
  await page.getByText('Turns', { exact: true }).click({ force: true });
  await page.getByLabel('Turn 2, assistant').fill('Two and a blank ');
  await page.getByLabel('Turn 2, assistant').press('End');
  await page.keyboard.type('more');
  await page.getByRole('button', { name: 'Move turn 3 up' }).press('Enter');
  await page.getByRole('button', { name: 'Add a turn' }).press('Enter');
  await page.getByLabel('Turn 4, human').fill('Four');
  await page.getByRole('button', { name: 'Remove turn 1' }).press('Enter');
  await page.getByText('Text', { exact: true }).last().click({ force: true });
  await expect(context(page)).toHaveValue(
    'Human: Three\n\nAssistant: Two and a blank more\n\nHuman: Four\n\nAssistant:',
  );
});

test('characters that cannot be seen are counted and can be removed', async ({ playground: { page } }) => {
  await answer(page).fill('safe\u202Eevil\u202C and\u0007 \u200Bmore');
  await expect(page.getByText('2 that turn the direction of text, 2 control or zero-width')).toBeVisible();
  await page.getByRole('button', { name: 'Remove them' }).click();
  await expect(answer(page)).toHaveValue('safeevil and more');
});

test('five megabytes are refused with their number, and nothing is lost', async ({ playground: { page } }) => {
  const before = await answer(page).inputValue();
  await paste(page, 'Answer', 'word '.repeat(1_000_000));
  await expect(page.getByText(/That text has 5,000,000 characters/)).toBeVisible();
  await expect(answer(page)).toHaveValue(before);
  await answer(page).fill('   \n ');
  await expect(page.getByText('There is no answer to edit yet.').first()).toBeVisible();
});

test('pasted markup stays text', async ({ playground: { page } }) => {
  await paste(page, 'Answer', '<b>bold</b><img src=x onerror=alert(1)>');
  await expect(answer(page)).toHaveValue('<b>bold</b><img src=x onerror=alert(1)>');
});

test('a shared link brings text, objectives and settings, and runs nothing', async ({
  playground,
  context: browser,
}) => {
  const { page } = playground;
  await page.getByText('Write your own objective').click();
  await page.getByLabel('Name', { exact: true }).fill('Warmth');
  await page.getByLabel('Description', { exact: true }).fill('Be kind');
  await page.getByRole('button', { name: 'Add objective' }).click();
  await playground.write('Human: Hi\n\nAssistant:', 'Hello “there” 😀.');
  await playground.setMaxNewTokens(77);
  await page.getByRole('button', { name: 'Copy link' }).click();
  await expect(page.getByText('Link copied')).toBeVisible();
  const link = await page.evaluate(() => navigator.clipboard.readText());

  const other = await browser.newPage();
  const requests: string[] = [];
  other.on('request', (request) => requests.push(request.url()));
  await other.goto(link);
  await expect(other.getByText(/^A shared text with its objectives/)).toBeVisible();
  await expect(other.getByLabel('Answer', { exact: true })).toHaveValue('Hello “there” 😀.');
  await expect(other.locator('li[data-objective="custom:Warmth"]')).toContainText('Warmth: Be kind');
  await expect(other.getByText('at most 77 new tokens')).toBeVisible();
  await expect(other.getByRole('heading', { name: 'The edit appears here' })).toBeVisible();
  // The text is in no request, and after a reload it is the visitor's.
  expect(requests.filter((url) => url.includes('share='))).toEqual([]);
  expect(other.url()).not.toContain('share=');
  await other.getByLabel('Answer', { exact: true }).fill('Changed.');
  await other.reload();
  await expect(other.getByLabel('Answer', { exact: true })).toHaveValue('Changed.');
});

test('a cut or forged link is explained and changes nothing', async ({ playground: { page }, baseURL }) => {
  const before = await answer(page).inputValue();
  for (const fragment of ['share=q1YqSy0qzszPU7JSMjIw', 'share=', 'share=%00%%%', `share=${'A'.repeat(5000)}`]) {
    await page.goto(`${baseURL}#${fragment}`);
    await page.reload();
    await page.goto(`${baseURL}#${fragment}`);
    await expect(page.getByRole('alert')).toContainText(/The link is damaged/);
    await page.getByRole('button', { name: 'Close' }).click();
    await expect(answer(page)).toHaveValue(before);
  }
});

test('speaks a second language, and keeps what was written', async ({ playground: { page } }) => {
  await answer(page).fill('My own words.');
  await page.getByLabel('Language').selectOption('Deutsch');
  await expect(page.getByRole('button', { name: 'Laden und ausrichten' })).toBeVisible();
  await expect(page.locator('html')).toHaveAttribute('lang', 'de');
  await expect(page.getByLabel('Antwort', { exact: true })).toHaveValue('My own words.');
  await page.getByLabel('Sprache').selectOption('English');
  await expect(page.getByRole('button', { name: /^Load and align/ })).toBeVisible();
});
