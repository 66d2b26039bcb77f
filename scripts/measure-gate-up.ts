/**
 * Whether gate and up are faster as one product of twice the rows, parted after it, than as two products: blocks of a Llama's MLP
 * with random weights, q4 on Node's CPU. Least of the repetitions, in ms of a block; what a product takes depends on its size alone.
 *
 * Usage: npm run measure:gate-up -- [--hidden 2048] [--intermediate 5632] [--blocks 6] [--threads 2] [--repetitions 15]
 */
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { GraphBuilder, placeData } from '../src/convert/onnx/graph-builder.ts';
import { declareConstants } from '../src/convert/onnx/graph-constants.ts';
import type { PlannedWeight } from '../src/convert/onnx/llama-plan.ts';
import { applyLinear, declareWeight, VARIANT_FORMATS } from '../src/convert/onnx/weight-format.ts';

const { values } = parseArgs({
  options: {
    hidden: { type: 'string', default: '2048' },
    intermediate: { type: 'string', default: '5632' },
    blocks: { type: 'string', default: '6' },
    threads: { type: 'string', default: '2' },
    repetitions: { type: 'string', default: '15' },
  },
});
const counts = [values.hidden, values.intermediate, values.blocks, values.threads, values.repetitions].map(Number);
if (!counts.every((count) => Number.isInteger(count) && count > 0)) {
  console.error('Usage: npm run measure:gate-up -- [--hidden N] [--intermediate N] [--blocks N] [--threads N]');
  process.exit(2);
}
const [hidden, intermediate, blocks, threads, repetitions] = counts as [number, number, number, number, number];
const TOKENS = [1, 2, 5, 17];
const DATA_FILE = 'weights';

/** Each block has its own weights, more of them than a cache holds, as a model's layers have. */
function buildBlocks(isFused: boolean): { graph: Uint8Array; dataBytes: number } {
  const format = VARIANT_FORMATS.q4;
  const graph = new GraphBuilder();
  declareConstants(graph);
  const ends = new BigInt64Array([0n, BigInt(intermediate), BigInt(2 * intermediate)]);
  const at = (i: number) => graph.constant(`end.${i}`, 'int64', [1], new Uint8Array(ends.slice(i, i + 1).buffer));
  const [start, middle, end] = [at(0), at(1), at(2)];
  const input = graph.input('input', 'float32', [1, 'tokens', hidden]);
  const quantized: Parameters<typeof applyLinear>[4] = new Map();
  for (let block = 0; block < blocks; block++) {
    const name = (part: string) => `${part}.${block}`;
    const product = (part: string, rows: number) => {
      const weight: PlannedWeight = { name: name(part), kind: 'linear', sources: [], rows, columns: hidden };
      declareWeight(graph, weight, format);
      return applyLinear(graph, input, weight, format, quantized);
    };
    const whole = isFused ? product('gate_up', 2 * intermediate) : undefined;
    const part = (from: string, to: string, as: string) =>
      graph.node('Slice', [whole ?? '', from, to, 'int64_last_axis'], [name(as)]);
    const gate = whole === undefined ? product('gate', intermediate) : part(start, middle, 'gate');
    const up = whole === undefined ? product('up', intermediate) : part(middle, end, 'up');
    const sigmoid = graph.node('Sigmoid', [gate], [name('sigmoid')]);
    const activated = graph.node('Mul', [gate, sigmoid], [name('silu')]);
    graph.node('Mul', [activated, up], [name('mlp')]);
    graph.output(name('mlp'), 'float32', [1, 'tokens', intermediate]);
  }
  const placements = placeData(graph.external);
  const last = graph.external.at(-1)!;
  const dataBytes = placements.at(-1)!.offset + last.sizeBytes;
  return { graph: graph.finish('blocks', placements, [DATA_FILE]), dataBytes };
}

async function open(isFused: boolean) {
  const { graph, dataBytes } = buildBlocks(isFused);
  const session = await InferenceSession.create(graph, {
    executionProviders: ['cpu'],
    logSeverityLevel: 3,
    // Bytes of no sense: small integers, and scales that are tiny.
    externalData: [{ path: DATA_FILE, data: new Uint8Array(dataBytes).fill(17) }],
    intraOpNumThreads: threads,
  });
  return async (tokens: number) => {
    const data = Float32Array.from({ length: tokens * hidden }, (_, i) => Math.sin(i));
    const input = new Tensor('float32', data, [1, tokens, hidden]);
    const startMs = performance.now();
    await session.run({ input });
    return (performance.now() - startMs) / blocks;
  };
}

console.log(`| gate and up | ${TOKENS.map((tokens) => `${tokens} tokens`).join(' | ')} |`);
console.log(`| --- | ${TOKENS.map(() => '---: |').join(' ')}`);
const runs = [await open(false), await open(true)];
const least = runs.map(() => TOKENS.map(() => Infinity));
// In turns: a busy machine slows both.
for (let i = 0; i <= repetitions; i++) {
  for (const [side, run] of runs.entries()) {
    for (const [j, tokens] of TOKENS.entries()) {
      const ms = await run(tokens);
      if (i > 0) least[side]![j] = Math.min(least[side]![j]!, ms);
    }
  }
}
for (const [side, name] of ['two products', 'one, parted'].entries()) {
  console.log(`| ${name} | ${least[side]!.map((ms) => ms.toFixed(2)).join(' | ')} |`);
}
console.log(`\n${hidden} to twice ${intermediate}, q4, ${threads} threads, load ${loadavg()[0]?.toFixed(1)}`);
process.exit(0);
