import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page, Worker } from '@playwright/test';
import { MODELS_DIRECTORY, PORT } from '../playwright.config.ts';
import { accessibilityFaults, expect, type Playground, test } from './playground.fixture.ts';

const ORIGIN = `http://127.0.0.1:${PORT}`;
const SECRET = 'Nobody else may read this sentence.';

interface Served {
  url: string;
  host: string;
  child: ChildProcess;
  /** Its log: a line for each request. */
  log: () => { path: string; status: number }[];
}

const running: ChildProcess[] = [];

/** The real command, with the demo aligner unless told otherwise. */
async function serve(...args: string[]): Promise<Served> {
  const child = spawn('node', ['cli/metaaligner.mjs', 'serve', '--port', '0', '--threads', '1', ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  running.push(child);
  let stderr = '';
  child.stderr.on('data', (piece: Buffer) => (stderr += piece.toString()));
  await expect.poll(() => stderr, { timeout: 60_000 }).toMatch(/http:\/\/127\.0\.0\.1:\d+\//);
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(stderr)?.[0] ?? '';
  const log = () =>
    stderr
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { path: string; status: number });
  return { url, host: new URL(url).host, child, log };
}

const allowed = (...args: string[]) => serve('--no-page', '--allow-origin', ORIGIN, ...args);

test.afterEach(async () => {
  for (const child of running.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
});

/** Only that server was called beside the page's own. */
function onlyCalled(playground: Playground, ...urls: string[]): void {
  const elsewhere = playground.foreignRequests.filter((called) => !urls.some((url) => called.startsWith(`${url}/`)));
  expect(elsewhere).toEqual([]);
  playground.foreignRequests.length = 0;
}

const openModels = (page: Page) => page.getByRole('button', { name: /^(Change|Choose a model)$/ }).click();

async function connect(page: Page, address: string, key = ''): Promise<void> {
  await page.getByLabel('Address', { exact: true }).fill(address);
  await page.getByLabel('Key', { exact: true }).fill(key);
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
}

/** As a visitor comes back who has entered the server before. */
async function comeBackTo(playground: Playground, { url }: Served, modelId: string, more: object = {}): Promise<void> {
  await playground.comeBackWith({ serverUrl: url, modelId: `server:${url}#${modelId}`, ...more });
  await expect(playground.page.getByTestId('sent-to')).toBeVisible();
}

test('an address and a key are tried as they are entered, and a key stays in its tab unless it is to be remembered', async ({
  playground,
}) => {
  const { page } = playground;
  const folder = await mkdtemp(join(tmpdir(), 'metaaligner-keys-'));
  const made = spawn('node', ['cli/metaaligner.mjs', 'key', 'page', '--keys-file', join(folder, 'keys')]);
  let key = '';
  made.stdout.on('data', (piece: Buffer) => (key += piece.toString()));
  await once(made, 'exit');
  key = key.trim();
  const server = await allowed('--keys-file', join(folder, 'keys'));
  await rm(folder, { recursive: true });
  const stored = () => page.evaluate(() => [JSON.stringify(localStorage), JSON.stringify(sessionStorage)]);

  await openModels(page);
  await connect(page, server.host);
  await expect(playground.error).toContainText(`${server.host} needs a key.`);
  await connect(page, server.host, 'ma-wrong');
  await expect(playground.error).toContainText(`${server.host} does not know this key.`);
  await connect(page, server.host, key);
  await expect(page.getByText(`${server.host} answers, and takes the key. It offers demo-aligner`)).toBeVisible();
  await expect(page.getByRole('button', { name: `Use demo-aligner, on ${server.host}` })).toBeVisible();
  expect(await accessibilityFaults(page)).toEqual([]);
  let [shared, tab] = await stored();
  expect(shared).not.toContain(key);
  expect(shared).not.toContain('ma-wrong');
  expect(tab).toContain(key);

  await page.reload();
  await openModels(page);
  await expect(page.getByText(`${server.host} answers, and takes the key.`)).toBeVisible();
  await page.getByLabel('Remember the key on this device').check();
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await expect.poll(async () => (await stored())[0]).toContain(key);
  await page.getByRole('button', { name: 'Forget the server and its key' }).click();
  await expect(page.getByTestId('server')).toBeHidden();
  [shared, tab] = await stored();
  expect(shared + tab!).not.toContain(key);
  expect(shared).not.toContain(server.host);
  onlyCalled(playground, server.url);
});

test('says what keeps the page from a server, and the option that lets it', async ({ playground }) => {
  const { page } = playground;
  const server = await serve('--no-page');
  await openModels(page);
  await connect(page, server.url);
  await expect(playground.error).toContainText(`start it with “--allow-origin ${ORIGIN}”`);
  await connect(page, 'http://127.0.0.2:4329');
  await expect(playground.error).toContainText('Start the page with “--server http://127.0.0.2:4329”');
  await connect(page, 'http://127.0.0.1:9');
  await expect(playground.error).toContainText('127.0.0.1:9 cannot be reached from this page');
  await connect(page, ORIGIN);
  await expect(playground.error).toContainText('“metaaligner start” only serves the page');
  await connect(page, 'https://me:secret@aligner.example');
  await expect(playground.error).toContainText('the key has a field of its own');
  await expect(page.getByTestId('server')).toBeHidden();
  expect(await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }))).not.toContain('127.0.0.2');
  playground.foreignRequests.length = 0;
});

