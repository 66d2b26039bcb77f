/**
 * Damages valid checkpoint files, manifests and exported models and opens them: every one must open or fail with a typed
 * error, without reading outside the file, without a hang, in little memory.
 *
 *     npm run fuzz:checkpoint [-- RUNS [SEED]]
 *
 * RUNS inputs per parser (100,000 unless given). A failure prints the smallest input found and the seed that gives it
 * again. Exit code 1 on failure.
 */
import { fuzzMany, fuzzTargets } from '../src/convert/checkpoint/fuzz.fixture.ts';
import { weightsFuzzTargets } from '../src/weights/fuzz.fixture.ts';

const runs = Number(process.argv[2] ?? 100_000);
const seed = Number(process.argv[3] ?? Date.now() % 2 ** 31);
if (!Number.isSafeInteger(runs) || runs < 1 || !Number.isSafeInteger(seed)) {
  console.error('Usage: npm run fuzz:checkpoint [-- RUNS [SEED]]');
  process.exit(2);
}

console.log(`${runs} inputs per parser, seed ${seed}`);
for (const target of [...fuzzTargets(), ...weightsFuzzTargets()]) {
  const startMs = performance.now();
  try {
    const counts = Object.entries(await fuzzMany(target, { numRuns: runs, seed }));
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    console.log(`${target.name}: ${counts.map(([outcome, count]) => `${outcome} ${count}`).join(', ')} (${seconds} s)`);
  } catch (error) {
    console.error(`${target.name} failed:`);
    console.error(error);
    process.exitCode = 1;
  }
}
