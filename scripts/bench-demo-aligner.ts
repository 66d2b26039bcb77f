/**
 * Prints how long a new visitor waits for the built-in aligner: from the click on Load to “Loaded”, and from the click on
 * Align to the end of the first example's edit. Each visit has a browser of its own, so nothing is cached. The page's
 * device is wasm, where no GPU is at hand.
 *
 *     npm start                                   # in another terminal
 *     npx tsx scripts/bench-demo-aligner.ts [--url http://127.0.0.1:4173/] [--visits 5]
 */

import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { chromium } from '@playwright/test';
import playwrightConfig from '../playwright.config.ts';
import { median } from './bench/measurement.ts';

const TIMEOUT_MS = 60_000;

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:4173/' },
    visits: { type: 'string', default: '5' },
  },
});
const visits = Number(values.visits);
if (!Number.isInteger(visits) || visits < 1) throw new Error(`--visits is ${values.visits}; give a count above 0.`);

const loads: number[] = [];
const edits: number[] = [];
let version = '';
for (let i = 0; i < visits; i++) {
  const browser = await chromium.launch({ ...playwrightConfig.use?.launchOptions, args: ['--disable-gpu'] });
  try {
    version = browser.version();
    const page = await browser.newPage();
    await page.goto(values.url);
    const load = page.getByRole('button', { name: 'Load', exact: true });
    await load.waitFor({ timeout: TIMEOUT_MS });
    loads.push(await secondsOf(() => load.click(), page.getByText('Loaded', { exact: true })));
    const align = page.getByRole('button', { name: /^Align/ });
    edits.push(await secondsOf(() => align.click(), page.locator('[data-status="done"]')));
  } finally {
    await browser.close();
  }
}
console.log(
  `Chromium ${version}, ${cpus().length} cores of ${cpus()[0]?.model.trim()}, load ${loadavg()[0]?.toFixed(1)}, ${visits} visits`,
);
for (const [name, seconds] of Object.entries({ load: loads, 'first edit': edits })) {
  const sorted = seconds.toSorted((a, b) => a - b);
  console.log(`${name}: median ${median(sorted).toFixed(2)} s, ${sorted.map((value) => value.toFixed(2)).join(', ')}`);
}

/** From the action to the moment that the place is in the page. */
async function secondsOf(
  act: () => Promise<void>,
  place: { waitFor: (options: { timeout: number }) => Promise<void> },
): Promise<number> {
  const startMs = performance.now();
  await act();
  await place.waitFor({ timeout: TIMEOUT_MS });
  return (performance.now() - startMs) / 1000;
}
