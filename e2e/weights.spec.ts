import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { expect, test as base } from '@playwright/test';
import { openCheckpoint } from '../src/convert/checkpoint/open-checkpoint.ts';
import { convertCheckpoint } from '../src/convert/convert.ts';
import { MemoryFolder, randomCheckpoint, SMALL_LLAMA } from '../src/convert/small-llama.fixture.ts';
import { makeCheckpoint } from '../scripts/bench-convert/make-checkpoint.ts';
import { openNodeFolder } from '../src/weights/node-folder.ts';
import { BROAD_LLAMA, safetensorsRepository } from '../src/weights/small-checkpoint.fixture.ts';
import { type HubFault, type HubRequest, type LocalHub, startLocalHub } from './local-hub.ts';
import { Playground } from './playground.fixture.ts';

const PUBLISHED = 'MetaAligner/MetaAligner-HH-RLHF-1.1B';
const NAME = 'MetaAligner-HH-RLHF-1.1B';
const GATED = 'someone/gated-llama';
const NO_LLAMA = 'someone/no-llama';

/** A page whose hub is a local one. */
const test = base.extend<{ hub: LocalHub; playground: Playground }>({
  // eslint-disable-next-line no-empty-pattern
  hub: async ({}, use) => {
    const hub = await startLocalHub({
      repositories: {
        [PUBLISHED]: { files: await safetensorsRepository(BROAD_LLAMA) },
        [GATED]: { files: await safetensorsRepository(SMALL_LLAMA), access: 'gated' },
        [NO_LLAMA]: { files: { 'README.md': Buffer.from('nothing here') } },
      },
      token: 'hf_good',
    });
    await use(hub);
    await hub.close();
  },
  playground: async ({ page, baseURL, hub }, use) => {
    await useHub(page, hub);
    const playground = new Playground(page, baseURL ?? '');
    await playground.open();
    await use(playground);
  },
});

/** As a visitor would set it in the storage page, before the page reads it. */
async function useHub(page: Page, hub: LocalHub): Promise<void> {
  await page.addInitScript((endpoint) => {
    if (localStorage.getItem('metaaligner-settings') !== null) return;
    localStorage.setItem('metaaligner-settings', JSON.stringify({ state: { hubEndpoint: endpoint }, version: 1 }));
  }, hub.endpoint);
}

async function openModels(page: Page): Promise<void> {
  await page.getByRole('button', { name: /^(Change|Choose a model)$/ }).click();
}

async function look(page: Page, reference: string): Promise<void> {
  await openModels(page);
  await page.getByLabel(/^Another model/).fill(reference);
  await page.getByRole('button', { name: 'Look' }).click();
}

/** Holds all answers of the weights that begin after a byte. */
const holdAfter =
  (byte: number) =>
  ({ kind, path, start }: HubRequest): HubFault | undefined =>
    kind === 'storage' && path === 'model.safetensors' && start >= byte ? { kind: 'stall', afterBytes: 0 } : undefined;

/** As the page's database has them. */
function storedChecksums(page: Page, source: string): Promise<{ path: string; sha256: string }[]> {
  return page.evaluate(
    (key) =>
      new Promise((resolve, reject) => {
        const opening = indexedDB.open('metaaligner-weights');
        opening.onsuccess = () => {
          const read = opening.result.transaction('records').objectStore('records').get(['model', key, 'q8']);
          read.onsuccess = () => resolve((read.result as { files: { path: string; sha256: string }[] }).files);
          read.onerror = () => reject(read.error!);
        };
      }),
    source,
  );
}

async function align(playground: Playground): Promise<void> {
  await playground.write('Human: Why is the sky blue?\n\nAssistant:', 'It reflects the sea.');
  await playground.setMaxNewTokens(8);
  await playground.align.click();
  await expect(playground.result).toHaveAttribute('data-status', 'done');
}

test('says what a model takes, gets it, and aligns', async ({ playground, hub }) => {
  const { page } = playground;
  await openModels(page);
  await page.getByRole('button', { name: `Get ${PUBLISHED}` }).click();
  await expect(page.getByText(/^Downloads 13 MB, keeps \d+ MB\./)).toBeVisible();
  await expect(page.getByText('Every file is checked against the publisher’s checksum.')).toBeVisible();
  await expect(page.getByText('There is room for it.')).toBeVisible();
  expect(hub.requests.some(({ kind }) => kind === 'api')).toBe(true);
  await page.getByRole('button', { name: 'Start download' }).click();
  await expect(playground.loaded).toBeVisible();
  await align(playground);
  expect(playground.consoleErrors).toEqual([]);
  // A browser that kept the ranges in its own cache would ask for a third more. A look at the headers comes on top.
  const files = await safetensorsRepository(BROAD_LLAMA);
  expect(hub.sentBytes).toBeLessThan(Object.values(files).reduce((sum, { length }) => sum + length, 0) + 3e6);
});