test('aligns on a server, sends nothing before Align, and says where everything went', async ({ playground }) => {
  const { page } = playground;
  const server = await allowed();
  const bodies: string[] = [];
  page.on('request', (request) => {
    if (request.url().startsWith(server.url)) bodies.push(`${request.method()} ${request.postData() ?? ''}`);
  });
  await openModels(page);
  await connect(page, server.url);
  await page.getByRole('button', { name: `Use demo-aligner, on ${server.host}` }).click();
  await expect(page.getByTestId('sent-to')).toHaveText(`Your text is sent to ${server.host}.`);
  await expect(page.getByText(`Runs on ${server.host} · q4`)).toBeVisible();
  await expect(page.getByRole('banner')).toContainText(`Sent to ${server.host}`);
  await expect(page.getByText('Stays on this device')).toBeHidden();
  await expect(page.getByText(/are sent nowhere/)).toHaveCount(0);

  await page.getByLabel('Answer', { exact: true }).fill('');
  await page.getByLabel('Answer', { exact: true }).pressSequentially(`You idiot. ${SECRET}`, { delay: 20 });
  await page.getByRole('heading', { name: 'The exact prompt' }).click();
  await expect(page.getByTestId('prompt')).toContainText(SECRET);
  await expect(page.getByText('When you press Align, not before.')).toBeVisible();
  expect(bodies.filter((body) => body.startsWith('POST'))).toEqual([]);
  expect(bodies.join()).not.toContain('Nobody');

  await playground.align.click();
  await expect(playground.result).toHaveAttribute('data-status', 'done');
  expect(bodies.filter((body) => body.includes(SECRET))).toHaveLength(1);
  await expect(
    page.getByText(`Written by demo-aligner (q4) on ${server.host}: the text was sent there.`),
  ).toBeVisible();
  expect(await accessibilityFaults(page)).toEqual([]);
  const edit = await playground.editText();
  expect(edit).toContain('sentence');

  await page.getByText('Export', { exact: true }).click();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'JSON, everything' }).click(),
  ]);
  expect(JSON.parse(await readFile(await download.path(), 'utf8'))).toMatchObject({
    model: { device: 'server', host: server.host, variant: 'q4' },
  });
  await page.getByRole('link', { name: 'History' }).click();
  await expect(page.getByText(`demo-aligner (q4) · on ${server.host}`)).toBeVisible();

  // After a reload the server's model is still the one that is chosen, and the same edit comes from the one here.
  await page.reload();
  await page.getByRole('link', { name: 'Playground' }).click();
  await expect(page.getByTestId('sent-to')).toBeVisible();
  await playground.use('Demo aligner (built in, 2,097,408 parameters): shows the mechanics, is not MetaAligner');
  await expect(playground.loaded).toBeVisible();
  await expect(page.getByTestId('sent-to')).toBeHidden();
  await expect(page.getByRole('banner')).toContainText('Stays on this device');
  await playground.align.click();
  await expect(page.getByText(/Written by Demo aligner .* on this device/)).toBeVisible();
  onlyCalled(playground, server.url);
});

test('a run on a server is stopped; one whose server goes away keeps its text and says so', async ({ playground }) => {
  const { page } = playground;
  const server = await allowed('--model', join(MODELS_DIRECTORY, 'Slow'), '--grace', '1');
  await comeBackTo(playground, server, 'Slow', { maxNewTokens: 1500 });
  await playground.write('Human: Hi\n\nAssistant:', 'Hello.');
  await playground.align.click();
  await expect(page.getByText(/Writing….* The text is sent to/)).toBeVisible();
  await playground.stop.click();
  await expect(page.getByText('Stopped by you. What was written until then is kept.')).toBeVisible();
  // Its client gone, the server is free within a step.
  await expect
    .poll(async () => (await (await fetch(`${server.url}/metrics`)).text()).match(/running\S* 0/)?.[0])
    .toBeTruthy();

  await playground.align.click();
  await expect(page.getByText(/Writing…/)).toBeVisible();
  await expect.poll(async () => (await page.getByTestId('edit').textContent())?.length ?? 0).toBeGreaterThan(5);
  server.child.kill('SIGKILL');
  await expect(playground.result).toHaveAttribute('data-status', 'failed');
  await expect(playground.error.first()).toContainText(server.host);
  await expect(page.getByText('Written before it failed')).toBeVisible();

  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(playground.error.first()).toContainText(`${server.host} cannot be reached from this page`);
  onlyCalled(playground, server.url);
});

