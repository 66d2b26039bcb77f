import type { AlignEvent } from '../src/align/edit.ts';
import type { Device } from '../src/align/engine.ts';
import type { AlignRequest } from '../src/align/request.ts';
import type { Variant } from '../src/align/variant.ts';

export type RunId = string;

/** Where a converted model's folder is. */
export type ModelLocation =
  /** A folder under this address (ends in `/`), same layout as the converter writes. */
  | { kind: 'url'; baseUrl: string }
  /** A folder that the visitor picked from disk: its files by relative path. */
  | { kind: 'files'; name: string; files: { path: string; blob: Blob }[] };

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

/** What the machine offers, asked once at start. */
export interface DeviceReport {
  webgpu: { available: boolean; hasShaderF16: boolean; description: string; reason: string | undefined };
  wasmThreads: number;
  isCrossOriginIsolated: boolean;
}

/** The worker's side. The page calls it through Comlink. */
export interface EngineWorkerApi {
  probe(): Promise<DeviceReport>;
  /** Replaces the model that was loaded. A load that is overtaken by another rejects with an AbortError. */
  load(request: LoadRequest, onEvent: (event: LoadEvent) => void): Promise<LoadedModelInfo>;
  unload(): Promise<void>;
  /** Resolves after `edit-end`; runs queue one at a time. */
  align(runId: RunId, request: AlignRequest, onEvent: (event: AlignEvent) => void): Promise<void>;
  /** Token count of the prompt that the request would send, BOS included. */
  countPromptTokens(request: AlignRequest): Promise<number>;
  /** The run ends with `cancelled`. Unknown ids are ignored. */
  cancel(runId: RunId): void;
}
