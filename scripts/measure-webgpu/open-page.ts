import { chromium, type Page } from '@playwright/test';
import { createServer } from 'vite';
import playwrightConfig from '../../playwright.config.ts';

export interface WebGpuPage {
  page: Page;
  /** What its maker calls it. */
  adapter: string;
  /** Of the folder, ends in `/`. */
  modelUrl: string;
  close: () => Promise<void>;
}

/** The page of the measurements in a Chromium, one with 16-bit floats if there is one (CHROMIUM_F16). @param directory a model's folder, anywhere */
export async function openWebGpuPage(directory: string): Promise<WebGpuPage> {
  const server = await createServer({
    logLevel: 'error',
    server: { port: 0, hmr: false, watch: null, fs: { strict: false } },
  });
  await server.listen();
  const executablePath = process.env.CHROMIUM_F16;
  const browser = await chromium.launch({
    ...playwrightConfig.use?.launchOptions,
    ...(executablePath !== undefined && { executablePath }),
  });
  const close = async () => {
    await browser.close();
    await server.close();
  };
  try {
    const address = server.resolvedUrls?.local[0] ?? '';
    const page = await browser.newPage();
    await page.goto(`${address}scripts/measure-webgpu/page.html`);
    await page.waitForFunction(() => 'measureWebGpu' in window);
    const adapter = await page.evaluate(async () => {
      const info = (await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' }))?.info;
      return `${info?.vendor ?? ''} ${info?.architecture ?? ''} ${info?.description ?? ''}`.trim();
    });
    return {
      page,
      adapter: `${adapter}, Chromium ${browser.version()}`,
      modelUrl: `${address}@fs${directory}/`,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
