import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { DecodeLoop, type DecoderConfig } from './decode-loop.ts';
import { readDecoderShape } from './decoder-shape.ts';
import { toEngineError } from './engine-error.ts';
import { GrowingKvCache } from './kv-cache.ts';
import type { StartEngine } from './load-model.ts';
import { OrtDecoder } from './ort-decoder.ts';

export interface NodeEngineOptions {
  /** The graph on disk; ORT maps the external data beside it into memory by itself. */
  graphPath: string;
  config: DecoderConfig;
  /** Without it ORT takes one per physical core. */
  threads?: number;
  prefillChunkTokens?: number;
}

/** Measured: the speed of a chunk grows up to about this size. */
const PREFILL_CHUNK_TOKENS = 128;

/**
 * An engine on onnxruntime-node's CPU provider.
 *
 * @throws AlignError `out-of-memory`, `engine-failed`; `weights-corrupt` if the graph is not a decoder of ours
 */
export async function createNodeEngine(options: NodeEngineOptions): Promise<DecodeLoop> {
  const { graphPath, config, threads, prefillChunkTokens = PREFILL_CHUNK_TOKENS } = options;
  let session: InferenceSession;
  try {
    session = await InferenceSession.create(graphPath, {
      executionProviders: ['cpu'],
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
      ...(threads !== undefined && { intraOpNumThreads: threads }),
    });
  } catch (error) {
    throw toEngineError(error, 'cpu', 'loading the model');
  }
  try {
    const shape = readDecoderShape(session);
    const decoder = new OrtDecoder({
      device: 'cpu',
      Tensor,
      session,
      shape,
      cache: new GrowingKvCache(shape, Tensor),
      prefillChunkTokens,
      writesIntoOutputs: true,
    });
    return new DecodeLoop(decoder, config);
  } catch (error) {
    await session.release();
    throw error;
  }
}

/** For `loadModel`, on a folder on disk. */
export function startNodeEngine(options: { directory: string; threads?: number }): StartEngine {
  const { directory, ...engineOptions } = options;
  return async ({ files, config, onProgress }) => {
    const [graph] = files;
    if (graph === undefined) throw new Error('A variant without files; this is a bug.');
    const totalBytes = files.reduce((sum, { source }) => sum + source.sizeBytes, 0);
    onProgress({ phase: 'starting', file: graph.path, loadedBytes: totalBytes, totalBytes });
    return createNodeEngine({ ...engineOptions, graphPath: join(directory, ...graph.path.split('/')), config });
  };
}
