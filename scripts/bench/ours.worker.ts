import { expose } from 'comlink';
import type { Variant } from '../../src/align/variant.ts';
import { readAll } from '../../src/convert/byte-source.ts';
import type { DecoderConfig } from '../../src/engines/decode-loop.ts';
import { draftTrust } from '../../src/engines/drafter.ts';
import { loadModel } from '../../src/engines/load-model.ts';
import { ORT_FILES } from '../../src/engines/ort-files.ts';
import { createWebDecoder } from '../../src/engines/web-engine.ts';
import { httpFolder } from '../../src/weights/http-folder.ts';
import type { Generation, Measurement, Runner } from './measurement.ts';
import { ourRunner } from './our-runner.ts';

export interface BenchWorkerOptions {
  /** Address of the folder, ends in `/`; of a GGUF file. */
  modelUrl: string;
  variant: Variant;
  threads: number;
  device: 'wasm' | 'webgpu';
}

export interface BenchWorker {
  load(options: BenchWorkerOptions): Promise<void>;
  generate(generation: Generation): Promise<Measurement>;
}

const createThread = () =>
  new Worker(new URL('../../workers/kernel-thread.worker.ts', import.meta.url), { type: 'module' });

let runner: Runner;
expose({
  async load({ modelUrl, variant, threads, device }) {
    await loadModel(httpFolder(modelUrl, { signal: new AbortController().signal }), {
      support: {
        devices: [device],
        webgpu: { available: device === 'webgpu', hasShaderF16: true, isSoftware: false, reason: undefined },
      },
      wish: { device, variant },
      async startEngine({ config, files, signal }) {
        const read = files.map(async ({ path, source }) => ({
          name: path.slice(path.lastIndexOf('/') + 1),
          bytes: await readAll(source, { signal }),
        }));
        const [graph, ...externalData] = await Promise.all(read);
        const ourConfig: DecoderConfig = { ...config, ...draftTrust(variant, device) };
        const options = { device, graph: graph!, externalData, config: ourConfig, threads } as const;
        const ours = ourRunner(await createWebDecoder({ ...options, ortFiles: ORT_FILES, createThread }), ourConfig);
        runner = ours;
        return ours.engine;
      },
    });
  },
  generate: (generation) => runner.generate(generation),
} satisfies BenchWorker);
