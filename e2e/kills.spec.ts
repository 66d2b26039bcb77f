import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, expect, type Page, test } from '@playwright/test';
import { BROAD_LLAMA, safetensorsRepository } from '../src/weights/small-checkpoint.fixture.ts';
import { type LocalHub, startLocalHub } from './local-hub.ts';
import { Playground } from './playground.fixture.ts';

const PUBLISHED = 'MetaAligner/MetaAligner-HH-RLHF-1.1B';
const NAME = 'MetaAligner-HH-RLHF-1.1B';
/** What a crash may cost of the download. */
const MAX_LOST_BYTES = 8 << 20;

test.describe.configure({ timeout: 300_000 });

/** Ends the browser as a crash or a power cut does: all its processes at once, none of them asked. */
async function kill(profile: string): Promise<void> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  for (const id of ids) {
    const command = await readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '');
    if (command.includes(`--user-data-dir=${profile}`)) process.kill(Number(id), 'SIGKILL');
  }
}

async function openPage(profile: string, hub: LocalHub, baseURL: string): Promise<[BrowserContext, Page]> {
  const context = await chromium.launchPersistentContext(profile, {
    ...test.info().project.use.launchOptions,
    serviceWorkers: 'block',
    baseURL,
  });
  await context.addInitScript((endpoint) => {
    if (localStorage.getItem('metaaligner-settings') !== null) return;
    localStorage.setItem('metaaligner-settings', JSON.stringify({ state: { hubEndpoint: endpoint }, version: 1 }));
  }, hub.endpoint);
  const page = context.pages()[0] ?? (await context.newPage());
  await page.goto(baseURL);
  await page.getByRole('button', { name: /^(Change|Choose a model)$/ }).click();
  return [context, page];
}

test('a browser that is killed again and again ends up with the whole model', async ({ baseURL }) => {
  const profile = await mkdtemp(join(tmpdir(), 'metaaligner-profile-'));
  const files = await safetensorsRepository(BROAD_LLAMA);
  const sizeBytes = Object.values(files).reduce((sum, content) => sum + content.length, 0);
  const hub = await startLocalHub({ repositories: { [PUBLISHED]: { files } } });
  try {
    // Download, conversion and the writes to the cache go on side by side: each moment is one of all three.
    hub.fault = ({ kind }) => (kind === 'storage' ? { kind: 'slow', bytesPerSecond: 1_500_000 } : undefined);
    let isFirst = true;
    for (const percent of [15, 40, 55, 70, 85]) {
      const [, page] = await openPage(profile, hub, baseURL ?? '');
      if (isFirst) {
        await page.getByRole('button', { name: `Get ${PUBLISHED}` }).click();
        await page.getByRole('button', { name: 'Start download' }).click();
      } else {
        await expect(page.getByText(/^Unfinished: /).first()).toBeVisible();
        // Half a model is none.
        await expect(page.getByRole('button', { name: `Use ${NAME}`, exact: true })).toHaveCount(0);
        await page.getByRole('button', { name: 'Go on' }).click();
      }
      isFirst = false;
      const progress = page.getByRole('progressbar', { name: `Getting ${PUBLISHED}` });
      await expect(async () => {
        expect(Number(await progress.getAttribute('aria-valuenow'))).toBeGreaterThanOrEqual(percent);
      }).toPass({ intervals: [20], timeout: 60_000 });
      await kill(profile);
    }
    hub.fault = undefined;

    const [context, page] = await openPage(profile, hub, baseURL ?? '');
    const playground = new Playground(page, baseURL ?? '');
    await page.getByRole('button', { name: 'Go on' }).click();
    await expect(playground.loaded).toBeVisible({ timeout: 60_000 });
    expect(hub.sentBytes).toBeLessThan(sizeBytes + 5 * MAX_LOST_BYTES);

    const requests = hub.requests.length;
    await page.reload();
    await playground.use(NAME);
    await expect(playground.loaded).toBeVisible();
    await playground.setMaxNewTokens(8);
    await playground.align.click();
    await expect(playground.result).toHaveAttribute('data-status', 'done');
    expect(hub.requests.length).toBe(requests);
    await context.close();
  } finally {
    await hub.close();
    await rm(profile, { recursive: true, force: true });
  }
});
