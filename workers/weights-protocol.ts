import type { TemplateId } from '../src/align/prompt.ts';
import type { Variant } from '../src/align/variant.ts';
import type { AcquisitionCost } from '../src/weights/choose-source.ts';
import type { TransferProgress } from '../src/weights/speed-meter.ts';

export type { AcquisitionCost, TransferProgress };

/** What a stored model is known by. */
export interface StoredModelKey {
  /** A hub id, a folder's address, or what an imported model says it was made from. */
  source: string;
  variant: Variant;
}

export interface TransferRequest {
  /** `owner/name`, `owner/name@revision`, or a folder's address. */
  reference: string;
  /** `auto`: what this device runs best. */
  variant: 'auto' | Variant;
  device: 'auto' | 'webgpu' | 'wasm';
  /** The hub or a mirror: an origin, no slash at its end. */
  endpoint: string;
  /** Sent to `endpoint` only. */
  token: string | undefined;
  family: TemplateId | undefined;
}

/** What getting a model will take. */
export interface TransferPlan {
  key: StoredModelKey;
  source: 'ready' | 'safetensors' | 'gguf' | 'torch';
  fileCount: number;
  revision: string;
  trust: 'publisher' | 'first-use';
  cost: AcquisitionCost;
}

export type TransferEvent =
  /** `isElsewhere`: another tab does the work. */
  | ({ type: 'transfer-progress'; isElsewhere: boolean } & TransferProgress)
  /** A request failed and is sent again after the pause. */
  | { type: 'transfer-retry'; message: string; delayMs: number };

export interface StoredModel extends StoredModelKey {
  name: string;
  family: TemplateId | undefined;
  parameterCount: number;
  contextLength: number;
  sizeBytes: number;
  /** Of the variant's files alone. */
  variantBytes: number;
  revision: string;
  trust: 'publisher' | 'first-use';
  /** Milliseconds since 1970. */
  storedAt: number;
  lastUsedAt: number;
}

/** A model whose download was begun and is not over. */
export interface UnfinishedModel extends StoredModelKey {
  storedBytes: number;
  updatedAt: number;
}

export interface StoreReport {
  models: StoredModel[];
  unfinished: UnfinishedModel[];
  /** Of the whole site; undefined where the browser does not tell. */
  usedBytes: number | undefined;
  quotaBytes: number | undefined;
  isPersistent: boolean;
}

export type CheckEvent = { type: 'check-progress'; doneBytes: number; totalBytes: number };

/** The side that gets and keeps models. Errors are AlignErrors; an abort rejects with an AbortError. */
export interface WeightsWorkerApi {
  /** As `EngineWorkerApi.holdLock`. */
  holdLock(name: string): Promise<void>;
  report(): Promise<StoreReport>;
  /** Looks at the repository; stores nothing. */
  plan(request: TransferRequest): Promise<TransferPlan>;
  /** Resolves when the model is stored. Where another tab is at it, waits for that one and takes over if it ends. */
  transfer(request: TransferRequest, onEvent: (event: TransferEvent) => void): Promise<StoredModelKey>;
  /** The transfer rejects with an AbortError; what came stays. Harmless without one. */
  pause(reference: string): Promise<void>;
  /** Gives up an unfinished model and frees its space. */
  discard(key: StoredModelKey): Promise<void>;
  remove(key: StoredModelKey): Promise<void>;
  /** @returns paths of damaged files; empty: all is well */
  verify(key: StoredModelKey, onEvent: (event: CheckEvent) => void): Promise<string[]>;
  /** A tar file of the model's folder. */
  exportModel(key: StoredModelKey): Promise<Blob>;
  /** @returns what was stored, one per variant */
  importModel(file: File, onEvent: (event: CheckEvent) => void): Promise<StoredModelKey[]>;
}
