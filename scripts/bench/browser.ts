import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium } from '@playwright/test';
import { createServer, type Plugin } from 'vite';
import { isInsidePath } from '../../src/convert/parse-manifest.ts';
import playwrightConfig from '../../playwright.config.ts';
import type { Runner } from './measurement.ts';
import type { BenchWorkerOptions } from './ours.worker.ts';
import { PEERS_DIRECTORY } from './peers.ts';
import { PEERS_URL } from './peers-url.ts';

type Who = keyof Window['bench'];

export interface BenchBrowser {
  version: string;
  /** @param options.modelUrl  under the folders' addresses, without their origin */
  open: (who: Who, options: BenchWorkerOptions) => Promise<Runner>;
  close(): Promise<void>;
}

/**
 * A page of Chromium, cross-origin isolated, with each side in a worker of its own.
 *
 * @param folders  directories by address, which ends in `/`
 */
export async function openBrowser(folders: Readonly<Record<string, string>>): Promise<BenchBrowser> {
  const server = await createServer({
    logLevel: 'error',
    server: { port: Number(process.env.METAALIGNER_BENCH_PORT ?? 0), hmr: false, watch: null },
    plugins: [files({ ...folders, [PEERS_URL]: PEERS_DIRECTORY })],
  });
  await server.listen();
  const origin = (server.resolvedUrls?.local[0] ?? '').slice(0, -1);
  const browser = await chromium.launch(playwrightConfig.use?.launchOptions ?? {});
  const page = await browser.newPage();
  await page.goto(`${origin}/scripts/bench/page.html`);
  await page.waitForFunction(() => 'bench' in window);
  return {
    version: browser.version(),
    async open(who, { modelUrl, ...options }) {
      const load = { ...options, modelUrl: origin + modelUrl };
      await page.evaluate(([each, given]) => window.bench[each].load(given), [who, load] as const);
      return {
        generate: (generation) =>
          page.evaluate(([each, given]) => window.bench[each].generate(given), [who, generation] as const),
        dispose: async () => {},
      };
    },
    async close() {
      await browser.close();
      await server.close();
    },
  };
}

function files(folders: Readonly<Record<string, string>>): Plugin {
  return {
    name: 'bench-files',
    configureServer(server) {
      for (const [address, directory] of Object.entries(folders)) {
        server.middlewares.use(address, (request, response) => {
          const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname.slice(1));
          const file = join(directory, path);
          stat(isInsidePath(path) ? file : '').then(
            ({ size }) => {
              response.setHeader('content-length', size);
              response.setHeader('cross-origin-resource-policy', 'same-origin');
              const type = /\.wasm$/.test(path)
                ? 'application/wasm'
                : /\.js$/.test(path)
                  ? 'text/javascript'
                  : undefined;
              if (type !== undefined) response.setHeader('content-type', type);
              createReadStream(file).pipe(response);
            },
            () => {
              response.statusCode = 404;
              response.end();
            },
          );
        });
      }
    },
  };
}
