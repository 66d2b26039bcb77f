import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fuzzOne, type FuzzOutcome } from '../convert/checkpoint/fuzz.fixture.ts';
import { weightsFuzzTargets } from './fuzz.fixture.ts';

/** `npm run fuzz:checkpoint` does the same at length. */
const RUNS = 1000;

describe.each(weightsFuzzTargets().map((target) => [target.name, target] as const))('a damaged %s', (_name, target) => {
  it('opens or fails with a typed error', async () => {
    const outcomes: Partial<Record<FuzzOutcome, number>> = {};
    await fc.assert(
      fc.asyncProperty(target.inputs, async (bytes) => {
        const outcome = await fuzzOne(target, bytes);
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      }),
      { numRuns: RUNS },
    );
    // Inputs that all fail alike would test little.
    expect(outcomes.opened).toBeGreaterThan(RUNS / 100);
    expect(outcomes['weights-corrupt']).toBeGreaterThan(RUNS / 10);
  });
});
