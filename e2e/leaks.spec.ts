import { readFile } from 'node:fs/promises';
import type { Browser } from '@playwright/test';
import { expect, test } from './playground.fixture.ts';

/** Bytes that the browser's page processes hold, by the kernel's count. */
async function pageBytes(browser: Browser): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  const sizes = processInfo
    .filter(({ type }) => type === 'renderer')
    .map(async ({ id }) => Number(/VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${id}/status`, 'utf8'))?.[1]) * 1024);
  return (await Promise.all(sizes)).reduce((sum, bytes) => sum + bytes, 0);
}

/** The first rounds fill what stays: the binary, compiled code, the heaps' reserves. */
const WARM_LOADS = 15;
const LOADS = 30;
const WARM_RUNS = 10;
const RUNS = 50;
/** Bytes of the model “Slow”. A load that leaked would add as much each time. */
const MODEL_BYTES = 26_000_000;

test('30 loads and 50 runs leave no memory behind', async ({ playground, browser }) => {
  const { page } = playground;
  await playground.comeBackWith({ modelId: 'Slow', device: 'wasm', variant: 'q8', maxNewTokens: 1 });
  const sizes: number[] = [];
  for (let load = 1; load <= LOADS; load += 1) {
    await page.getByRole('button', { name: 'Load', exact: true }).click();
    // Not by an expectation, here and below: it looks once a second after the first, which added up.
    await playground.loaded.waitFor();
    await page.getByRole('button', { name: 'Unload' }).click();
    sizes.push(await pageBytes(browser));
  }
  // The heaps breathe, and go on to fill in steps of 60 MB until some 30 loads (60 were seen to stay within 100 MB from there on):
  // the largest of a few is compared, with half of what 15 leaked models would add.
  const growth = Math.max(...sizes.slice(-5)) - Math.max(...sizes.slice(WARM_LOADS - 5, WARM_LOADS));
  expect(growth, 'growth over 15 loads').toBeLessThan(((LOADS - WARM_LOADS) / 2) * MODEL_BYTES);

  await page.getByRole('button', { name: 'Load', exact: true }).click();
  await expect(playground.loaded).toBeVisible();
  await playground.write('Human: Hi\n\nAssistant:', 'Hello.');
  let before = 0;
  for (let run = 1; run <= RUNS; run += 1) {
    await playground.align.click();
    await page.locator(`section[data-status=done]`).waitFor();
    if (run === WARM_RUNS) before = await pageBytes(browser);
  }
  expect((await pageBytes(browser)) - before, 'growth over 40 runs').toBeLessThan(2 * MODEL_BYTES);
});
