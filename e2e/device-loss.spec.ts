import type { Page, Worker } from '@playwright/test';
import { expect, type Playground, test } from './playground.fixture.ts';

interface DeviceKeeper {
  devices: GPUDevice[];
}

/** The engine's worker, which keeps every device that it asks for in sight. */
async function watchDevices(page: Page): Promise<() => Promise<void>> {
  const started: Promise<Worker>[] = [];
  page.on('worker', (worker) => {
    if (!worker.url().includes('engine.worker')) return;
    const keep = () => {
      const keeper = globalThis as unknown as DeviceKeeper;
      keeper.devices = [];
      const adapters = GPUAdapter.prototype as { requestDevice: (this: GPUAdapter) => Promise<GPUDevice> };
      const { requestDevice } = adapters;
      adapters.requestDevice = async function (...given) {
        const device = await requestDevice.apply(this, given);
        keeper.devices.push(device);
        return device;
      };
    };
    started.push(worker.evaluate(keep).then(() => worker));
  });
  return async () => {
    const worker = await started.at(-1);
    await worker!.evaluate(() => (globalThis as unknown as DeviceKeeper).devices.at(-1)!.destroy());
  };
}

const ANSWER = Array.from({ length: 3 }, (_, i) => `You should water plant ${i} in the morning.`).join(' ');

async function alignLosing(playground: Playground, losses: number, lose: () => Promise<void>): Promise<string> {
  const { page } = playground;
  await playground.write('Human: How do I keep my garden green?\n\nAssistant:', ANSWER);
  await playground.align.click();
  for (let loss = 1; loss <= losses; loss += 1) {
    // It has written, or written on since the last loss.
    await expect.poll(() => page.getByTestId('edit').locator('span').count(), { timeout: 90_000 }).toBeGreaterThan(0);
    await expect(page.getByText(/^Writing…/)).toBeVisible();
    await lose();
    await expect(page.getByText(/it was lost (and started again|2 times in a row)/)).toHaveCount(loss, {
      timeout: 90_000,
    });
  }
  await expect(playground.result).toHaveAttribute('data-status', 'done', { timeout: 120_000 });
  return playground.editText();
}

test('a GPU that is lost is replaced, and the run goes on to the same text; lost twice, the CPU takes over', async ({
  playground,
}) => {
  test.setTimeout(400_000);
  const { page } = playground;
  const lose = await watchDevices(page);
  await playground.comeBackWith({
    // A software adapter takes a fifth of a second for each.
    maxNewTokens: 32,
    editView: 'side-by-side',
    modelId: 'demo-aligner',
    device: 'webgpu',
    variant: 'q4',
  });
  await page.getByRole('button', { name: 'Load', exact: true }).click();
  await expect(playground.loaded).toBeVisible({ timeout: 90_000 });

  const undisturbed = await alignLosing(playground, 0, lose);
  await page.getByText('Side by side').click();
  expect(await alignLosing(playground, 1, lose)).toBe(undisturbed);
  await expect(page.getByText(/GPU \(WebGPU\) · q4/)).toBeVisible();

  await page.getByText('Side by side').click();
  await page.getByRole('button', { name: 'Unload' }).click();
  await page.getByRole('button', { name: 'Load', exact: true }).click();
  await expect(playground.loaded).toBeVisible({ timeout: 90_000 });
  const onBoth = await alignLosing(playground, 2, lose);
  expect(onBoth.length).toBeGreaterThan(undisturbed.length / 2);
  await expect(page.getByText(/^CPU \(WebAssembly\) · q8/)).toBeVisible();
  // A device that failed twice is not trusted any more: a server is offered.
  await page.getByRole('button', { name: 'Use a server…' }).click();
  await expect(page.getByRole('heading', { name: 'From a server' })).toBeVisible();
});
