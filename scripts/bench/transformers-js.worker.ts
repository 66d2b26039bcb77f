import { expose } from 'comlink';
import { env } from '@huggingface/transformers';
import { ORT_FILES } from '../../src/engines/ort-files.ts';
import type { Runner } from './measurement.ts';
import type { BenchWorker } from './ours.worker.ts';
import { transformersJsRunner } from './transformers-js-runner.ts';

let runner: Runner;
expose({
  async load({ modelUrl, variant, threads, device }) {
    const [, parent = '', name = ''] = /^(.*\/)([^/]+)\/$/.exec(modelUrl) ?? [];
    env.allowRemoteModels = false;
    env.allowLocalModels = true;
    env.localModelPath = parent;
    env.useBrowserCache = false;
    const { wasm } = env.backends.onnx;
    // It always uses the build with WebGPU.
    Object.assign(wasm ?? {}, { wasmPaths: ORT_FILES.webgpu, numThreads: threads, proxy: false });
    runner = await transformersJsRunner(name, variant, device, threads);
  },
  generate: (generation) => runner.generate(generation),
} satisfies BenchWorker);
