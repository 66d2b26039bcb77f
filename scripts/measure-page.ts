/**
 * Measures what holds the page up: the longest tasks of its main thread with a 20,000-word answer and 500 kept edits.
 *
 *     npm start                                   # in another terminal
 *     npm run measure:page -- [--url http://127.0.0.1:4173/]
 *
 * Tasks of less than 50 ms are not long and not listed. Anything else that runs on the machine makes them longer. The first
 * row is the browser's own typing of the text, and the import's is mostly the driver's handing over of the file.
 */

import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { chromium, type Page } from 'playwright';

import { exampleEntry } from '../src/history/history-entry.fixture.ts';
import { writeHistoryFile } from '../src/history/history-entry.ts';

const { values } = parseArgs({ options: { url: { type: 'string', default: 'http://127.0.0.1:4173/' } } });

const WORDS = 20_000;
const ENTRIES = 500;
const SETTLE_MS = 800;

/** Paragraphs of a hundred words of few letters; `changedEvery`: one word in so many is another. */
function longText(changedEvery: number): string {
  const words = ['garden', 'water', 'plant', 'the', 'light', 'soil'];
  return Array.from({ length: WORDS }, (_, i) => {
    const word = i % changedEvery === 3 ? 'changed' : words[(i * 7919 + Math.floor(i / 6)) % words.length];
    return `${word}${i % 12 === 11 ? '.' : ''}${i % 100 === 99 ? '\n\n' : ' '}`;
  }).join('');
}

function entry(id: number, answer: string, edit: string) {
  const { request } = exampleEntry();
  return exampleEntry({ id: `e${id}`, createdAt: 1_780_000_000_000 + id, edit, request: { ...request, answer } });
}

async function measure(page: Page, name: string, act: () => Promise<unknown>): Promise<void> {
  await page.evaluate(() => void ((window as unknown as { long: number[] }).long = []));
  await act();
  await page.waitForTimeout(SETTLE_MS);
  const tasks = await page.evaluate(() => (window as unknown as { long: number[] }).long);
  console.log(`${name.padEnd(44)} ${tasks.length === 0 ? 'none' : tasks.map((ms) => `${ms} ms`).join(', ')}`);
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
  chromiumSandbox: false,
});
try {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.addInitScript(() => {
    const state = window as unknown as { long: number[] };
    state.long = [];
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) state.long.push(Math.round(duration));
    }).observe({ type: 'longtask', buffered: true });
  });
  await page.goto(values.url);
  await page.waitForTimeout(2 * SETTLE_MS);
  console.log(`Tasks over 50 ms; load average ${loadavg()[0]!.toFixed(1)}`);

  const answer = longText(WORDS);
  const edit = longText(50);
  const rewritten = edit
    .split(/(?<=\n)/)
    .reverse()
    .join('');
  const short = [answer.slice(0, 2000), edit.slice(0, 2000)] as const;
  const kept = Array.from({ length: ENTRIES }, (_, i) => entry(i, ...short));
  const entries = [entry(ENTRIES + 1, answer, edit), entry(ENTRIES, answer, rewritten), ...kept];
  const answerField = page.getByLabel('Answer', { exact: true });
  await measure(page, `answer of ${WORDS} words put in`, () => answerField.fill(answer));
  await measure(page, 'typing at its end', async () => {
    await answerField.press('ControlOrMeta+End');
    await page.keyboard.type(' more words', { delay: 20 });
  });
  await page.getByRole('link', { name: 'History' }).click();
  await measure(page, `${entries.length} edits imported and listed`, async () => {
    const buffer = Buffer.from(writeHistoryFile(entries));
    await page.getByTestId('history-import').setInputFiles({ name: 'h.json', mimeType: 'application/json', buffer });
    await page.getByText(`${entries.length} edits added.`).waitFor();
  });
  await measure(page, 'searching', () =>
    page.getByLabel('Search texts, objectives and models').pressSequentially('water soil', { delay: 20 }),
  );
  await page.getByLabel('Search texts, objectives and models').fill('');
  await measure(page, 'opened: one word in 50 changed', () =>
    page
      .getByRole('button', { name: /^Open / })
      .first()
      .click(),
  );
  await page.getByRole('group', { name: 'Edit', exact: true }).first().focus();
  await measure(page, 'next change', () => page.keyboard.press('n'));
  await measure(page, 'rejected', () => page.keyboard.press('r'));
  await measure(page, 'inline', () => page.getByLabel('Changes', { exact: true }).dispatchEvent('click'));
  await page.getByRole('link', { name: 'History' }).click();
  await measure(page, 'opened: paragraphs in reverse', () =>
    page
      .getByRole('button', { name: /^Open / })
      .nth(1)
      .click(),
  );
} finally {
  await browser.close();
}
