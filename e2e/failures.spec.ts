import { expect, test } from './playground.fixture.ts';

/** From the press to the error on the screen. */
const SOON = { timeout: 1000 };

// A second is short where other work has the cores; a page that is slow by itself is slow every time.
test.describe.configure({ retries: 2 });

for (const [name, code, expected] of [
  ['NoData', 'weights-missing', 'model_quantized.onnx_data answered 404'],
  ['ShortData', 'weights-corrupt', 'has 1,000 bytes'],
  ['BadTokenizer', 'weights-corrupt', 'tokenizer.json'],
] as const) {
  test(`tells within a second what is wrong with ${name}`, async ({ playground }) => {
    await playground.use(name, { device: 'wasm' });
    await expect(playground.error).toHaveAttribute('data-code', code, SOON);
    await expect(playground.error).toContainText(expected);
  });
}

test('tells what is wrong with a graph that is none', async ({ playground }) => {
  await playground.use('BadGraph', { device: 'wasm' });
  await expect(playground.error).toHaveAttribute('data-code', /^(weights-corrupt|engine-failed)$/);
});

test('lists a model with a damaged manifest as such', async ({ playground }) => {
  await playground.page.getByRole('button', { name: /^(Change|Choose a model)$/ }).click();
  await expect(playground.page.getByText('BadManifest')).toBeVisible();
  await expect(playground.page.getByRole('button', { name: 'Use BadManifest' })).toBeHidden();
});

test('tells within a second that the server does not answer, and loads when it does again', async ({ playground }) => {
  const { page } = playground;
  await page.route('**/models/Tiny/**', (route) => route.abort('connectionrefused'));
  await playground.use('Tiny', { device: 'wasm', variant: 'q8' });
  await expect(playground.error).toHaveAttribute('data-code', 'weights-unreachable', SOON);
  await page.unroute('**/models/Tiny/**');
  await page.getByRole('button', { name: 'Load again' }).click();
  await expect(playground.loaded).toBeVisible();
});

test('a load that is overtaken leaves no error, and the later model is there', async ({ playground }) => {
  const { page } = playground;
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  await page.route('**/models/Slow/onnx/*_data', async (route) => {
    await held;
    await route.abort().catch(() => {});
  });
  await playground.use('Slow', { device: 'wasm' });
  await expect(page.getByRole('button', { name: 'Cancel' })).toBeVisible();
  await playground.use('Tiny');
  await expect(playground.loaded).toBeVisible();
  release();
  await expect(playground.error).toBeHidden();
});

for (const [name, kill] of [
  ['an uncaught error', () => void setTimeout(() => reportError(new Error('the engine broke')))],
  ['going away without a word', () => self.close()],
] as const) {
  test(`tells within a second that the worker died by ${name}, and starts another`, async ({ playground }) => {
    const { page } = playground;
    await playground.use('Slow', { device: 'wasm' });
    await expect(playground.loaded).toBeVisible();
    await playground.write('Human: Hi\n\nAssistant:', 'Hello.');
    await playground.align.click();
    await expect(page.getByText(/Writing…/)).toBeVisible();
    const worker = page.workers().find((candidate) => candidate.url().includes('engine.worker'));
    await worker?.evaluate(kill).catch(() => {});
    await expect(playground.result).toHaveAttribute('data-status', 'failed', SOON);
    await expect(playground.error.first()).toHaveAttribute('data-code', 'worker-crashed');
    await page.getByRole('button', { name: 'Load again' }).click();
    await expect(playground.loaded).toBeVisible();
  });
}

test('a part of the page that cannot be fetched is asked for again, and the rest stays', async ({ playground }) => {
  const { page } = playground;
  await expect(page.getByRole('button', { name: /^Load and align/ })).toBeVisible();
  const script = /\/assets\/ModelChoices-.*\.js$/;
  await page.route(script, (route) => route.abort());
  await page.getByRole('button', { name: 'Change', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: 'Models' });
  await expect(dialog.getByRole('alert')).toContainText('This part of the page could not be fetched.');
  await page.unroute(script);
  await dialog.getByRole('button', { name: 'Try again' }).click();
  await expect(dialog.getByRole('heading', { name: 'Ready to run' })).toBeVisible();
});
