import { expose } from 'comlink';
import { GREEDY } from '../../src/align/request.ts';
import type { Variant } from '../../src/align/variant.ts';
import { readAll } from '../../src/convert/byte-source.ts';
import { DecodeLoop } from '../../src/engines/decode-loop.ts';
import type { Decoder } from '../../src/engines/decoder.ts';
import { countGpuCalls, type GpuCounts, takeGpuCounts } from '../../src/engines/gpu-counts.fixture.ts';
import { loadModel } from '../../src/engines/load-model.ts';
import { ORT_FILES } from '../../src/engines/ort-files.ts';
import { createWebDecoder, type GpuTrial } from '../../src/engines/web-engine.ts';
import { httpFolder } from '../../src/weights/http-folder.ts';

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
  async measure({ modelUrl, variant, promptIds, newTokens, trial, reading }: TrialOptions): Promise<TrialResult> {
    const { signal } = new AbortController();
    let loadingMs = performance.now();
    const { model } = await loadModel(httpFolder(modelUrl, { signal }), {
      support: {
        devices: ['webgpu'],
        webgpu: { available: true, hasShaderF16: true, isSoftware: false, reason: undefined },
      },
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
