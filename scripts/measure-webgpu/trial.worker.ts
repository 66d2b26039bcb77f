import { expose } from 'comlink';
import { GREEDY } from '../../src/align/request.ts';
import type { Variant } from '../../src/align/variant.ts';
import { readAll } from '../../src/convert/byte-source.ts';
import { DecodeLoop } from '../../src/engines/decode-loop.ts';
import type { Decoder } from '../../src/engines/decoder.ts';
import { countGpuCalls, type GpuCounts, takeGpuCounts } from '../../src/engines/gpu-counts.fixture.ts';
import { loadModel } from '../../src/engines/load-model.ts';
import { ORT_FILES } from '../../src/engines/ort-files.ts';
import { argmax } from '../../src/engines/sampling.ts';
import { lead } from '../../src/engines/scores.ts';
import { createWebDecoder, type GpuTrial } from '../../src/engines/web-engine.ts';
import { httpFolder } from '../../src/weights/http-folder.ts';
import { withAccuracyLevel } from './accuracy-level.ts';

export interface TrialOptions {
  /** Address of the folder, ends in `/`. */
  modelUrl: string;
  variant: Variant;
  promptIds: readonly number[];
  newTokens: number;
  trial: GpuTrial;
  /** How the loop asks for the scores; all that it can by default. */
  reading?: 'all' | 'largest';
}

export interface TrialResult {
  tokenIds: number[];
  loading: GpuCounts & { ms: number };
  prefill: GpuCounts & { ms: number };
  /** Per token after the first. */
  step: GpuCounts & { ms: number };
}

export interface StepsOptions extends Pick<TrialOptions, 'modelUrl' | 'variant' | 'trial'> {
  /** Of the quantized products, in place of the graph's. */
  accuracyLevel?: number;
  /** Read at once to time them, and to compare their scores with those of one token at a time. */
  sizes: readonly number[];
  pastTokens: number;
  repetitions: number;
  /** What is read; the model's own tokens of it. */
  text: string;
}

export interface StepsResult {
  /** Least, by size. With the largest score of each read back, as greedy texts need it; of one, a step ahead. */
  ms: Record<string, number>;
  prefillMs: number;
  /** By size. */
  compared: Record<string, Comparison>;
}

/** The scores of several tokens at once beside those of one at a time. */
export interface Comparison {
  positions: number;
  /** Largest difference of a score. */
  farthest: number;
  /** Positions at which another token has the largest score, and the largest lead that it has at one of them. */
  flips: number;
  flipLead: number;
  /** Share of positions whose largest score leads by no more than 0.25, 0.5, 1 and 2. */
  close: number[];
}

countGpuCalls();

const worker = {
  async measure({ modelUrl, variant, promptIds, newTokens, trial, reading }: TrialOptions): Promise<TrialResult> {
    const { signal } = new AbortController();
    let loadingMs = performance.now();
    const { model } = await loadModel(httpFolder(modelUrl, { signal }), {
      support: SUPPORT,
      wish: { device: 'webgpu', variant },
      async startEngine({ files, config }) {
        const webFiles: { name: string; bytes: Uint8Array }[] = [];
        for (const { path, source } of files) {
          const bytes = await readAll(source, { signal });
          webFiles.push({ name: path.slice(path.lastIndexOf('/') + 1), bytes });
        }
        const [graph, ...externalData] = webFiles;
        loadingMs = performance.now();
        takeGpuCounts();
        const decoder = await createWebDecoder({
          device: 'webgpu',
          graph: graph!,
          externalData,
          config,
          threads: 1,
          ortFiles: ORT_FILES,
          trial,
        });
        return new DecodeLoop(asked(decoder, reading), { ...config, eosTokenIds: [], mayDraft: false });
      },
    });
    loadingMs = performance.now() - loadingMs;
    const loading = { ...takeGpuCounts(), ms: loadingMs };

    const tokenIds: number[] = [];
    let prefill = loading;
    let startMs = performance.now();
    const options = { ...GREEDY, maxNewTokens: newTokens };
    for await (const step of model.engine.generate(Int32Array.from(promptIds), options, signal)) {
      if (tokenIds.length === 0) {
        prefill = { ...takeGpuCounts(), ms: performance.now() - startMs };
        startMs = performance.now();
      }
      tokenIds.push(...step);
    }
    const total = { ...takeGpuCounts(), ms: performance.now() - startMs };
    const step = Object.fromEntries(Object.entries(total).map(([name, value]) => [name, value / (newTokens - 1)]));
    await model.engine.dispose();
    return { tokenIds, loading, prefill, step: step as unknown as TrialResult['step'] };
  },

  async steps({ modelUrl, variant, accuracyLevel, sizes, pastTokens, repetitions, text, trial }: StepsOptions) {
    const { signal } = new AbortController();
    let decoder: Decoder | undefined;
    const { model } = await loadModel(httpFolder(modelUrl, { signal }), {
      support: SUPPORT,
      wish: { device: 'webgpu', variant },
      async startEngine({ files, config }) {
        const webFiles: { name: string; bytes: Uint8Array }[] = [];
        for (const { path, source } of files) {
          const bytes = await readAll(source, { signal });
          webFiles.push({ name: path.slice(path.lastIndexOf('/') + 1), bytes });
        }
        const [graph, ...externalData] = webFiles;
        if (accuracyLevel !== undefined) graph!.bytes = withAccuracyLevel(graph!.bytes, accuracyLevel);
        const options = { device: 'webgpu', config, threads: 1, ortFiles: ORT_FILES, trial } as const;
        decoder = await createWebDecoder({ ...options, graph: graph!, externalData });
        return new DecodeLoop(decoder, config);
      },
    });
    const ids = model.tokenizer.encode(text);
    const most = Math.max(...sizes);
    const total = pastTokens + POSITIONS + most;
    if (ids.length < total) throw new Error(`The text has ${ids.length} tokens; ${total} are needed.`);
    const result: StepsResult = { ms: {}, prefillMs: 0, compared: {} };
    const read = async () => {
      decoder!.reserve(total, 0);
      await decoder!.step(ids.subarray(0, pastTokens), 0, 1, { type: 'largest' });
    };
    result.prefillMs = await leastMs(repetitions, read);
    for (const size of sizes) {
      const chunk = ids.subarray(pastTokens, pastTokens + size);
      result.ms[size] = await leastMs(repetitions, () => decoder!.step(chunk, pastTokens, size, { type: 'largest' }));
      if (size > 1) {
        result.ms[`${size}, two`] = await leastMs(repetitions, () =>
          decoder!.step(chunk, pastTokens, size, { type: 'top', count: 2 }),
        );
      }
    }
    result.ms['1 ahead'] = await aheadMs(decoder!, ids, pastTokens);
    const alone: Float32Array[] = [];
    for (let at = pastTokens; at < pastTokens + POSITIONS; at++) {
      alone.push(...(await allOf(decoder!, ids.subarray(at, at + 1), at)));
    }
    for (const size of sizes) {
      if (size === 1) continue;
      // The cache before each group is that of single tokens for the first alone, as in a text that is drafted throughout.
      const together: Float32Array[] = [];
      for (let at = pastTokens; at + size <= pastTokens + POSITIONS; at += size) {
        together.push(...(await allOf(decoder!, ids.subarray(at, at + size), at)));
      }
      result.compared[size] = compare(alone, together);
    }
    await model.engine.dispose();
    return result;
  },
};

