import type { Engine } from '../../src/align/engine.ts';
import type { ChatTokenizer } from '../../src/align/tokenizer.ts';
import type { Variant } from '../../src/align/variant.ts';
import { readAll } from '../../src/convert/byte-source.ts';
import type { DecoderConfig } from '../../src/engines/decode-loop.ts';
import type { Decoder } from '../../src/engines/decoder.ts';
import { loadModel } from '../../src/engines/load-model.ts';
import { ORT_FILES } from '../../src/engines/ort-files.ts';
import { createWebDecoder, type GpuTrial } from '../../src/engines/web-engine.ts';
import { httpFolder } from '../../src/weights/http-folder.ts';
import { withAccuracyLevel } from './accuracy-level.ts';

export interface LoadTrialOptions {
  /** Address of the folder, ends in `/`. */
  modelUrl: string;
  variant: Variant;
  trial: GpuTrial;
  /** Of the quantized products, in place of the graph's. */
  accuracyLevel?: number;
}

/** A folder's model on WebGPU. @param onRead  called when its files are in memory, before ORT starts */
export async function loadTrial(
  { modelUrl, variant, trial, accuracyLevel }: LoadTrialOptions,
  engineOf: (decoder: Decoder, config: DecoderConfig) => Engine,
  onRead: () => void = () => {},
): Promise<{ tokenizer: ChatTokenizer; engine: Engine }> {
  const { signal } = new AbortController();
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
      if (accuracyLevel !== undefined) graph!.bytes = withAccuracyLevel(graph!.bytes, accuracyLevel);
      onRead();
      const options = { device: 'webgpu', config, threads: 1, ortFiles: ORT_FILES, trial } as const;
      return engineOf(await createWebDecoder({ ...options, graph: graph!, externalData }), config);
    },
  });
  return model;
}
