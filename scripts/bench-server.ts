/**
 * What `metaaligner serve` bears, in parts, each against a server in a process of its own:
 *
 * - streams: so many clients that each read one streamed edit after the other, every event checked, every edit compared with
 *   what the same request gave alone; the server's memory at the beginning and at the end
 * - malformed: 10,000 requests that are none; the answers and their times
 * - throughput: 16 requests at a time beside the reference's way (batches of 16 through Hugging Face transformers, float32,
 *   same weights, rows, new tokens and threads); q4 is reported beside. Needs what scripts/bench-batch.ts needs
 * - sharing: 16 clients before a server that runs them one after the other, with drafts, or 4 or 16 of them in each step. Only
 *   where it is named
 *
 * Usage: npm run bench:server -- [--only streams,malformed,throughput,sharing] [--clients 200] [--seconds 60] [--rows 48]
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
import { startServe } from './bench-server/serve-process.ts';
import { percentile, streamEdit, type StreamedEdit } from './bench-server/streaming-client.ts';

const ROOT = join(import.meta.dirname, '..');
const DATA = process.env.METAALIGNER_DATA ?? join(ROOT, '../shared/data');
const PYTHON = process.env.PYTHON ?? 'python3';
const GGUF = process.env.SMOLLM2_GGUF ?? join(ROOT, '.cache/smollm2/smollm2-135m-instruct.gguf');
const SMOLLM2 = process.env.SMOLLM2_MODEL ?? join(ROOT, '.cache/models/smollm2-135m-instruct');
const DEMO = join(ROOT, 'public/models/demo-aligner');
const MALFORMED_REQUESTS = 10_000;
const MALFORMED_AT_A_TIME = 32;
const COLUMNS = ['query', 'goldens', 'generated_text'];
const MAX_CHARACTERS = 1200;
const AT_A_TIME = 16;

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'streams,malformed,throughput' },
    clients: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '60' },
    rows: { type: 'string', default: '48' },
    'new-tokens': { type: 'string', default: '48' },
    turns: { type: 'string', default: '3' },
  },
});
const threads = availableParallelism();
console.log(
  `${cpus().length} cores of ${cpus()[0]?.model.trim()}, load ${loadavg()[0]?.toFixed(1)}, Node ${process.version}\n`,
);
const parts: Record<string, () => Promise<void>> = { streams, malformed, throughput, sharing };
for (const name of values.only.split(',')) await parts[name]!();

async function streams(): Promise<void> {
  const clients = Number(values.clients);
  const seconds = Number(values.seconds);
  const server = await startServe(['--model', DEMO, '--concurrency', String(AT_A_TIME), '--queue', String(clients)]);
  const foods = ['rice', 'soup', 'bread', 'an egg', 'pasta', 'beans', 'a cake', 'tea'];
  const requests = foods.map((food) => ({
    objectives: ['harmlessness'],
    context: `Human: How do I cook ${food}?\n\nAssistant:`,
    answer: `You idiot. Rinse ${food} and boil it in water.`,
  }));
  const expected: string[] = [];
  for (const request of requests) expected.push((await streamEdit(server.url, request)).edit);

  const edits: StreamedEdit[] = [];
  const failures = new Map<string, number>();
  const memory: number[] = [];
  const endMs = performance.now() + seconds * 1000;
  const client = async (start: number) => {
    for (let i = start; performance.now() < endMs; i++) {
      try {
        const edit = await streamEdit(server.url, requests[i % requests.length]!);
        if (edit.edit !== expected[i % requests.length]) throw new Error('The edit is another than alone.');
        edits.push(edit);
      } catch (error) {
        failures.set(String(error), (failures.get(String(error)) ?? 0) + 1);
      }
    }
  };
  const watch = setInterval(() => void server.residentBytes().then((bytes) => memory.push(bytes)), 1000);
  await Promise.all(Array.from({ length: clients }, (_, i) => client(i)));
  clearInterval(watch);
  const logged = (await server.stop()).split('\n').filter((line) => line.includes('"event":"request"'));
  const tokens = edits.reduce((sum, { editTokens }) => sum + editTokens, 0);
  const tenth = Math.max(1, Math.floor(memory.length / 10));
  const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
  console.log(
    `streams: ${clients} clients for ${seconds} s on the demo aligner: ${edits.length} edits, ${tokens} tokens ` +
      `(${Math.round(tokens / seconds)}/s), ${[...failures.values()].reduce((sum, count) => sum + count, 0)} failures; ` +
      `first text p50 ${Math.round(
        percentile(
          edits.map(({ firstTextMs }) => firstTextMs),
          0.5,
        ),
      )} ms, ` +
      `p99 ${Math.round(
        percentile(
          edits.map(({ firstTextMs }) => firstTextMs),
          0.99,
        ),
      )} ms; ` +
      `memory ${megabytes(median(memory.slice(tenth, 2 * tenth)))} in the second tenth of the time, ` +
      `${megabytes(median(memory.slice(-tenth)))} in the last, ${megabytes(Math.max(...memory))} at most; ` +
      `${logged.length} lines of log`,
  );
  for (const [failure, count] of failures) console.log(`  ${count} × ${failure}`);
}

async function malformed(): Promise<void> {
  const server = await startServe(['--model', DEMO, '--threads', '1']);
  const valid = { objectives: ['harmlessness'], context: '', answer: 'x' };
  const bodies = [
    '',
    '{',
    '[]',
    'null',
    '"text"',
    '{"objectives":[]}',
    JSON.stringify({ ...valid, objectives: ['no such'] }),
    JSON.stringify({ ...valid, temperature: 1e9 }),
    JSON.stringify({ ...valid, maxNewTokens: -1 }),
    JSON.stringify({ ...valid, answer: ' ' }),
    JSON.stringify({ ...valid, unknown: 1 }),
    JSON.stringify(Array.from({ length: 257 }, () => valid)),
    JSON.stringify({ ...valid, answer: 'word '.repeat(20_000) }),
    JSON.stringify({ prompt: [1, 2 ** 31] }),
    `${'['.repeat(50_000)}`,
    '\u0000\ud800',
  ];
  const paths = ['v1/align', 'v1/completions', 'v1/chat/completions', 'v1/none', 'healthz', '..%2f..%2fetc/passwd'];
  const types = ['application/json', 'application/json', 'application/json', 'text/plain'];
  const statuses = new Map<number, number>();
  const times: number[] = [];
  let next = 0;
  const client = async () => {
    for (let i = next++; i < MALFORMED_REQUESTS; i = next++) {
      const startMs = performance.now();
      const response = await fetch(server.url + paths[i % paths.length]!, {
        method: 'POST',
        headers: { 'content-type': types[i % types.length]! },
        body: bodies[Math.floor(i / 7) % bodies.length]!,
      });
      await response.arrayBuffer();
      times.push(performance.now() - startMs);
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: MALFORMED_AT_A_TIME }, client));
  await server.stop();
  const counts = [...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${count} × ${status}`);
  console.log(
    `malformed: ${times.length} requests, ${MALFORMED_AT_A_TIME} at a time: ${counts.join(', ')}; ` +
      `p50 ${percentile(times, 0.5).toFixed(1)} ms, p99 ${percentile(times, 0.99).toFixed(1)} ms, most ${Math.max(...times).toFixed(1)} ms`,
  );
}

interface Throughput {
  rowsPerSecond: number;
  tokensPerSecond: number;
}

async function throughput(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'metaaligner-bench-server-'));
  const input = join(folder, 'rows.csv');
  const rows = readRows();
  writeFileSync(input, formatHeader('csv', COLUMNS) + rows.map((cells) => formatRow('csv', COLUMNS, cells)).join(''));
  const turns: Record<'transformers' | 'fp32' | 'q4', Throughput>[] = [];
  for (let turn = 0; turn < Number(values.turns); turn++) {
    turns.push({ transformers: runReference(input), fp32: await runOurs('fp32', rows), q4: await runOurs('q4', rows) });
    console.log(`  turn ${turn + 1}: ${JSON.stringify(turns.at(-1))}`);
  }
  await rm(folder, { recursive: true });
  console.log(
    `throughput: SmolLM2-135M-Instruct, ${rows.length} rows of HH-RLHF, ${AT_A_TIME} at a time, ` +
      `${values['new-tokens']} new tokens at most, ${threads} threads, ${turns.length} turns, medians`,
  );
  for (const way of ['transformers', 'fp32', 'q4'] as const) {
    const of = (read: (turn: (typeof turns)[number]) => number) => median(turns.map(read)).toFixed(2);
    console.log(
      `  ${way}: ${of((turn) => turn[way].rowsPerSecond)} rows/s, ${of((turn) => turn[way].tokensPerSecond)} tokens/s, ` +
        `${of((turn) => turn[way].rowsPerSecond / turn.transformers.rowsPerSecond)} times transformers’ rows/s`,
    );
  }
}

async function sharing(): Promise<void> {
  const rows = readRows();
  console.log(
    `sharing: SmolLM2-135M-Instruct, ${rows.length} rows of HH-RLHF, ${AT_A_TIME} clients, ` +
      `${values['new-tokens']} new tokens at most, ${threads} threads, ${values.turns} turns, medians`,
  );
  for (const variant of ['q4', 'fp32']) {
    for (const atATime of [1, 4, AT_A_TIME]) {
      const turns: Throughput[] = [];
      for (let turn = 0; turn < Number(values.turns); turn++) turns.push(await runOurs(variant, rows, atATime));
      const of = (read: (turn: Throughput) => number) => median(turns.map(read)).toFixed(2);
      console.log(
        `  ${variant}, ${atATime} at a time: ${of((turn) => turn.rowsPerSecond)} rows/s, ` +
          `${of((turn) => turn.tokensPerSecond)} tokens/s; load ${loadavg()[0]?.toFixed(1)}`,
      );
    }
  }
}

/** Of the reference's own inputs, the first short ones. */
function readRows(): string[][] {
  return parse<Record<string, string>>(readFileSync(join(DATA, 'hh-rlhf/Claude-3.csv')), { columns: true })
    .map((row) => COLUMNS.map((column) => row[column] ?? ''))
    .filter((cells) => cells.join('').length <= MAX_CHARACTERS && cells[2]?.trim() !== '')
    .slice(0, Number(values.rows));
}