/** The engine's worker finds no WebGPU until it is told otherwise. */
async function withoutWebGpu(page: Page): Promise<(isThere: boolean) => Promise<void>> {
  const find = () => page.workers().find((worker) => worker.url().includes('engine.worker'));
  await expect.poll(find).toBeTruthy();
  const worker = find() as Worker;
  const set = (isThere: boolean) =>
    worker.evaluate((isThere) => {
      const gpu = GPU.prototype as { requestAdapter: unknown; kept?: unknown };
      gpu.kept ??= gpu.requestAdapter;
      gpu.requestAdapter = isThere ? gpu.kept : async () => null;
    }, isThere);
  await set(false);
  return set;
}

test('what this device cannot run goes to a server only after the visitor agreed, and comes back when it can', async ({
  playground,
}) => {
  test.setTimeout(500_000);
  const { page } = playground;
  const server = await allowed();
  await playground.comeBackWith({
    serverUrl: server.url,
    modelId: 'demo-aligner',
    device: 'webgpu',
    variant: 'q4',
    maxNewTokens: 12,
  });
  const setWebGpu = await withoutWebGpu(page);
  const posts = () => server.log().filter(({ path, status }) => path === '/v1/align' && status === 200).length;

  await playground.align.click();
  await expect(playground.error).toHaveAttribute('data-code', 'webgpu-unavailable');
  await page.getByRole('button', { name: `Use ${server.host} instead` }).click();
  const dialog = page.getByRole('dialog', { name: `Send your text to ${server.host}?` });
  await expect(dialog).toContainText('whoever runs that server can read them');
  expect(await accessibilityFaults(page)).toEqual([]);
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await expect(playground.error).toBeVisible();
  expect(posts()).toBe(0);

  // For this page: nothing of it is kept, and the device can be tried again.
  await page.getByRole('button', { name: `Use ${server.host} instead` }).click();
  await dialog.getByRole('button', { name: 'Use it until this page is closed' }).click();
  await expect(page.getByText(/^In place of Demo aligner, which did not run here:/)).toBeVisible();
  expect(posts()).toBe(0);
  await playground.align.click();
  await expect(page.getByText(`on ${server.host}: the text was sent there.`)).toBeVisible();
  await page.getByRole('button', { name: 'Try Demo aligner here again' }).click();
  await expect(playground.error).toHaveAttribute('data-code', 'webgpu-unavailable');

  // For good: the next press goes there by itself and says so.
  await page.getByRole('button', { name: `Use ${server.host} instead` }).click();
  await dialog.getByRole('button', { name: 'Use it whenever this device cannot run a model' }).click();
  await expect(page.getByTestId('sent-to')).toBeVisible();
  await page.reload();
  await withoutWebGpu(page).then(() => playground.align.click());
  await expect(page.getByText(`on ${server.host}: the text was sent there.`)).toBeVisible();
  await expect.poll(posts).toBe(2);

  // It is back here as soon as it runs.
  const again = await withoutWebGpu(page);
  await again(true);
  await page.getByRole('button', { name: 'Try Demo aligner here again' }).click();
  // A software GPU takes its time to start.
  await expect(playground.loaded).toBeVisible({ timeout: 240_000 });
  await expect(page.getByTestId('sent-to')).toBeHidden();
  await expect(page.getByText(/^In place of/)).toBeHidden();

  // And what was agreed is taken back.
  await page.getByRole('button', { name: 'Unload' }).click();
  await openModels(page);
  await page.getByLabel(`Use ${server.host} by itself when this device cannot run a model`).uncheck();
  await page.getByRole('button', { name: 'Close', exact: true }).click();
  await again(false);
  await playground.align.click();
  await expect(playground.error).toHaveAttribute('data-code', 'webgpu-unavailable');
  await expect.poll(posts).toBe(2);
  await setWebGpu(true).catch(() => {});
  onlyCalled(playground, server.url);
});