for (const [format, name] of [
  ['torch', 'PyTorch'],
  ['gguf', 'GGUF'],
] as const) {
  test(`a checkpoint in ${name} is converted to the bytes that the command line makes of it`, async ({
    playground,
    hub,
  }, testInfo) => {
    const { page } = playground;
    const directory = testInfo.outputPath(format);
    await makeCheckpoint(directory, { ...SMALL_LLAMA, vocabularySize: 320 }, format);
    const folder = new MemoryFolder();
    const checkpoint = await openCheckpoint(await openNodeFolder(directory));
    await convertCheckpoint(checkpoint, folder, { variants: ['q8'], name: 'x', source: 'x', family: undefined });
    for (const file of await readdir(directory)) await hub.push(NO_LLAMA, file, join(directory, file));
    await look(page, NO_LLAMA);
    await expect(page.getByText(new RegExp(`^${name}`))).toBeVisible();
    await page.getByRole('button', { name: 'Start download' }).click();
    await expect(playground.loaded).toBeVisible();
    await align(playground);
    const stored = await storedChecksums(page, NO_LLAMA);
    expect(stored.length).toBeGreaterThan(3);
    for (const { path, sha256 } of stored) {
      expect(sha256, path).toBe(createHash('sha256').update(folder.files.get(path)!).digest('hex'));
    }
  });
}

test('a closed tab’s download goes on in the next one, and then runs without the hub', async ({
  playground,
  hub,
  context,
  baseURL,
}) => {
  const { page } = playground;
  // 48 % of thirteen megabytes.
  hub.fault = holdAfter(6 << 20);
  await openModels(page);
  await page.getByRole('button', { name: `Get ${PUBLISHED}` }).click();
  await page.getByRole('button', { name: 'Start download' }).click();
  await expect(page.getByRole('progressbar', { name: `Getting ${PUBLISHED}` })).toHaveAttribute(
    'aria-valuenow',
    /^4\d$/,
  );
  await page.close();

  hub.fault = undefined;
  const before = hub.sentBytes;
  const next = await context.newPage();
  const again = new Playground(next, baseURL ?? '');
  await again.open();
  await openModels(next);
  await expect(next.getByText(/^Unfinished: /).first()).toBeVisible();
  await next.getByRole('button', { name: 'Go on' }).click();
  await expect(again.loaded).toBeVisible();
  // The other half, and what was on its way when the tab closed: anew it would be fifteen.
  expect(hub.sentBytes - before).toBeLessThan(11e6);

  const sent = hub.requests.length;
  await next.reload();
  await again.use(NAME);
  await expect(again.loaded).toBeVisible();
  await align(again);
  expect(hub.requests.length).toBe(sent);
});

test('a download can be watched and paused on the storage page too, and goes on', async ({ playground, hub }) => {
  const { page } = playground;
  hub.fault = holdAfter(6 << 20);
  await openModels(page);
  await page.getByRole('button', { name: `Get ${PUBLISHED}` }).click();
  await page.getByRole('button', { name: 'Start download' }).click();
  const progress = page.getByRole('progressbar', { name: `Getting ${PUBLISHED}` });
  await expect(progress).toHaveAttribute('aria-valuenow', /^4\d$/);
  await page.goto('#storage');
  await expect(page.getByRole('region', { name: 'Unfinished downloads' }).getByRole('progressbar')).toHaveAttribute(
    'aria-valuenow',
    /^4\d$/,
  );
  await page.getByRole('button', { name: 'Pause' }).click();
  await expect(page.getByRole('button', { name: 'Go on' })).toBeVisible();
  await page.goto('#');
  await openModels(page);
  hub.fault = undefined;
  await page.getByRole('button', { name: 'Go on' }).click();
  await expect(playground.loaded).toBeVisible();
});

test('two tabs share one download', async ({ playground, hub, context, baseURL }) => {
  const { page } = playground;
  hub.fault = holdAfter(6 << 20);
  await openModels(page);
  await page.getByRole('button', { name: `Get ${PUBLISHED}` }).click();
  await page.getByRole('button', { name: 'Start download' }).click();
  await expect(page.getByRole('progressbar', { name: `Getting ${PUBLISHED}` })).toHaveAttribute(
    'aria-valuenow',
    /^4\d$/,
  );
  const other = await context.newPage();
  const second = new Playground(other, baseURL ?? '');
  await second.open();
  await openModels(other);
  await other.getByRole('button', { name: 'Go on' }).click();
  await expect(other.getByText('Starting…')).toBeVisible();
  hub.fault = undefined;
  // The tab that was at it goes away; the other takes over.
  await page.close();
  await expect(second.loaded).toBeVisible();
});

