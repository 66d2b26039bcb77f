import type { InferenceSession } from 'onnxruntime-web';
import { readAll } from '../convert/byte-source.ts';
import type { ClassifierParts } from './classifier.ts';
import { toEngineError } from './engine-error.ts';
import { GpuWatch } from './gpu-watch.ts';
import type { StartClassifierSession } from './load-classifier.ts';
import { type OrtFiles, requestDevice } from './web-engine.ts';

export interface WebSessionOptions {
  device: 'wasm' | 'webgpu';
  /** Of wasm. More than one needs a cross-origin isolated page. */
  threads: number;
  /** Where ORT's own files are: by default in its package, in Node. */
  ortFiles?: OrtFiles;
  signal?: AbortSignal;
  onProgress?: (loadedBytes: number, totalBytes: number) => void;
}

/**
 * For `loadClassifier` in a page's worker, on onnxruntime-web; wasm runs in Node too.
 *
 * @throws (the start) AlignError `out-of-memory`, `engine-failed`; what the sources throw; the signal's reason
 */
export function startWebSession(options: WebSessionOptions): StartClassifierSession {
  const { device, threads, ortFiles, signal, onProgress } = options;
  return async (files) => {
    const totalBytes = files.reduce((sum, { source }) => sum + source.sizeBytes, 0);
    let readBytes = 0;
    const read: { path: string; data: Uint8Array }[] = [];
    try {
      for (const { path, source } of files) {
        const data = await readAll(source, {
          ...(signal !== undefined && { signal }),
          onProgress: (loadedBytes) => onProgress?.(readBytes + loadedBytes, totalBytes),
        });
        readBytes += source.sizeBytes;
        // The graph names its data without folders.
        read.push({ path: path.slice(path.lastIndexOf('/') + 1), data });
      }
      const [graph, ...externalData] = read;
      if (graph === undefined) throw new Error('A variant without files; this is a bug.');
      const start = device === 'webgpu' ? startOnGpu : startOnWasm;
      return await start({ graph: graph.data, externalData, threads, ortFiles });
    } catch (error) {
      signal?.throwIfAborted();
      throw toEngineError(error, device, 'loading the classifier');
    }
  };
}

interface Start {
  graph: Uint8Array;
  /** Named as the graph calls them. */
  externalData: readonly { path: string; data: Uint8Array }[];
  threads: number;
  ortFiles: OrtFiles | undefined;
}
type Started = Pick<ClassifierParts, 'session' | 'Tensor' | 'device'>;

// In both, no closure may hold the bytes: those that live as long as the session would keep them.

async function startOnWasm({ graph, externalData, threads, ortFiles }: Start): Promise<Started> {
  const ort = await import('onnxruntime-web/wasm');
  ort.env.wasm.numThreads = threads;
  if (ortFiles !== undefined) ort.env.wasm.wasmPaths = ortFiles.wasm;
  const session = await ort.InferenceSession.create(graph, optionsFor('wasm', externalData));
  return { session, Tensor: ort.Tensor, device: 'wasm' };
}

async function startOnGpu({ graph, externalData, ortFiles }: Start): Promise<Started> {
  const ort = await import('onnxruntime-web/webgpu');
  ort.env.wasm.numThreads = 1;
  if (ortFiles !== undefined) ort.env.wasm.wasmPaths = ortFiles.webgpu;
  // Of our own making: with every feature of the adapter, ORT's attention is wrong on some.
  const watch = new GpuWatch(await requestDevice());
  try {
    const { device } = watch;
    const starting = ort.InferenceSession.create(graph, optionsFor({ name: 'webgpu', device }, externalData));
    return watched(await watch.guard(() => starting), ort.Tensor, watch);
  } catch (error) {
    watch.end();
    throw error;
  }
}

function watched(session: InferenceSession, Tensor: ClassifierParts['Tensor'], watch: GpuWatch): Started {
  return {
    session: {
      run: (feeds) => watch.guard(() => session.run(feeds)),
      async release() {
        await session.release();
        watch.end();
      },
    },
    Tensor,
    device: 'webgpu',
  };
}

function optionsFor(
  provider: InferenceSession.ExecutionProviderConfig,
  externalData: Start['externalData'],
): InferenceSession.SessionOptions {
  return {
    executionProviders: [provider],
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
    externalData,
  };
}
