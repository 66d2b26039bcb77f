/**
 * Prints how fast a checkpoint of TinyLlama's shape (1.1B parameters, bfloat16, two safetensors shards) is converted to
 * q4f16, and how much memory that takes. The checkpoint is pseudo-random, made on the first run in .cache/ (2.2 GB)
 * and kept. Each conversion runs in a process of its own; the best of them is what the machine can do when nothing
 * else wants its cores.
 *
 * Usage: npm run bench:convert -- [--runs 3] [--variant q4f16]
 */
import { execFileSync, fork } from 'node:child_process';
import { mkdir, open, rm, stat, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { VARIANTS, type Variant } from '../src/align/variant.ts';
import { convertCheckpoint } from '../src/convert/convert.ts';
import { openCheckpoint } from '../src/convert/checkpoint/open-checkpoint.ts';
import type { LlamaConfig } from '../src/convert/llama-config.ts';
import { layerTensorNames } from '../src/convert/onnx/llama-plan.ts';
import { BYTE_TOKENIZER, normalValues } from '../src/convert/small-llama.fixture.ts';
import { createNodeTarget, openNodeFolder } from '../src/weights/node-folder.ts';

const CACHE = join(import.meta.dirname, '../.cache/bench-convert');
const CHECKPOINT = join(CACHE, 'checkpoint');
const SHARD_COUNT = 2;

const TINY_LLAMA: LlamaConfig = {
  vocabularySize: 32000,
  hiddenSize: 2048,
  intermediateSize: 5632,
  layerCount: 22,
  headCount: 32,
  kvHeadCount: 4,
  headDim: 64,
  rmsNormEpsilon: 1e-5,
  ropeTheta: 10000,
  contextLength: 2048,
  isEmbeddingTied: false,
  bosTokenId: 1,
  eosTokenIds: [2],
};

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
  await makeCheckpoint();
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

/** Does nothing if there is one already: its index is written last. */
async function makeCheckpoint(): Promise<void> {
  const indexPath = join(CHECKPOINT, 'model.safetensors.index.json');
  if (await stat(indexPath).catch(() => undefined)) return;
  console.log(`making ${CHECKPOINT} …`);
  await mkdir(CHECKPOINT, { recursive: true });
  const tensors = tensorShapes(TINY_LLAMA);
  const totalBytes = tensors.reduce((sum, { shape }) => sum + byteCount(shape), 0);
  const weightMap: Record<string, string> = {};
  const pool = normalPool();
  let next = 0;
  for (let shard = 0, doneBytes = 0; shard < SHARD_COUNT; shard++) {
    const name = `model-${String(shard + 1).padStart(5, '0')}-of-${String(SHARD_COUNT).padStart(5, '0')}.safetensors`;
    const first = next;
    const until = (totalBytes * (shard + 1)) / SHARD_COUNT;
    for (; next < tensors.length && doneBytes < until; next++) doneBytes += byteCount(tensors[next]!.shape);
    const inShard = tensors.slice(first, next);
    await writeShard(join(CHECKPOINT, name), inShard, pool, first);
    for (const tensor of inShard) weightMap[tensor.name] = name;
  }
  const files = {
    'config.json': {
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      vocab_size: TINY_LLAMA.vocabularySize,
      hidden_size: TINY_LLAMA.hiddenSize,
      intermediate_size: TINY_LLAMA.intermediateSize,
      num_hidden_layers: TINY_LLAMA.layerCount,
      num_attention_heads: TINY_LLAMA.headCount,
      num_key_value_heads: TINY_LLAMA.kvHeadCount,
      hidden_act: 'silu',
      rms_norm_eps: TINY_LLAMA.rmsNormEpsilon,
      max_position_embeddings: TINY_LLAMA.contextLength,
      tie_word_embeddings: false,
      bos_token_id: 1,
      eos_token_id: 2,
    },
    'model.safetensors.index.json': { metadata: { total_size: totalBytes }, weight_map: weightMap },
  };
  await writeFile(join(CHECKPOINT, 'tokenizer.json'), BYTE_TOKENIZER.tokenizerJson);
  await writeFile(join(CHECKPOINT, 'tokenizer_config.json'), BYTE_TOKENIZER.tokenizerConfigJson);
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(CHECKPOINT, name), JSON.stringify(content));
  }
  // The first run should not wait for this one's writes.
  execFileSync('sync');
}

interface TensorShape {
  name: string;
  shape: readonly number[];
}

function byteCount(shape: readonly number[]): number {
  return 2 * shape.reduce((product, size) => product * size, 1);
}

function tensorShapes(config: LlamaConfig): TensorShape[] {
  const { vocabularySize, hiddenSize, intermediateSize, layerCount } = config;
  const keyRows = config.kvHeadCount * config.headDim;
  const tensors: TensorShape[] = [{ name: 'model.embed_tokens.weight', shape: [vocabularySize, hiddenSize] }];
  for (let layer = 0; layer < layerCount; layer++) {
    const names = layerTensorNames(layer);
    tensors.push(
      { name: names.inputNorm, shape: [hiddenSize] },
      { name: names.query, shape: [config.headCount * config.headDim, hiddenSize] },
      { name: names.key, shape: [keyRows, hiddenSize] },
      { name: names.value, shape: [keyRows, hiddenSize] },
      { name: names.output, shape: [hiddenSize, config.headCount * config.headDim] },
      { name: names.postNorm, shape: [hiddenSize] },
      { name: names.gate, shape: [intermediateSize, hiddenSize] },
      { name: names.up, shape: [intermediateSize, hiddenSize] },
      { name: names.down, shape: [hiddenSize, intermediateSize] },
    );
  }
  tensors.push(
    { name: 'model.norm.weight', shape: [hiddenSize] },
    { name: 'lm_head.weight', shape: [vocabularySize, hiddenSize] },
  );
  return tensors;
}

/** One large pool of normal values, each row from another place in it: as unlike as random ones to a quantizer. */
async function writeShard(
  path: string,
  tensors: readonly TensorShape[],
  pool: Uint16Array,
  seed: number,
): Promise<void> {
  const header: Record<string, unknown> = {};
  let end = 0;
  for (const { name, shape } of tensors) {
    header[name] = { dtype: 'BF16', shape, data_offsets: [end, (end += byteCount(shape))] };
  }
  const headerBytes = new TextEncoder().encode(JSON.stringify(header));
  const prefix = new Uint8Array(8);
  new DataView(prefix.buffer).setBigUint64(0, BigInt(headerBytes.length), true);
  const file = await open(path, 'w');
  try {
    await file.write(prefix);
    await file.write(headerBytes);
    let state = seed + 1;
    for (const { shape } of tensors) {
      const columns = shape.at(-1)!;
      const rows = shape.length === 1 ? 1 : shape[0]!;
      for (let first = 0; first < rows; first += 1024) {
        const count = Math.min(1024, rows - first);
        const piece = new Uint16Array(count * columns);
        for (let row = 0; row < count; row++) {
          state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
          const start = state % (pool.length - columns);
          piece.set(pool.subarray(start, start + columns), row * columns);
        }
        await file.write(new Uint8Array(piece.buffer));
      }
    }
  } finally {
    await file.close();
  }
}

/** bfloat16 [2^22], normal with deviation 0.02, which is how Llama's weights start. */
function normalPool(): Uint16Array {
  const values = normalValues(1 << 22, 1).map((value) => value * 0.02);
  return Uint16Array.from(new Uint32Array(values.buffer), (bits) => bits >>> 16);
}
