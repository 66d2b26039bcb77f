import { readAll } from '../convert/byte-source.ts';
import { toEngineError } from './engine-error.ts';
import type { StartClassifierSession } from './load-classifier.ts';
import type { OrtFiles } from './web-engine.ts';

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
      const ort = await (device === 'webgpu' ? import('onnxruntime-web/webgpu') : import('onnxruntime-web/wasm'));
      ort.env.wasm.numThreads = device === 'webgpu' ? 1 : threads;
      if (ortFiles !== undefined) ort.env.wasm.wasmPaths = ortFiles[device];
      const session = await ort.InferenceSession.create(graph.data, {
        executionProviders: [device],
        graphOptimizationLevel: 'all',
        logSeverityLevel: 3,
        externalData,
      });
      return { session, Tensor: ort.Tensor, device };
    } catch (error) {
      signal?.throwIfAborted();
      throw toEngineError(error, device, 'loading the classifier');
    }
  };
}
