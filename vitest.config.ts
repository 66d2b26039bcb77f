import { defineConfig } from 'vitest/config';
import { kernels } from './scripts/kernels-plugin.ts';

const tests = '{src,workers,cli,server,scripts}/**/*';
export default defineConfig({
  test: {
    // By default one is kept back for watching; most of the time goes into processes that the command line's tests start.
    maxWorkers: '100%',
    projects: [
      {
        plugins: [kernels()],
        test: {
          name: 'unit',
          // The command line is started some 200 times.
          globalSetup: 'scripts/build-cli.mjs',
          // A busy machine is no fault; only what hangs is.
          testTimeout: 30_000,
          include: [`${tests}.test.{ts,tsx}`],
          exclude: ['**/*.{weights,gpu}.test.ts', '**/node_modules/**'],
        },
      },
      {
        plugins: [kernels()],
        test: { name: 'weights', include: [`${tests}.weights.test.ts`], testTimeout: 600_000, maxConcurrency: 2 },
      },
      { test: { name: 'gpu', include: [`${tests}.gpu.test.ts`], testTimeout: 600_000 } },
    ],
  },
});
