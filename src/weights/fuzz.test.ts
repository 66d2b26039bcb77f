import { expect, it } from 'vitest';
import { fuzzMany } from '../convert/checkpoint/fuzz.fixture.ts';
import { weightsFuzzTargets } from './fuzz.fixture.ts';

/** `npm run fuzz:checkpoint` does the same at length. */
const RUNS = 1000;

it.each(weightsFuzzTargets())('opens a damaged $name or fails with a typed error', async (target) => {
  const counts = await fuzzMany(target, { numRuns: RUNS });
  // Inputs that all fail alike would test little.
  expect(counts.opened).toBeGreaterThan(RUNS / 100);
  const [usual] = target.codes ?? [];
  expect(counts[usual!]).toBeGreaterThan(RUNS / 10);
});
