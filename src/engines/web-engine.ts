import type { Env, InferenceSession } from 'onnxruntime-web';
import { AlignError } from '../align/errors.ts';
import { memorySource } from '../convert/byte-source.ts';
import { DecodeLoop, type DecoderConfig } from './decode-loop.ts';
import type { Decoder } from './decoder.ts';
import { type DecoderShape, readDecoderShape } from './decoder-shape.ts';
import { toEngineError } from './engine-error.ts';
import { GpuDecoder } from './gpu-decoder.ts';
import { GpuWatch } from './gpu-watch.ts';
import { ReturnedKvCache } from './kv-cache.ts';
import { nextTask } from './next-task.ts';
import { OrtDecoder } from './ort-decoder.ts';
import { readRowsModel, type RowsModel } from './rows-model.ts';
import { WasmDecoder, type WasmDecoderOptions } from './wasm-decoder.ts';

export interface WebEngineOptions {
  device: 'wasm' | 'webgpu';
  graph: WebFile;
  /** Named as the graph calls them. */
  externalData: readonly WebFile[];
  config: DecoderConfig;
  /** Of wasm. More than one needs a cross-origin isolated page; the first engine on ORT settles it for all on ORT. */
  threads: number;
  /** Where ORT's own files are: by default beside ours, or in its package in Node. */
  ortFiles?: OrtFiles;
  /** Of workers/kernel-thread.worker.ts. */
  createThread?: WasmDecoderOptions['createThread'];
  prefillChunkTokens?: number;
  /** Changes of what is asked of ORT for WebGPU, to measure them. */
  trial?: GpuTrial;
}

export interface GpuTrial {
  provider?: Omit<InferenceSession.WebGpuExecutionProviderOption, 'name' | 'device'>;
  session?: Pick<
    InferenceSession.SessionOptions,
    'enableGraphCapture' | 'enableMemPattern' | 'graphOptimizationLevel' | 'extra' | 'preferredOutputLocation'
  >;
}

export interface WebFile {
  /** Without folders, as in `model_q4.onnx_data`. */
  name: string;
  bytes: Uint8Array;
}

/** ORT's loader and binary of each build, as addresses. */
export type OrtFiles = Record<'wasm' | 'webgpu', NonNullable<Env.WebAssemblyFlags['wasmPaths']>>;

type Ort = Pick<typeof import('onnxruntime-web'), 'InferenceSession' | 'Tensor' | 'env'>;

/** Tokens of a prompt per step, see `Decoder`. */
const PREFILL_CHUNK_TOKENS = { wasm: 64, webgpu: 256 } as const;

/** Of ORT on wasm, as in `NodeDecoderOptions`. */
const MIN_STEP_TOKENS = 2;

/**
 * An engine on onnxruntime-web, or of 8-bit rows on wasm in our own kernels, for a page's worker; wasm runs in Node too.
 *
 * @throws AlignError `webgpu-unavailable`, `out-of-memory`, `device-lost`, `engine-failed`; `weights-corrupt` if the
 *   graph is not a decoder of ours
 */
export async function createWebEngine(options: WebEngineOptions): Promise<DecodeLoop> {
  return new DecodeLoop(await createWebDecoder(options), options.config);
}

/** The engine's decoder alone. @throws as `createWebEngine` */
export async function createWebDecoder(options: WebEngineOptions): Promise<Decoder> {
  try {
    return await (options.device === 'webgpu' ? createGpuDecoder(options) : createWasmDecoder(options));
  } catch (error) {
    throw toEngineError(error, options.device, 'loading the model');
  }
}

// In both, no closure may hold `options`: those that live as long as the engine would keep the weights' bytes with it.

async function createWasmDecoder(options: WebEngineOptions): Promise<Decoder> {
  const { threads, createThread, externalData, graph, prefillChunkTokens = PREFILL_CHUNK_TOKENS.wasm } = options;
  const model = readRowsModel(graph.bytes);
  if (model !== undefined) {
    const files = externalData.map(({ name, bytes }) => ({ name, source: memorySource(name, bytes) }));
    return createRowsDecoder(model, { externalData: files, prefillChunkTokens, threads, createThread });
  }
  // The build without WebGPU: half the size, and it has CPU kernels that the other lacks (GatherBlockQuantized).
  const ort = await import('onnxruntime-web/wasm');
  ort.env.wasm.numThreads = threads;
  const session = await createSession(ort, options, 'wasm');
  return orRelease(session, (shape) => {
    return new OrtDecoder({
      device: 'wasm',
      Tensor: ort.Tensor,
      session,
      shape,
      cache: new ReturnedKvCache(shape, ort.Tensor),
      prefillChunkTokens,
      minStepTokens: MIN_STEP_TOKENS,
      // wasm computes inside `run` and gives way to nothing; a worker's messages, a cancel among them, wait for a task.
      afterStep: nextTask,
    });
  });
}

/**
 * An engine in our kernels for 8-bit rows, whose files are read as it is made: only what it computes with is in memory.
 *
 * @throws as `createWebEngine`; what the files throw
 */
export async function createRowsEngine(
  model: RowsModel,
  { config, ...options }: RowsOptions & { config: DecoderConfig },
): Promise<DecodeLoop> {
  try {
    return new DecodeLoop(await createRowsDecoder(model, options), config);
  } catch (error) {
    // Of the files' storage, or that the load was cancelled.
    if (error instanceof DOMException) throw error;
    throw toEngineError(error, 'wasm', 'loading the model');
  }
}

