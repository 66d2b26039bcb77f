import { expose } from 'comlink';
import type { Variant } from '../../src/align/variant.ts';
import { loadModel } from '../../src/engines/load-model.ts';
import { ORT_FILES } from '../../src/engines/ort-files.ts';
import { startWebEngine } from '../../src/engines/start-web-engine.ts';
import { httpFolder } from '../../src/weights/http-folder.ts';
import type { Measurement, Runner } from './measurement.ts';
import { ourRunner } from './runners.ts';

export interface BenchWorkerOptions {
  /** Address of the folder, ends in `/`. */
  modelUrl: string;
  variant: Variant;
  threads: number;
}

export interface BenchWorker {
  load(options: BenchWorkerOptions): Promise<void>;
  generate(promptIds: readonly number[], newTokens: number, isAgain?: boolean): Promise<Measurement>;
}

let runner: Runner;
expose({
  async load({ modelUrl, variant, threads }) {
    const { model } = await loadModel(httpFolder(modelUrl, { signal: new AbortController().signal }), {
      support: {
        devices: ['wasm'],
        webgpu: { available: false, hasShaderF16: false, isSoftware: false, reason: undefined },
      },
      wish: { device: 'wasm', variant },
      startEngine: startWebEngine({ threads, ortFiles: ORT_FILES }),
    });
    runner = ourRunner(model.engine);
  },
  generate: (...given) => runner.generate(...given),
} satisfies BenchWorker);
