import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fuzzOne, fuzzTargets } from './fuzz.fixture.ts';

/** `npm run fuzz:checkpoint` does the same at length. */
const RUNS = 1000;

describe.each(fuzzTargets().map((target) => [target.name, target] as const))('a damaged %s', (_name, target) => {
  it('opens or fails with a typed error', async () => {
    const outcomes = { opened: 0, 'checkpoint-corrupt': 0, 'unsupported-model': 0 };
    await fc.assert(
      fc.asyncProperty(target.inputs, async (bytes) => {
        outcomes[await fuzzOne(target, bytes)] += 1;
      }),
      { numRuns: RUNS },
    );
    // Inputs that all fail alike would test little.
    expect(outcomes.opened).toBeGreaterThan(RUNS / 100);
    expect(outcomes['checkpoint-corrupt']).toBeGreaterThan(RUNS / 10);
  });
});