type RowsOptions = Omit<WasmDecoderOptions, 'model' | 'binaries' | 'prefillChunkTokens'> &
  Pick<WebEngineOptions, 'prefillChunkTokens'>;

async function createRowsDecoder(
  model: RowsModel,
  { prefillChunkTokens = PREFILL_CHUNK_TOKENS.wasm, ...options }: RowsOptions,
): Promise<WasmDecoder> {
  const { KERNELS: binaries } = await import('virtual:wasm-kernels');
  return WasmDecoder.create({ ...options, model, binaries, prefillChunkTokens });
}

async function createGpuDecoder(options: WebEngineOptions): Promise<GpuDecoder> {
  const ort = await import('onnxruntime-web/webgpu');
  // Of the few nodes left to the CPU; more threads would only wait.
  ort.env.wasm.numThreads = 1;
  const { prefillChunkTokens = PREFILL_CHUNK_TOKENS.webgpu } = options;
  const watch = new GpuWatch(await requestDevice());
  try {
    const starting = createSession(ort, options, { name: 'webgpu', device: watch.device, ...options.trial?.provider });
    const session = await watch.guard(() => starting);
    const decoder = await orRelease(session, (shape) =>
      GpuDecoder.create({ Tensor: ort.Tensor, session, shape, watch, prefillChunkTokens }),
    );
    await warmUp(decoder);
    return decoder;
  } catch (error) {
    watch.end();
    throw error;
  }
}

function createSession(
  ort: Ort,
  { device, graph, externalData, ortFiles, trial }: WebEngineOptions,
  provider: InferenceSession.ExecutionProviderConfig,
): Promise<InferenceSession> {
  if (ortFiles !== undefined) ort.env.wasm.wasmPaths = ortFiles[device];
  return ort.InferenceSession.create(graph.bytes, {
    executionProviders: [provider],
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
    externalData: externalData.map(({ name, bytes }) => ({ path: name, data: bytes })),
    ...trial?.session,
  });
}

/**
 * Tokens of the steps that are tried at the load. ORT has other shaders for one row, for a few (2, 4 and 9 were seen to differ)
 * and for many (33); the widest step with drafts has 17, and 256 rows compile nothing that 33 do not.
 */
const WARM_UP_TOKENS = [33, 17, 9, 5, 3, 2, 1];

/** Compiles the shaders of steps of all kinds now, not in the first request, and shows that they run. */
async function warmUp(decoder: GpuDecoder): Promise<void> {
  decoder.reserve(
    WARM_UP_TOKENS.reduce((sum, tokens) => sum + tokens + 1, 0),
    0,
  );
  let pastTokens = 0;
  for (const tokens of WARM_UP_TOKENS) {
    // The first as the end of a prompt, the others as one token and those drafted after it.
    const rows = tokens === WARM_UP_TOKENS[0] ? 1 : tokens;
    await decoder.step(new Int32Array(tokens), pastTokens, rows, { type: 'largest' });
    pastTokens += tokens;
  }
  await decoder.follow(pastTokens);
}

async function orRelease<Made extends Decoder>(
  session: InferenceSession,
  use: (shape: DecoderShape) => Made | Promise<Made>,
): Promise<Made> {
  try {
    return await use(readDecoderShape(session));
  } catch (error) {
    await session.release();
    throw error;
  }
}

/** A device of this engine alone: its loss or end touches no other, and ending it frees all of its memory. */
export async function requestDevice(): Promise<GPUDevice> {
  const adapter = await (navigator as Partial<Navigator>).gpu?.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === undefined || adapter === null) {
    throw new AlignError('webgpu-unavailable', 'There is no WebGPU adapter here.');
  }
  return adapter.requestDevice({
    requiredFeatures: GPU_FEATURES.filter((feature) => adapter.features.has(feature) && isSound(feature, adapter.info)),
    requiredLimits: Object.fromEntries(GPU_LIMITS.map((limit) => [limit, adapter.limits[limit]])),
  });
}

/**
 * ORT's attention over several tokens goes wrong in subgroups of 8 lanes or fewer: other text, and no error. With 4 it reads what
 * nobody wrote; with 8 (lavapipe) scores of 40 tokens were 0.5 off, and 2e-6 without the feature. Then ORT takes a kernel that
 * needs none. A GPU that may choose 8 for a shader, as some of Intel's, counts among them until one was at hand.
 *
 * @see onnxruntime/contrib_ops/webgpu/bert/flash_attention.wgsl.template (`sg_size > 8`, else eight keys a step)
 */
function isSound(feature: GPUFeatureName, info: GPUAdapterInfo): boolean {
  return feature !== 'subgroups' || ((info as Partial<GPUAdapterInfo>).subgroupMinSize ?? 0) > 8;
}

/**
 * What ORT asks for when it makes a device of its own.
 *
 * @see onnxruntime/core/providers/webgpu/webgpu_context.cc, GetAvailableRequiredFeatures and GetRequiredLimits
 */
const GPU_FEATURES: readonly GPUFeatureName[] = ['shader-f16', 'subgroups'];
const GPU_LIMITS = [
  'maxBindGroups',
  'maxBufferSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
] as const satisfies readonly (keyof GPUSupportedLimits)[];
