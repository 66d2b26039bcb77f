import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { env, InferenceSession } from 'onnxruntime-node';
import type { Engine } from '../align/engine.ts';
import { BatchLoop } from './batch-loop.ts';
import { DecodeLoop, type DecoderConfig } from './decode-loop.ts';
import { readDecoderShape } from './decoder-shape.ts';
import { draftTrust } from './drafter.ts';
import { toEngineError } from './engine-error.ts';
import type { EngineStart, StartEngine } from './load-model.ts';
import type { OnnxDevice } from './node-device.ts';
import { addNewCacheRows, NEW_POSITIONS } from './new-cache-rows.ts';
import { NodeDecoder } from './node-decoder.ts';

export interface NodeEngineOptions {
  /** The graph on disk; ORT maps the external data beside it into memory by itself. */
  graphPath: string;
  config: DecoderConfig;
  /** The CPU by default. */
  device?: OnnxDevice;
  /** Of the CPU. Without it ORT takes one per physical core. */
  threads?: number;
  prefillChunkTokens?: number;
  /** As in `NodeDecoderOptions`; 1 by default. */
  minStepTokens?: number;
  /** Generations at a time; they share each step. 1 by default. */
  concurrency?: number;
}

/** Of onnxruntime-node. */
export const RUNTIME_VERSION: string = env.versions.node ?? 'unknown';

/** Measured: the speed of a chunk grows up to about this size. */
const PREFILL_CHUNK_TOKENS = 128;

/**
 * An engine on one of onnxruntime-node's providers.
 *
 * @throws AlignError `out-of-memory`, `engine-failed`; `weights-corrupt` if the graph is not a decoder of ours
 */
export async function createNodeEngine(options: NodeEngineOptions): Promise<Engine> {
  const decoder = await createNodeDecoder(options);
  return decoder.slotCount === 1 ? new DecodeLoop(decoder, options.config) : new BatchLoop(decoder, options.config);
}

/** The engine's decoder alone. @throws as `createNodeEngine` */
export async function createNodeDecoder({
  graphPath,
  device = 'cpu',
  threads,
  prefillChunkTokens = PREFILL_CHUNK_TOKENS,
  concurrency = 1,
  minStepTokens = 1,
}: Omit<NodeEngineOptions, 'config'>): Promise<NodeDecoder> {
  let session: InferenceSession;
  try {
    session = await InferenceSession.create(addNewCacheRows(await readFile(graphPath)), {
      executionProviders: [device],
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
      // Given bytes, ORT does not know where the external data are.
      extra: { session: { model_external_initializers_file_folder_path: dirname(graphPath) } },
      ...(threads !== undefined && { intraOpNumThreads: threads }),
    });
  } catch (error) {
    throw toEngineError(error, device, 'loading the model');
  }
  try {
    const shape = readDecoderShape({
      inputMetadata: session.inputMetadata.filter(({ name }) => name !== NEW_POSITIONS),
      outputMetadata: session.outputMetadata,
    });
    return new NodeDecoder({ device, session, shape, prefillChunkTokens, minStepTokens, slotCount: concurrency });
  } catch (error) {
    await session.release();
    throw error;
  }
}

type FolderOptions = { directory: string } & Pick<NodeEngineOptions, 'device' | 'threads' | 'concurrency'>;

/** For `loadModel`, on a folder on disk. */
export function startNodeEngine(options: FolderOptions): StartEngine {
  return async (start) => {
    const engineOptions = nodeEngineOptions(options, start);
    const totalBytes = start.files.reduce((sum, { source }) => sum + source.sizeBytes, 0);
    start.onProgress({ phase: 'starting', file: start.files[0]?.path ?? '', loadedBytes: totalBytes, totalBytes });
    return createNodeEngine(engineOptions);
  };
}

/** How an engine of a folder's variant is made. */
export function nodeEngineOptions(
  { directory, ...options }: FolderOptions,
  { choice, files: [graph], config }: Pick<EngineStart, 'choice' | 'files' | 'config'>,
): NodeEngineOptions {
  if (graph === undefined) throw new Error('A variant without files; this is a bug.');
  const { device = 'cpu' } = options;
  return {
    ...options,
    graphPath: join(directory, ...graph.path.split('/')),
    config: { ...config, ...draftTrust(choice.variant, device) },
    minStepTokens: device !== 'cpu' || choice.variant === 'fp32' || choice.variant === 'fp16' ? 1 : 2,
  };
}
