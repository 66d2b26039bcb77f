/**
 * Takes pictures of the page after a run of the first example, of a comparison, and of the history:
 *
 *     npm start                                   # in another terminal
 *     npm run screenshots -- [--url http://127.0.0.1:4173/] [--model NAME] [--out docs/screenshots]
 *
 * Without `--model` it is the model that the page offers first.
 */

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright';

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:4173/' },
    model: { type: 'string' },
    out: { type: 'string', default: join(import.meta.dirname, '..', 'docs', 'screenshots') },
  },
});

const SIZES = [
  { width: 1440, height: 900 },
  { width: 1024, height: 768 },
  { width: 390, height: 844 },
];
const SHOTS = SIZES.flatMap((size) => (['light', 'dark'] as const).map((colorScheme) => ({ ...size, colorScheme })));
const RUN_TIMEOUT_MS = 300_000;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
  chromiumSandbox: false,
});
try {
  for (const { width, height, colorScheme } of SHOTS) {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion: 'reduce' });
    const page = await context.newPage();
    await page.goto(values.url);
    if (values.model !== undefined) {
      await page.getByRole('button', { name: /^(Change|Choose a model)$/ }).click();
      await page.getByRole('button', { name: `Use ${values.model}`, exact: true }).click();
      await page.getByText('Loaded', { exact: true }).waitFor({ timeout: RUN_TIMEOUT_MS });
    }
    await page.getByRole('button', { name: /^(Load and align|Align)/ }).click();
    await page.locator('[data-status="done"]').waitFor({ timeout: RUN_TIMEOUT_MS });
    const take = async (name: string) => {
      const path = join(values.out, `${name}-${width}-${colorScheme}.png`);
      await page.screenshot({ path });
      console.log(path);
    };
    await take('playground');
    await page.getByRole('tab', { name: 'Compare objectives' }).click();
    await page.getByRole('button', { name: /^Run \d+ edits$/ }).click();
    await page.locator('[aria-busy="false"] li[data-status="done"]').first().waitFor({ timeout: RUN_TIMEOUT_MS });
    await page.getByRole('heading', { name: 'Compare objectives' }).scrollIntoViewIfNeeded();
    await take('compare');
    await page.getByRole('link', { name: 'History' }).click();
    await page
      .getByRole('button', { name: /^Open / })
      .first()
      .waitFor();
    await take('history');
    await context.close();
  }
} finally {
  await browser.close();
}
