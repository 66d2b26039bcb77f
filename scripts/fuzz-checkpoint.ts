/**
 * Damages valid checkpoint files, manifests and exported models and opens them: every one must open or fail with a typed error, without reading
 * outside the file, without a hang, in little memory.
 *
 *     npm run fuzz:checkpoint [-- RUNS [SEED]]
 *
 * RUNS inputs per parser (100,000 unless given). A failure prints the smallest input found and the seed that gives it
 * again. Exit code 1 on failure.
 */
import fc from 'fast-check';
import { fuzzOne, type FuzzOutcome, fuzzTargets } from '../src/convert/checkpoint/fuzz.fixture.ts';
import { weightsFuzzTargets } from '../src/weights/fuzz.fixture.ts';

const runs = Number(process.argv[2] ?? 100_000);
const seed = Number(process.argv[3] ?? Date.now() % 2 ** 31);
if (!Number.isSafeInteger(runs) || runs < 1 || !Number.isSafeInteger(seed)) {
  console.error('Usage: npm run fuzz:checkpoint [-- RUNS [SEED]]');
  process.exit(2);
}

console.log(`${runs} inputs per parser, seed ${seed}`);
for (const target of [...fuzzTargets(), ...weightsFuzzTargets()]) {
  const outcomes = new Map<FuzzOutcome, number>();
  const startMs = performance.now();
  const result = await fc.check(
    fc.asyncProperty(target.inputs, async (bytes) => {
      const outcome = await fuzzOne(target, bytes);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }),
    { numRuns: runs, seed },
  );
  const counts = [...outcomes].map(([outcome, count]) => `${outcome} ${count}`);
  console.log(`${target.name}: ${counts.join(', ')} (${((performance.now() - startMs) / 1000).toFixed(1)} s)`);
  if (result.failed) {
    const [bytes] = result.counterexample ?? [];
    console.error(`${target.name} failed with seed ${seed}, path ${result.counterexamplePath}:`);
    console.error(result.errorInstance);
    if (bytes !== undefined) console.error(`Input in base64: ${Buffer.from(bytes).toString('base64')}`);
    process.exitCode = 1;
  }
}
