/**
 * Prints how many rows per second `metaaligner batch` rewrites beside the reference's way (batches of 16 through Hugging
 * Face transformers, float32, same weights, rows, new tokens and threads), and the peak memory of both. In turns in
 * one run; the ratio is the median over the turns. q4 is reported beside: the reference has nothing like it here.
 *
 * Needs the model of scripts/fetch-smollm2.sh, the data sets (METAALIGNER_DATA) and a Python with torch, transformers,
 * gguf and accelerate (PYTHON, by default python3).
 *
 * Usage: npm run bench:batch -- [--rows 48] [--new-tokens 48] [--turns 3] [--batch-size 4]
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from 'csv-parse/sync';
import { formatHeader, formatRow } from '../src/batch/row-format.ts';
import { median } from './bench/measurement.ts';

const ROOT = join(import.meta.dirname, '..');
const DATA = process.env.METAALIGNER_DATA ?? join(ROOT, '../shared/data');
const PYTHON = process.env.PYTHON ?? 'python3';
const GGUF = process.env.SMOLLM2_GGUF ?? join(ROOT, '.cache/smollm2/smollm2-135m-instruct.gguf');
const MODEL = join(ROOT, '.cache/models/smollm2-135m-instruct');
const COLUMNS = ['query', 'goldens', 'generated_text'];
/** Rows longer than this are passed over, so that a turn takes a minute. */
const MAX_CHARACTERS = 1200;
/** Runs a program and prints the most memory that it held, in KiB, on the last line. */
const PEAK_OF = `import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)`;

interface Measurement {
  rowsPerSecond: number;
  tokens: number;
  peakBytes: number;
}

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '48' },
    'new-tokens': { type: 'string', default: '48' },
    turns: { type: 'string', default: '3' },
    'batch-size': { type: 'string', default: '4' },
  },
});
const rowCount = Number(values.rows);
const newTokens = values['new-tokens'];
const threads = String(availableParallelism());
const folder = await mkdtemp(join(tmpdir(), 'metaaligner-bench-batch-'));
const input = join(folder, 'rows.csv');
const rows = parse<Record<string, string>>(readFileSync(join(DATA, 'hh-rlhf/Claude-3.csv')), { columns: true })
  .map((row) => COLUMNS.map((column) => row[column] ?? ''))
  .filter((cells) => cells.join('').length <= MAX_CHARACTERS && cells[2]?.trim() !== '')
  .slice(0, rowCount);
writeFileSync(input, formatHeader('csv', COLUMNS) + rows.map((cells) => formatRow('csv', COLUMNS, cells)).join(''));

const turns: { theirs: Measurement; fp32: Measurement; q4: Measurement }[] = [];
for (let turn = 0; turn < Number(values.turns); turn++) {
  turns.push({ theirs: runReference(), fp32: runOurs('fp32', turn), q4: runOurs('q4', turn) });
}
await rm(folder, { recursive: true });

console.log(
  `SmolLM2-135M-Instruct, ${rows.length} rows of HH-RLHF, ${newTokens} new tokens at most, ${threads} threads; ` +
    `${cpus().length} cores of ${cpus()[0]?.model.trim()}, load ${loadavg()[0]?.toFixed(1)}, ${turns.length} turns\n`,
);
console.log('| way | rows/s | ratio | tokens | peak MB | ratio |\n|---|---|---|---|---|---|');
const names = {
  theirs: 'transformers, batches of 16, fp32',
  fp32: 'metaaligner batch, fp32',
  q4: 'metaaligner batch, q4',
};
for (const [key, name] of Object.entries(names) as [keyof typeof names, string][]) {
  const of = (read: (measurement: Measurement) => number) => median(turns.map((turn) => read(turn[key])));
  const ratio = (read: (measurement: Measurement) => number) =>
    median(turns.map((turn) => read(turn[key]) / read(turn.theirs)));
  console.log(
    `| ${name} | ${of((m) => m.rowsPerSecond).toFixed(2)} | ${ratio((m) => m.rowsPerSecond).toFixed(2)} ` +
      `| ${of((m) => m.tokens)} | ${Math.round(of((m) => m.peakBytes) / 1e6)} | ${ratio((m) => m.peakBytes).toFixed(2)} |`,
  );
}

function runReference(): Measurement {
  const script = join(ROOT, 'scripts/reference/batch_generate.py');
  const args = [script, GGUF, input, '--rows', String(rows.length), '--new-tokens', newTokens, '--threads', threads];
  const output = execFileSync(PYTHON, args, { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
  const result = JSON.parse(output) as { rows: number; tokens: number; seconds: number; peakBytes: number };
  return { rowsPerSecond: result.rows / result.seconds, tokens: result.tokens, peakBytes: result.peakBytes };
}

function runOurs(variant: string, turn: number): Measurement {
  const output = join(folder, `${variant}-${turn}.csv`);
  const args = ['batch', '--model', MODEL, '--variant', variant, '--family', 'hh-rlhf', '--threads', threads];
  args.push('--objectives', 'harmlessness,helpfulness,humour', '--max-new-tokens', newTokens);
  args.push('--input', input, '--output', output, '--batch-size', values['batch-size']);
  const command = ['node', join(ROOT, 'cli/metaaligner.mjs'), ...args];
  const printed = execFileSync(PYTHON, ['-c', PEAK_OF, ...command], { stdio: ['ignore', 'pipe', 'ignore'] });
  const report = JSON.parse(readFileSync(output.replace(/csv$/, 'report.json'), 'utf8')) as {
    seconds: number;
    counts: { rows: number; editTokens?: number };
  };
  const journal = readFileSync(output.replace(/csv$/, 'journal.jsonl'), 'utf8').trimEnd().split('\n').slice(1);
  return {
    rowsPerSecond: report.counts.rows / report.seconds,
    tokens: journal.reduce((sum, line) => sum + ((JSON.parse(line) as { editTokens?: number }).editTokens ?? 0), 0),
    peakBytes: Number(printed.toString().trim().split('\n').at(-1)) * 1024,
  };
}