test('a gated model wants a token, and takes it', async ({ playground }) => {
  const { page } = playground;
  await look(page, GATED);
  await expect(page.getByRole('alert')).toContainText('Access to model someone/gated-llama is restricted');
  await expect(page.getByRole('alert')).toContainText('Access token');
  await page.getByRole('button', { name: 'Close', exact: true }).first().click();
  await page.goto('#storage');
  await page.getByLabel('Access token').fill('hf_good');
  await page.goto('#');
  await look(page, GATED);
  await expect(page.getByText(/^Downloads /)).toBeVisible();
});

test('says that a repository has no Llama model, that there is none, and that the hub is away', async ({
  playground,
  hub,
}) => {
  const { page } = playground;
  await look(page, NO_LLAMA);
  await expect(page.getByRole('alert')).toContainText('has no Llama weights that can be read');
  await page.getByLabel(/^Another model/).fill('someone/else');
  await page.getByRole('button', { name: 'Look' }).click();
  await expect(page.getByRole('alert')).toContainText('there is no such repository, or it is private');
  await page.getByLabel(/^Another model/).fill('not a reference');
  await page.getByRole('button', { name: 'Look' }).click();
  await expect(page.getByRole('alert')).toContainText('neither a hub id');
  await page.context().setOffline(true);
  await page.getByLabel(/^Another model/).fill(`${GATED}@main`);
  await page.getByRole('button', { name: 'Look' }).click();
  await expect(page.getByRole('alert')).toContainText('There is no network');
  await page.context().setOffline(false);
  expect(hub.requests.length).toBeGreaterThan(0);
});

test('a checkpoint with a wrong byte is refused, and nothing of it stays', async ({ playground, hub }) => {
  const { page } = playground;
  hub.fault = ({ kind, path, start, end }) =>
    kind === 'storage' && path === 'model.safetensors' && start <= 3e6 && end > 3e6
      ? { kind: 'wrong-byte', offset: 3e6 }
      : undefined;
  await openModels(page);
  await page.getByRole('button', { name: `Get ${PUBLISHED}` }).click();
  await page.getByRole('button', { name: 'Start download' }).click();
  await expect(page.getByRole('alert')).toContainText('its publisher says');
  await page.goto('#storage');
  await expect(page.getByText('None yet.')).toBeVisible();
});

test('verifies, exports, deletes and imports a stored model', async ({ playground }) => {
  const { page } = playground;
  await openModels(page);
  await page.getByRole('button', { name: `Get ${PUBLISHED}` }).click();
  await page.getByRole('button', { name: 'Start download' }).click();
  await expect(playground.loaded).toBeVisible();
  await page.goto('#storage');
  await page.getByRole('button', { name: `Verify ${NAME}` }).click();
  await expect(page.getByText('Whole: every byte is as it was stored.')).toBeVisible();
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: `Export ${NAME}` }).click();
  const path = await (await download).path();
  await page.getByRole('button', { name: `Delete ${NAME}` }).click();
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await expect(page.getByText('None yet.')).toBeVisible();
  await page
    .getByTestId('import-input')
    .setInputFiles({ name: 'model.tar', mimeType: '', buffer: await readFile(path) });
  await expect(page.getByRole('button', { name: `Verify ${NAME}` })).toBeVisible();
  await page.goto('#');
  await playground.use(NAME);
  await expect(playground.loaded).toBeVisible();
});

test('a converted folder at another origin is trusted on first use, kept, and aligns', async ({ playground, hub }) => {
  const { page } = playground;
  const folder = new MemoryFolder();
  const options = { name: 'Elsewhere', source: 'someone/elsewhere', family: 'hh-rlhf' } as const;
  await convertCheckpoint(randomCheckpoint(SMALL_LLAMA, 1), folder, { ...options, variants: ['q8', 'q4'] });
  for (const [path, content] of folder.files) await hub.push(NO_LLAMA, path, content);
  await look(page, `${hub.endpoint}/${NO_LLAMA}/resolve/main/`);
  await expect(page.getByText(/trusted/)).toBeVisible();
  await page.getByRole('button', { name: 'Start download' }).click();
  await expect(playground.loaded).toBeVisible();
  await align(playground);
});

test('a browser without a place to store says so, and aligns with the models of its server', async ({
  context,
  baseURL,
}) => {
  // As some private windows have it, in workers too.
  const script = "Object.defineProperty(globalThis, 'indexedDB', { value: undefined });";
  await context.addInitScript(script);
  await context.route('**/assets/*worker*.js', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: script + (await response.text()) });
  });
  const page = await context.newPage();
  const playground = new Playground(page, baseURL ?? '');
  await playground.open();
  await align(playground);
  await page.goto('#storage');
  await expect(page.getByText('This browser gives the page no place to store models.')).toBeVisible();
});
