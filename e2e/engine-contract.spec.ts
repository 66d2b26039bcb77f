import { expect, type Page, test } from '@playwright/test';
import { createServer, type ViteDevServer } from 'vite';
import { VARIANT_FILE_NAMES } from '../src/convert/write-graphs.ts';
import { convertedSmallLlama } from '../src/convert/small-llama.fixture.ts';
import { ENGINE_CONTRACT } from '../src/engines/engine.contract.ts';
import { CONTRACT_CONFIG } from '../src/engines/small-model.fixture.ts';
import type { ContractModelJson } from './engine-contract.page.ts';

/**
 * The contract of src/engines/ where the web engine is at home: in a worker of a cross-origin isolated page. WebGPU is a
 * software adapter here, without shader-f16.
 */
const SUBJECTS = [
  { device: 'wasm', threads: 2, variant: 'fp32' },
  { device: 'webgpu', threads: 1, variant: 'fp32' },
  { device: 'webgpu', threads: 1, variant: 'q4' },
] as const;

let server: ViteDevServer;
test.beforeAll(async () => {
  // A server of its own: this page is no part of the product.
  server = await createServer({ logLevel: 'error', server: { port: 0, hmr: false, watch: null } });
  await server.listen();
});
test.afterAll(() => server.close());

for (const { device, threads, variant } of SUBJECTS) {
  test.describe(`the web engine on ${device}, ${variant}`, () => {
    let page: Page;
    test.beforeAll(async ({ browser }) => {
      test.setTimeout(300_000);
      page = await browser.newPage();
      await page.goto(`${server.resolvedUrls?.local[0] ?? ''}e2e/engine-contract.html`);
      const { files } = await convertedSmallLlama([variant], CONTRACT_CONFIG);
      const file = (suffix: string) => {
        const name = `${VARIANT_FILE_NAMES[variant]}.${suffix}`;
        return { name, base64: Buffer.from(files.get(`onnx/${name}`) ?? []).toString('base64') };
      };
      const model: ContractModelJson = {
        device,
        threads,
        config: CONTRACT_CONFIG,
        graph: file('onnx'),
        externalData: [file('onnx_data')],
      };
      await page.waitForFunction(() => 'contract' in window);
      expect(await page.evaluate(() => window.contract.isolated)).toBe(true);
      await page.evaluate((each) => window.contract.use(each), model);
    });
    test.afterAll(() => page.close());

    if (device === 'webgpu' && variant === 'fp32') {
      test('says that the device was lost instead of waiting for it, and starts again on another', async () => {
        test.setTimeout(180_000);
        const { lost, next } = await page.evaluate(() => window.contract.loseDevice());
        expect(lost).toEqual(['device-lost', 'device-lost']);
        expect(next).toHaveLength(3);
      });
    }

    // On a software adapter each new engine compiles its shaders for seconds: once is enough.
    const cases = ENGINE_CONTRACT.filter(({ disposes }) => disposes !== true || variant === 'fp32');
    for (const { name } of cases) {
      test(name, async () => {
        test.setTimeout(180_000);
        await page.evaluate((each) => window.contract.run(each), name);
      });
    }
  });
}
