/**
 * Prints how long `metaaligner dataset hh-rlhf build` takes for many pairs and how much memory it holds, beside a plain
 * Python script that does the same in memory (scripts/reference/build_hh_rlhf.py), one after the other in one run. The
 * pairs are made up, with texts of the length of HH-RLHF's; scores tie as often as rounded ones do.
 *
 * Needs Python (PYTHON, by default python3). Usage: npm run bench:dataset -- [--pairs 160000]
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, open, readFile, rm, stat } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SeededRandom } from '../src/align/random.ts';
import { formatHeader, formatRow } from '../src/batch/row-format.ts';
import type { TrainingItem } from '../src/datasets/training-item.ts';

const ROOT = join(import.meta.dirname, '..');
const PYTHON = process.env.PYTHON ?? 'python3';
const COLUMNS = [
  ...['prompt', 'chosen_response', 'rejected_response'],
  ...['chosen', 'rejected'].flatMap((side) => [1, 2, 3].map((i) => `${side}_score${i}`)),
];
/** Runs a program and prints its seconds and the most memory that it held, in KiB, on the last line. */
const MEASURE = `import resource, subprocess, sys, time
start = time.monotonic()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)`;

const { values } = parseArgs({ options: { pairs: { type: 'string', default: '160000' } } });
const pairCount = Number(values.pairs);
if (!Number.isSafeInteger(pairCount) || pairCount < 20_000) {
  console.error('Usage: npm run bench:dataset -- [--pairs N], at least 20000');
  process.exit(2);
}
const folder = await mkdtemp(join(tmpdir(), 'metaaligner-bench-dataset-'));
try {
  const scored = join(folder, 'scored.csv');
  await makePairs(scored);
  const megabytes = Math.round((await stat(scored)).size / 1e6);
  console.log(
    `${cpus().length} cores of ${cpus()[0]?.model.trim()}, Node ${process.version}, load ${loadavg()[0]?.toFixed(1)}; ` +
      `${pairCount.toLocaleString('en-US')} pairs, ${megabytes} MB`,
  );
  const ours = measure('ours', [
    ...[process.execPath, join(ROOT, 'cli/metaaligner.mjs'), 'dataset', 'hh-rlhf', 'build'],
    ...['--scored', scored, '--to', join(folder, 'ours'), '--split', 'train'],
  ]);
  const theirs = measure('Python', [
    ...[PYTHON, join(ROOT, 'scripts/reference/build_hh_rlhf.py'), scored, join(folder, 'theirs')],
  ]);
  const counts = await Promise.all(
    ['ours', 'theirs'].map(async (who) => {
      const items = JSON.parse(await readFile(join(folder, who, 'no_equal/val.json'), 'utf8')) as TrainingItem[];
      return items.length;
    }),
  );
  console.log(
    `ratio: ${(theirs.seconds / ours.seconds).toFixed(2)} times as fast, ` +
      `${(ours.peakBytes / theirs.peakBytes).toFixed(2)} of the memory; ${counts.join(' and ')} validation items`,
  );
} finally {
  await rm(folder, { recursive: true });
}

function measure(name: string, command: readonly string[]): { seconds: number; peakBytes: number } {
  const output = execFileSync(PYTHON, ['-c', MEASURE, ...command], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [seconds = NaN, kibibytes = NaN] = output.toString().trim().split(' ').map(Number);
  console.log(`${name}: ${seconds.toFixed(1)} s, peak memory ${Math.round((kibibytes * 1024) / 1e6)} MB`);
  return { seconds, peakBytes: kibibytes * 1024 };
}

async function makePairs(path: string): Promise<void> {
  const random = new SeededRandom(1);
  const words = Array.from({ length: 5000 }, () => (random.nextUint32() + 2 ** 32).toString(36).slice(1, 8));
  const text = (meanWords: number) => {
    const count = 1 + Math.floor(random.nextFraction() * 2 * meanWords);
    return Array.from({ length: count }, () => words[random.nextUint32() % words.length]).join(' ');
  };
  const file = await open(path, 'w');
  try {
    let lines = formatHeader('csv', COLUMNS);
    for (let i = 0; i < pairCount; i++) {
      const scores = Array.from({ length: 6 }, () => (Math.round(random.nextFraction() * 20) / 10).toFixed(1));
      const cells = [`\n\nHuman: ${text(90)} \n\nAssistant:`, text(50), text(50), ...scores];
      lines += formatRow('csv', COLUMNS, cells);
      if (lines.length > 1 << 20) {
        await file.write(lines);
        lines = '';
      }
    }
    await file.write(lines);
  } finally {
    await file.close();
  }
}