const POSITIONS = 128;
const SUPPORT = {
  devices: ['webgpu'],
  webgpu: { available: true, hasShaderF16: true, isSoftware: false, reason: undefined },
} as const;

async function leastMs(repetitions: number, run: () => Promise<unknown>): Promise<number> {
  let least = Infinity;
  for (let i = 0; i <= repetitions; i++) {
    const startMs = performance.now();
    await run();
    if (i > 0) least = Math.min(least, performance.now() - startMs);
  }
  return least;
}

/** Of a step that is sent before the token of the one before it is known. */
async function aheadMs(decoder: Decoder, ids: Int32Array, pastTokens: number): Promise<number> {
  const steps = POSITIONS / 2;
  let next = decoder.step(ids.subarray(pastTokens, pastTokens + 1), pastTokens, 1, { type: 'largest' });
  await next;
  const startMs = performance.now();
  for (let i = 1; i <= steps; i++) {
    const following = decoder.follow!(pastTokens + i);
    await next;
    next = following;
  }
  await next;
  return (performance.now() - startMs) / steps;
}

async function allOf(decoder: Decoder, ids: Int32Array, pastTokens: number): Promise<Float32Array[]> {
  const rows = await decoder.step(ids, pastTokens, ids.length, { type: 'all' });
  return rows.flatMap((row) => (row.type === 'all' ? [row.logits.slice()] : []));
}

function compare(alone: readonly Float32Array[], together: readonly Float32Array[]): Comparison {
  let [farthest, flips, flipLead] = [0, 0, 0];
  const leads: number[] = [];
  for (const [i, logits] of together.entries()) {
    const expected = alone[i]!;
    logits.forEach((value, id) => (farthest = Math.max(farthest, Math.abs(value - (expected[id] ?? NaN)))));
    const ahead = lead({ type: 'all', logits });
    leads.push(ahead);
    if (argmax(logits) === argmax(expected)) continue;
    flips += 1;
    flipLead = Math.max(flipLead, ahead);
  }
  const close = [0.25, 0.5, 1, 2].map((margin) => leads.filter((each) => each <= margin).length / leads.length);
  return { positions: together.length, farthest, flips, flipLead, close };
}

function asked(decoder: Decoder, reading: TrialOptions['reading']): Decoder {
  if (reading === undefined) return decoder;
  return {
    device: decoder.device,
    prefillChunkTokens: decoder.prefillChunkTokens,
    reserve: (...given) => decoder.reserve(...given),
    step: (ids, past, rows) => decoder.step(ids, past, rows, { type: reading }),
    dispose: () => decoder.dispose(),
  };
}

export type TrialWorker = typeof worker;
expose(worker);
