import { defineConfig } from '@playwright/test';
import base, { PORT } from './playwright.config.ts';

/** The page on real weights: scripts/fetch-smollm2.sh puts them there. */
const { globalSetup: _tinyModels, ...config } = base;
export default defineConfig({
  ...config,
  testIgnore: [],
  testMatch: '**/*.weights.spec.ts',
  timeout: 600_000,
  webServer: {
    command: `npm run -s build -- --logLevel warn && node cli/metaaligner.mjs start --port ${PORT} --models .cache/models --mirror 'http://127.0.0.1:*'`,
    url: `http://127.0.0.1:${PORT}/`,
    reuseExistingServer: false,
    timeout: 120_000,
  },
});
