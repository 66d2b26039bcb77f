import { transferHandlers, type TransferHandler } from 'comlink';
import type { AlignEvent } from '../src/align/edit.ts';
import type { Device } from '../src/align/engine.ts';
import { AlignError, type AlignErrorData } from '../src/align/errors.ts';
import type { AlignRequest } from '../src/align/request.ts';
import type { Variant } from '../src/align/variant.ts';

export type RunId = string;

/** Where a converted model's folder is. */
export type ModelLocation =
  /** A folder under this address (ends in `/`), same layout as the converter writes. */
  | { kind: 'url'; baseUrl: string }
  /** A folder that the visitor picked from disk: its files by relative path. */
  | { kind: 'files'; name: string; files: { path: string; blob: Blob }[] }
  /** A model that this browser keeps. */
  | { kind: 'stored'; source: string; variant: Variant };

export interface LoadRequest {
  location: ModelLocation;
  /** `auto`: WebGPU when there is an adapter that can run a variant of the folder, else wasm. */
  device: 'auto' | 'webgpu' | 'wasm';
  variant: 'auto' | Variant;
}

/** What a load reports while it runs. */
export type LoadEvent =
  | { type: 'load-progress'; phase: 'reading' | 'starting'; file: string; loadedBytes: number; totalBytes: number }
  /** A choice that the user should know of, such as "No WebGPU adapter: running on wasm." */
  | { type: 'load-note'; message: string };

export interface LoadedModelInfo {
  device: Device;
  variant: Variant;
  /** Why this device and variant, in one sentence. */
  reason: string;
  contextLength: number;
  vocabularySize: number;
  threads: number;
  sizeBytes: number;
  loadMs: number;
}

/** What a run reports. */
export type RunEvent =
  | AlignEvent
  /** The device went away; the run goes on with this one. `message` says so in one sentence. */
  | {
      type: 'engine-restarted';
      info: LoadedModelInfo;
      message: string;
      /** Of the device, since a run ended well. */
      lossesInARow: number;
    };

/** What a model is asked that is no aligner's request. */
export interface ChatQuestion {
  messages: readonly { role: 'system' | 'user'; content: string }[];
  /** 0 is greedy. */
  temperature: number;
  /** Unsigned 32-bit. */
  seed: number;
  maxNewTokens: number;
}

/** What the machine offers, asked once at start. */
export interface DeviceReport {
  webgpu: {
    available: boolean;
    hasShaderF16: boolean;
    /** The adapter computes on the CPU, slower than wasm: used only when asked for. */
    isSoftware: boolean;
    description: string;
    /** A sentence without its full stop. */
    reason: string | undefined;
  };
  wasmThreads: number;
  isCrossOriginIsolated: boolean;
}

/** The worker's side. The page calls it through Comlink. */
export interface EngineWorkerApi {
  /**
   * Resolves once the worker holds the Web Lock of this name, which it does until it ends. A worker that goes away
   * without an `error` event (out of memory, closed) is noticed by its lock coming free.
   */
  holdLock(name: string): Promise<void>;
  probe(): Promise<DeviceReport>;
  /** Replaces the model that was loaded. A load that is overtaken by another rejects with an AbortError. */
  load(request: LoadRequest, onEvent: (event: LoadEvent) => void): Promise<LoadedModelInfo>;
  unload(): Promise<void>;
  /** Resolves after `edit-end`; runs queue one at a time. */
  align(runId: RunId, request: AlignRequest, onEvent: (event: RunEvent) => void): Promise<void>;
  /** Token count of the prompt that the request would send, BOS included. */
  countPromptTokens(request: AlignRequest): Promise<number>;
  /**
   * A reply in the loaded model's own chat; queues with the runs.
   *
   * @throws an AbortError when it is cancelled
   */
  ask(runId: RunId, question: ChatQuestion): Promise<string>;
  /** The run ends with `cancelled`. Unknown ids are ignored. */
  cancel(runId: RunId): void;
}

/** What a thrown value is on the wire. */
type ThrownData =
  | { kind: 'align-error'; data: AlignErrorData }
  | { kind: 'abort'; message: string }
  | { kind: 'error'; name: string; message: string; stack: string | undefined }
  | { kind: 'value'; value: unknown };

/** Comlink marks a thrown value with a symbol of its own and hands it to the `throw` handler, before any other. */
interface Thrown {
  value: unknown;
}

/**
 * Makes AlignError and AbortError arrive as what they are. Comlink's own handler keeps message, name and stack only.
 * Both sides call it before their first call.
 */
export function installErrorTransfer(): void {
  const original = transferHandlers.get('throw') as TransferHandler<Thrown, unknown> | undefined;
  if (original === undefined) throw new Error('Comlink has no throw handler: this is a bug, or another Comlink.');
  const handler: TransferHandler<Thrown, ThrownData> = {
    canHandle: (value): value is Thrown => original.canHandle(value),
    serialize: ({ value }) => [describeThrown(value), []],
    deserialize: (thrown) => {
      throw restoreThrown(thrown);
    },
  };
  transferHandlers.set('throw', handler);
}

function describeThrown(value: unknown): ThrownData {
  if (value instanceof AlignError) return { kind: 'align-error', data: value.toJSON() };
  // A DOMException is an Error here, but not in every engine's worker.
  if (value instanceof Error || value instanceof DOMException) {
    const { name, message, stack } = value;
    return name === 'AbortError' ? { kind: 'abort', message } : { kind: 'error', name, message, stack };
  }
  return { kind: 'value', value };
}

function restoreThrown(thrown: ThrownData): unknown {
  switch (thrown.kind) {
    case 'align-error':
      return AlignError.fromJSON(thrown.data) ?? new Error(`An error came damaged: ${JSON.stringify(thrown.data)}`);
    case 'abort':
      return new DOMException(thrown.message, 'AbortError');
    case 'error': {
      const { name, message, stack } = thrown;
      return Object.assign(new Error(message), { name, ...(stack !== undefined && { stack }) });
    }
    case 'value':
      return thrown.value;
    default:
      return thrown satisfies never;
  }
}