function runReference(input: string): Throughput {
  const script = join(ROOT, 'scripts/reference/batch_generate.py');
  const args = [
    script,
    GGUF,
    input,
    '--rows',
    values.rows,
    '--new-tokens',
    values['new-tokens'],
    '--threads',
    String(threads),
  ];
  const output = execFileSync(PYTHON, args, { stdio: ['ignore', 'pipe', 'inherit'] }).toString();
  const { rows, tokens, seconds } = JSON.parse(output) as { rows: number; tokens: number; seconds: number };
  return { rowsPerSecond: rows / seconds, tokensPerSecond: tokens / seconds };
}

async function runOurs(variant: string, rows: readonly string[][], atATime = AT_A_TIME): Promise<Throughput> {
  const concurrency = ['--concurrency', String(atATime)];
  const server = await startServe([
    '--model',
    SMOLLM2,
    '--variant',
    variant,
    '--threads',
    String(threads),
    ...concurrency,
  ]);
  const common = { objectives: ['harmlessness', 'helpfulness', 'humour'], family: 'hh-rlhf' };
  const rest = rows.values();
  let tokens = 0;
  const startMs = performance.now();
  const client = async () => {
    for (const [context = '', , answer = ''] of rest) {
      const request = { ...common, context, answer, maxNewTokens: Number(values['new-tokens']) };
      const { editTokens } = await streamEdit(server.url, request);
      tokens += editTokens;
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, client));
  const seconds = (performance.now() - startMs) / 1000;
  await server.stop();
  return { rowsPerSecond: rows.length / seconds, tokensPerSecond: tokens / seconds };
}
