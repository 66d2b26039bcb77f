import { defineConfig } from '@playwright/test';

/** Two runs at once need two of them. */
export const PORT = Number(process.env.METAALIGNER_E2E_PORT ?? 4199);
export const MODELS_DIRECTORY = `.cache/e2e-${PORT}/models`;

/** The real page, built, behind the real server, with tiny models. */
export default defineConfig({
  testDir: 'e2e',
  // Real weights have a configuration of their own.
  testIgnore: '**/*.weights.spec.ts',
  // The machine's cores are the models'.
  workers: 1,
  timeout: 240_000,
  expect: { timeout: 60_000 },
  forbidOnly: process.env.CI !== undefined,
  globalSetup: './e2e/make-models.ts',
  reporter: 'list',
  outputDir: 'test-results',
  use: {
    baseURL: `http://127.0.0.1:${PORT}/`,
    trace: 'retain-on-failure',
    // It answers before a test's own routes; offline.spec.ts is about it.
    serviceWorkers: 'block',
    launchOptions: {
      executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
      chromiumSandbox: false,
      args: [
        // A software adapter: shows that WebGPU works, never how fast it is.
        '--enable-unsafe-webgpu',
        '--no-first-run',
        '--disable-quic',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        // Of a machine with a GPU, what its driver needs.
        ...(process.env.CHROMIUM_ARGS?.split(' ') ?? []),
      ],
    },
  },
  webServer: {
    command: `npm run -s build -- --logLevel warn && node cli/metaaligner.mjs start --port ${PORT} --models ${MODELS_DIRECTORY} --mirror 'http://127.0.0.1:*'`,
    url: `http://127.0.0.1:${PORT}/`,
    reuseExistingServer: false,
    timeout: 120_000,
    stdout: 'pipe',
  },
});
