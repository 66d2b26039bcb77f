import { expect, it } from 'vitest';
import { fuzzMany, fuzzTargets } from './fuzz.fixture.ts';

/** `npm run fuzz:checkpoint` does the same at length. */
const RUNS = 1000;

it.each(fuzzTargets())('opens a damaged $name or fails with a typed error', async (target) => {
  const counts = await fuzzMany(target, { numRuns: RUNS });
  // Inputs that all fail alike would test little.
  expect(counts.opened).toBeGreaterThan(RUNS / 100);
  expect(counts['checkpoint-corrupt']).toBeGreaterThan(RUNS / 10);
});
