import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { type BrowserContext, expect, type Page, test } from '@playwright/test';
import { BROAD_LLAMA, safetensorsRepository } from '../src/weights/small-checkpoint.fixture.ts';
import { MODELS_DIRECTORY } from '../playwright.config.ts';
import { startLocalHub } from './local-hub.ts';
import { Playground } from './playground.fixture.ts';

test.use({ serviceWorkers: 'allow' });
test.describe.configure({ timeout: 120_000 });

const DEMO = /^Demo aligner/;
const PUBLISHED = 'MetaAligner/MetaAligner-HH-RLHF-1.1B';

/** Our own server, which can be stopped. */
async function startServer(...more: string[]): Promise<{ url: string; stop: () => Promise<void> }> {
  const args = ['cli/metaaligner.mjs', 'start', '--port', '0', ...more];
  const child = spawn('node', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (piece: Buffer) => (stderr += piece.toString()));
  await expect.poll(() => stderr).toContain('http://127.0.0.1:');
  return {
    url: /http:\S+/.exec(stderr)?.[0] ?? '',
    stop: async () => {
      child.kill('SIGINT');
      await once(child, 'exit');
    },
  };
}

const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
};

/** A host of files at /project/ that sets no header of its own. */
async function startStaticHost(directory: string): Promise<{ url: string; server: Server }> {
  const server = createServer((request, response) => {
    void (async () => {
      const path = new URL(request.url ?? '/', 'http://host').pathname.replace(/^\/project\//, '');
      const file = path === '' ? 'index.html' : path;
      try {
        const bytes = await readFile(join(directory, file));
        response.writeHead(200, { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream' }).end(bytes);
      } catch {
        response.writeHead(404).end();
      }
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/project/`, server };
}

async function keptOffline(page: Page): Promise<void> {
  await expect(page.getByText('Works offline')).toBeVisible({ timeout: 60_000 });
}

/** On the CPU: the software GPU takes its time. */
async function alignWithDemo(page: Page, url: string): Promise<void> {
  const playground = new Playground(page, url);
  await expect(page.getByRole('heading', { name: 'MetaAligner', level: 1 })).toBeVisible();
  await playground.comeBackWith({ device: 'wasm' });
  await expect(page.getByText(DEMO).first()).toBeVisible();
  await playground.setMaxNewTokens(8);
  await playground.align.click();
  await expect(playground.result).toHaveAttribute('data-status', 'done', { timeout: 60_000 });
  expect((await playground.editText()).trim()).not.toBe('');
}

test('opens and aligns in a fresh tab when the server is stopped and the network is off', async ({ context, page }) => {
  // Models of the user's own, which the browser does not keep.
  const { url, stop } = await startServer('--models', MODELS_DIRECTORY);
  await page.goto(url);
  await keptOffline(page);
  await page.close();
  await stop();
  await context.setOffline(true);
  const fresh = await context.newPage();
  await fresh.goto(url);
  expect(await fresh.evaluate(() => crossOriginIsolated)).toBe(true);
  await alignWithDemo(fresh, url);
});

test('a model that was left at 40 % is finished, and aligns without server, hub and network', async ({
  context,
  page,
}) => {
  const hub = await startLocalHub({
    repositories: { [PUBLISHED]: { files: await safetensorsRepository(BROAD_LLAMA) } },
  });
  const { url, stop } = await startServer('--mirror', 'http://127.0.0.1:*');
  await context.addInitScript((endpoint) => {
    if (localStorage.getItem('metaaligner-settings') !== null) return;
    localStorage.setItem('metaaligner-settings', JSON.stringify({ state: { hubEndpoint: endpoint }, version: 1 }));
  }, hub.endpoint);
  const openModels = (tab: Page) => tab.getByRole('button', { name: /^(Change|Choose a model)$/ }).click();

  hub.fault = ({ kind, start }) =>
    kind === 'storage' && start >= 6 << 20 ? { kind: 'stall', afterBytes: 0 } : undefined;
  await page.goto(url);
  await openModels(page);
  await page.getByRole('button', { name: `Get ${PUBLISHED}` }).click();
  await page.getByRole('button', { name: 'Start download' }).click();
  const progress = page.getByRole('progressbar', { name: `Getting ${PUBLISHED}` });
  await expect(progress).toHaveAttribute('aria-valuenow', /^4\d$/);
  await page.close();
  hub.fault = undefined;

  const next = await context.newPage();
  await next.goto(url);
  await openModels(next);
  await next.getByRole('button', { name: 'Go on' }).click();
  await expect(new Playground(next, url).loaded).toBeVisible();
  await keptOffline(next);
  await next.close();
  await stop();
  await hub.close();
  await context.setOffline(true);

  const fresh = await context.newPage();
  const playground = new Playground(fresh, url);
  await fresh.goto(url);
  await playground.use(PUBLISHED.split('/')[1] ?? '');
  await expect(playground.loaded).toBeVisible();
  await playground.setMaxNewTokens(8);
  await playground.align.click();
  await expect(playground.result).toHaveAttribute('data-status', 'done');
});

test('is isolated on a host without headers, in a folder of it, after one reload', async ({ context, page }) => {
  const { url, server } = await startStaticHost('dist');
  await page.goto(url);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
  await expect(page.getByText('can use all processor cores')).toBeVisible({ timeout: 60_000 });
  await page.getByRole('button', { name: 'Reload', exact: true }).click();
  await expect.poll(() => page.evaluate(() => crossOriginIsolated)).toBe(true);
  await expect(page.getByText('can use all processor cores')).toBeHidden();
  const policy = await page.evaluate(async () => (await fetch('index.html')).headers.get('content-security-policy'));
  expect(policy).toContain("default-src 'none'");
  await closed(server);
  await context.setOffline(true);
  await page.reload();
  await alignWithDemo(page, url);
});

test('a new version waits for running tabs, says so, and starts when asked', async ({ context, page }) => {
  const directory = await mkdtemp(join(tmpdir(), 'metaaligner-versions-'));
  await cp('dist', directory, { recursive: true });
  const { url, server } = await startStaticHost(directory);
  await page.goto(url);
  await keptOffline(page);
  await page.reload();

  await publishNextVersion(directory);
  const other = await openSecondTab(context, url);
  await page.evaluate(async () => (await navigator.serviceWorker.getRegistration())?.update());
  await expect(page.getByText('A new version of this page is ready')).toBeVisible({ timeout: 60_000 });
  // Both tabs are of the old version, and go on.
  await page.getByRole('button', { name: 'Reload', exact: true }).click();
  await expect(page.getByText('The new version starts when the other tab of this page is closed.')).toBeVisible();
  await alignWithDemo(other, url);
  expect(await other.locator('meta[name="next-version"]').count()).toBe(0);
  await other.close();

  await page.getByRole('button', { name: 'Reload', exact: true }).click();
  await expect(page.locator('meta[name="next-version"]')).toHaveCount(1);
  await expect(page.getByText('A new version of this page is ready')).toBeHidden();
  await closed(server);
  await rm(directory, { recursive: true });
});

async function openSecondTab(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

/** Another page, and the service worker that a build would write for it. */
async function publishNextVersion(directory: string): Promise<void> {
  const page = join(directory, 'index.html');
  const worker = join(directory, 'service-worker.js');
  const digest = (text: string, algorithm: string) => createHash(algorithm).update(text).digest('base64');
  const before = await readFile(page, 'utf8');
  const after = before.replace('<head>', '<head><meta name="next-version" content="yes" />');
  const script = await readFile(worker, 'utf8');
  const next = script
    .replaceAll(digest(before, 'sha384'), digest(after, 'sha384'))
    .replaceAll(digest(before, 'sha256').slice(0, 16), digest(after, 'sha256').slice(0, 16));
  expect(next).not.toBe(script);
  await writeFile(page, after);
  await writeFile(worker, next);
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}
