import { expose } from 'comlink';
import { GREEDY } from '../../src/align/request.ts';
import type { Variant } from '../../src/align/variant.ts';
import { DecodeLoop } from '../../src/engines/decode-loop.ts';
import type { Decoder } from '../../src/engines/decoder.ts';
import { countGpuCalls, type GpuCounts, takeGpuCounts } from '../../src/engines/gpu-counts.fixture.ts';
import type { GpuTrial } from '../../src/engines/web-engine.ts';
import { loadTrial } from './load-trial.ts';
import { measureSteps } from './steps.ts';

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

countGpuCalls();

const worker = {
  steps: measureSteps,

  async measure({ modelUrl, variant, promptIds, newTokens, trial, reading }: TrialOptions): Promise<TrialResult> {
    const { signal } = new AbortController();
    let loadingMs = 0;
    const model = await loadTrial(
      { modelUrl, variant, trial },
      (decoder, config) => new DecodeLoop(asked(decoder, reading), { ...config, eosTokenIds: [], mayDraft: false }),
      () => {
        loadingMs = performance.now();
        takeGpuCounts();
      },
    );
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
};

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
