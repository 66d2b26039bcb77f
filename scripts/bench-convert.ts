/**
 * Prints how fast a checkpoint of TinyLlama's shape (1.1B parameters, bfloat16, two safetensors shards) is converted to
 * q4f16, and how much memory that takes. The checkpoint is pseudo-random, made on the first run in .cache/ (2.2 GB)
 * and kept. Each conversion runs in a process of its own; the best of them is what the machine can do when nothing
 * else wants its cores.
 *
 * Usage: npm run bench:convert -- [--runs 3] [--variant q4f16]
 */
import { fork } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { VARIANTS, type Variant } from '../src/align/variant.ts';
import { convertCheckpoint } from '../src/convert/convert.ts';
import { openCheckpoint } from '../src/convert/checkpoint/open-checkpoint.ts';
import { createNodeTarget, openNodeFolder } from '../src/weights/node-folder.ts';
import { makeCheckpoint, TINY_LLAMA } from './bench-convert/make-checkpoint.ts';

const CACHE = join(import.meta.dirname, '../.cache/bench-convert');
const CHECKPOINT = join(CACHE, 'checkpoint');

interface Measurement {
  wallSeconds: number;
  cpuSeconds: number;
  peakBytes: number;
  sourceBytes: number;
  writtenBytes: number;
}

if (process.send !== undefined) {
  process.send(await convertOnce(process.argv[2] as Variant));
} else {
  const { values } = parseArgs({
    options: { runs: { type: 'string', default: '3' }, variant: { type: 'string', default: 'q4f16' } },
  });
  const variant = VARIANTS.find((name) => name === values.variant);
  if (variant === undefined || !(Number(values.runs) >= 1)) {
    console.error(`Usage: npm run bench:convert -- [--runs N] [--variant ${VARIANTS.join('|')}]`);
    process.exit(2);
  }
  await makeCheckpoint(CHECKPOINT, TINY_LLAMA, 'safetensors');
  console.log(`${cpus().length} cores of ${cpus()[0]?.model.trim()}, Node ${process.version}`);
  let best: Measurement | undefined;
  for (let run = 1; run <= Number(values.runs); run++) {
    const measurement = await inChildProcess(variant);
    console.log(`run ${run}: ${describe(measurement)}; load ${loadavg()[0]?.toFixed(1)}`);
    if (best === undefined || measurement.wallSeconds < best.wallSeconds) best = measurement;
  }
  if (best !== undefined) console.log(`${variant}, best: ${describe(best)}`);
}

function describe({ wallSeconds, cpuSeconds, peakBytes, sourceBytes, writtenBytes }: Measurement): string {
  const megabytes = (bytes: number) => `${Math.round(bytes / 1e6).toLocaleString('en-US')} MB`;
  return (
    `${wallSeconds.toFixed(1)} s (${cpuSeconds.toFixed(1)} s of CPU time), peak RSS ${megabytes(peakBytes)}, ` +
    `${megabytes(sourceBytes / wallSeconds)}/s read, ${megabytes(writtenBytes)} written`
  );
}

async function inChildProcess(variant: Variant): Promise<Measurement> {
  const child = fork(import.meta.filename, [variant], { execArgv: process.execArgv });
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as Measurement));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`The conversion ended with code ${code}.`)));
  });
}

async function convertOnce(variant: Variant): Promise<Measurement> {
  const output = join(CACHE, 'converted');
  await rm(output, { recursive: true, force: true });
  const start = process.hrtime.bigint();
  const cpuStart = process.cpuUsage();
  const checkpoint = await openCheckpoint(await openNodeFolder(CHECKPOINT));
  const manifest = await convertCheckpoint(checkpoint, createNodeTarget(output), {
    variants: [variant],
    name: 'Benchmark',
    source: 'pseudo-random weights of TinyLlama’s shape',
    family: undefined,
  });
  const wallSeconds = Number(process.hrtime.bigint() - start) / 1e9;
  const { user, system } = process.cpuUsage(cpuStart);
  await rm(output, { recursive: true, force: true });
  return {
    wallSeconds,
    cpuSeconds: (user + system) / 1e6,
    peakBytes: process.resourceUsage().maxRSS * 1024,
    sourceBytes: checkpoint.sizeBytes,
    writtenBytes: (manifest.variants[variant] ?? []).reduce((sum, file) => sum + file.sizeBytes, 0),
  };
}