test('compares a model here with one at a server, and runs a batch there', async ({ playground }) => {
  const { page } = playground;
  const server = await allowed();
  await playground.comeBackWith({ serverUrl: server.url, modelId: 'Tiny', device: 'wasm', maxNewTokens: 8 });
  await page.getByRole('tab', { name: 'Compare objectives' }).click();
  await page.getByLabel('Each alone').uncheck();
  await page.getByLabel('And on a second model').selectOption({ label: `demo-aligner, on ${server.host}` });
  await expect(page.getByText(`The text is sent to ${server.host}.`)).toBeVisible();
  await page.getByRole('button', { name: 'Run 2 edits' }).click();
  const cells = page.locator('li[data-status="done"]');
  await expect(cells).toHaveCount(2);
  await expect(cells.nth(0)).toContainText('Tiny');
  await expect(cells.nth(1)).toContainText(`demo-aligner, on ${server.host}`);
  // Afterwards nothing goes there by accident.
  await expect(playground.loaded).toBeVisible();
  await expect(page.getByTestId('sent-to')).toBeHidden();

  await comeBackTo(playground, server, 'demo-aligner');
  await page.getByRole('link', { name: 'Batch' }).click();
  await expect(page.getByText(`Its rows are sent to ${server.host} when you run them.`)).toBeVisible();
  const rows = Array.from({ length: 9 }, (_, i) => `"Human: ${i}?\n\nAssistant:","You idiot ${i}."`).join('\n');
  await page.getByTestId('batch-input').setInputFiles({
    name: 'rows.csv',
    mimeType: 'text/csv',
    buffer: Buffer.from(`query,generated_text\n${rows}`),
  });
  await expect(page.getByText(`Each row is sent to ${server.host}.`)).toBeVisible();
  await page.getByRole('button', { name: 'Run all rows' }).click();
  await expect(page.getByTestId('batch-progress')).toContainText('9 of 9 rows');
  expect(server.log().filter(({ path, status }) => path === '/v1/align' && status === 200)).toHaveLength(10);
  onlyCalled(playground, server.url);
});

test('a batch that was running at a server says so when the page is opened anew, and sends nothing before it is told to', async ({
  playground,
}) => {
  const { page } = playground;
  const server = await allowed('--model', join(MODELS_DIRECTORY, 'Slow'), '--concurrency', '1');
  // As the page sends them: the server's log has those that ended.
  let posts = 0;
  page.on('request', (request) => {
    if (request.method() === 'POST' && request.url() === `${server.url}/v1/align`) posts += 1;
  });
  await comeBackTo(playground, server, 'Slow', { maxNewTokens: 200 });
  await page.getByRole('link', { name: 'Batch' }).click();
  const rows = Array.from({ length: 12 }, (_, i) => `"Human: ${i}?\n\nAssistant:","Hello ${i}."`).join('\n');
  await page.getByTestId('batch-input').setInputFiles({
    name: 'rows.csv',
    mimeType: 'text/csv',
    buffer: Buffer.from(`query,generated_text\n${rows}`),
  });
  await page.getByRole('button', { name: 'Run all rows' }).click();
  await expect(page.getByTestId('batch-progress')).toContainText(/[1-9] of 12 rows/, { timeout: 60_000 });
  const beforeReload = page.waitForEvent('framenavigated').then(() => posts);
  await page.reload();
  await expect(page.getByText(`This batch was running at ${server.host}. Nothing is sent from here`)).toBeVisible();
  expect(await accessibilityFaults(page)).toEqual([]);
  // What ran when the page was left ends; nothing follows it.
  await expect
    .poll(async () => (await (await fetch(`${server.url}/metrics`)).text()).match(/running\S* 0/)?.[0])
    .toBeTruthy();
  const before = await beforeReload;
  expect(before).toBeGreaterThan(0);
  expect(posts).toBe(before);
  await page.getByRole('button', { name: 'Go on' }).click();
  await expect(page.getByText('This batch was running at')).toBeHidden();
  await expect.poll(() => posts).toBeGreaterThan(before);
  onlyCalled(playground, server.url);
});

test('the page that a server serves offers its models without an address', async ({ playground }) => {
  const { page } = playground;
  const server = await serve('--models', MODELS_DIRECTORY);
  await page.goto(server.url);
  await openModels(page);
  await expect(page.getByText(`This page’s own server, ${server.host}`)).toBeVisible();
  await page.getByRole('button', { name: `Use demo-aligner, on ${server.host}` }).click();
  await expect(page.getByTestId('sent-to')).toHaveText(`Your text is sent to ${server.host}.`);
  await playground.write('Human: Hi\n\nAssistant:', 'You idiot. Hello.');
  await playground.align.click();
  await expect(page.getByText(`on ${server.host}: the text was sent there.`)).toBeVisible();
  onlyCalled(playground, server.url);
});
