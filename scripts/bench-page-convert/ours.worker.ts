import { expose } from 'comlink';
import { loadModel } from '../../src/engines/load-model.ts';
import { ORT_FILES } from '../../src/engines/ort-files.ts';
import { startWebEngine } from '../../src/engines/start-web-engine.ts';
import { WeightCache } from '../../src/weights/weight-cache.ts';
import type { StoredModelKey } from '../../workers/weights-protocol.ts';
import { measure } from '../bench/our-runner.ts';

export interface WarmStartOptions {
  /** In IndexedDB. */
  key: StoredModelKey;
  /** Address of the same model's folder, ends in `/`; transformers.js has its files in the Cache API. */
  modelUrl: string;
  threads: number;
  promptIds: readonly number[];
}

export interface WarmStartWorker {
  /** @returns milliseconds from nothing to the first token */
  start(options: WarmStartOptions): Promise<number>;
}

const createThread = () =>
  new Worker(new URL('../../workers/kernel-thread.worker.ts', import.meta.url), { type: 'module' });

expose({
  async start({ key, threads, promptIds }) {
    const startMs = performance.now();
    const cache = await WeightCache.open();
    const { model } = await loadModel(cache.folder(key), {
      support: {
        devices: ['wasm'],
        webgpu: { available: false, hasShaderF16: false, isSoftware: false, reason: undefined },
      },
      wish: { device: 'wasm', variant: key.variant },
      startEngine: startWebEngine({ threads, ortFiles: ORT_FILES, createThread }),
    });
    await measure(model.engine, Int32Array.from(promptIds), { newTokens: 1 });
    return performance.now() - startMs;
  },
} satisfies WarmStartWorker);
