import { expose } from 'comlink';
import { env } from '@huggingface/transformers';
import { ORT_FILES } from '../../src/engines/ort-files.ts';
import { transformersJsRunner } from '../bench/transformers-js-runner.ts';
import type { WarmStartWorker } from './ours.worker.ts';

expose({
  async start({ key, modelUrl, threads, promptIds }) {
    const { origin, pathname } = new URL(modelUrl);
    // As from a hub: only such files go to the Cache API.
    env.allowLocalModels = false;
    env.remoteHost = `${origin}/`;
    env.remotePathTemplate = '{model}/';
    env.useBrowserCache = true;
    // It always uses the build with WebGPU.
    Object.assign(env.backends.onnx.wasm ?? {}, { wasmPaths: ORT_FILES.webgpu, numThreads: threads, proxy: false });
    const startMs = performance.now();
    const runner = await transformersJsRunner(pathname.slice(1, -1), key.variant, 'wasm', threads);
    await runner.generate({ promptIds, newTokens: 1 });
    return performance.now() - startMs;
  },
} satisfies WarmStartWorker);
