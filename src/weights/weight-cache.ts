import { createStore, promisifyRequest, type UseStore } from 'idb-keyval';
import { AlignError } from '../align/errors.ts';
import type { Variant } from '../align/variant.ts';
import { type ByteSource, checkRange, type SourceFolder, memorySource } from '../convert/byte-source.ts';
import { MANIFEST_PATH, type ModelManifest } from '../convert/manifest.ts';
import { parseManifest } from '../convert/parse-manifest.ts';
import { createSha256 } from './sha256.ts';
import {
  CHUNK_BYTES,
  chunkCount,
  chunkLength,
  isPiecePath,
  type PublishedModel,
  type StagedChunk,
  type Staging,
  type StoredFile,
} from './staging.ts';

/** What a cached model is known by: the source's name and the variant. */
export interface CacheKey {
  /** A hub id, a folder's address, a file's name. */
  source: string;
  variant: Variant;
}

/** A whole model in the cache. */
export interface CachedModel extends CacheKey {
  manifest: ModelManifest;
  files: StoredFile[];
  sizeBytes: number;
  revision: string;
  trust: PublishedModel['trust'];
  /** Milliseconds since 1970. */
  storedAt: number;
  lastUsedAt: number;
}

/** A model that is not whole yet; its download or conversion can go on. */
export interface Arrival extends CacheKey {
  /** Of the chunks that will stay. */
  storedBytes: number;
  updatedAt: number;
}

export interface CacheUsage {
  /** Of the whole site, as the browser tells; undefined where it does not. */
  usedBytes: number | undefined;
  quotaBytes: number | undefined;
  /** The browser does not delete it by itself. */
  isPersistent: boolean;
}

/** The part of `navigator.storage` that is used. */
export type StorageEstimates = Pick<StorageManager, 'estimate' | 'persist' | 'persisted'>;

export interface WeightCacheOptions {
  databaseName?: string;
  /** Undefined where the page has none (no https). */
  storage?: StorageEstimates | undefined;
  /** Milliseconds since 1970. */
  now?: () => number;
}

/** Of what stands in the database; see {@link MIGRATIONS}. */
const FORMAT_VERSION = 2;

/**
 * Records, by their keys:
 *   ['format']                        number
 *   ['model', source, variant]        ModelRecord, written when all chunks are there
 *   ['arrival', source, variant]      ArrivalRecord, deleted in the transaction that writes the model
 *   ['chunk', storageId, path, index] StoredChunk
 *   ['first-use', source]             FirstUseRecord: what a host without checksums sent first; outlives the model
 * A storage id is drawn anew for each arrival, so a newer revision arrives beside the one that is in use.
 */
type ModelRecord = CachedModel & { storageId: string };
interface FirstUseRecord {
  revision: string;
  files: StoredFile[];
}
type ArrivalRecord = CacheKey & { storageId: string; state: unknown; updatedAt: number };
/**
 * Version 1 stored bytes. Chromium compresses those and copies them more than once: 1 GB in chunks of 2 MiB was read at
 * 310 MB/s, and as Blobs at 520 MB/s.
 */
type StoredChunk = Blob | Uint8Array;

/** Chunks asked for before they are used: more reads no faster. */
const CHUNKS_AHEAD = 12;

/**
 * One step for each earlier version, run in one transaction with the new version's number: from index + 1 to
 * index + 2. Weights are large: a step moves records or deletes what it cannot read, and never rewrites chunks.
 */
const MIGRATIONS: readonly ((store: IDBObjectStore) => Promise<void>)[] = [
  // Chunks are Blobs from here on; older ones are read as they are.
  async () => {},
];

/**
 * Models in IndexedDB, as chunks under records that are written last: a crash leaves a whole model or one that can go
 * on arriving. Tabs share it.
 *
 * @throws (all of it) AlignError `storage-unavailable` where there is no IndexedDB; `storage-full`; `weights-missing`
 *   for a model that another tab deleted
 */
export class WeightCache {
  readonly #store: UseStore;
  readonly #storage: StorageEstimates | undefined;
  readonly #now: () => number;

  private constructor(store: UseStore, options: WeightCacheOptions) {
    this.#store = store;
    this.#storage = options.storage;
    this.#now = options.now ?? Date.now;
  }

  /** @throws AlignError `unsupported-model` if a later program wrote the database */
  static async open(options: WeightCacheOptions = {}): Promise<WeightCache> {
    if (globalThis.indexedDB === undefined) throw unavailable(undefined);
    const store = createStore(options.databaseName ?? 'metaaligner-weights', 'records');
    try {
      await store('readwrite', (records) => migrate(records, MIGRATIONS, FORMAT_VERSION));
    } catch (error) {
      throw error instanceof AlignError ? error : unavailable(error);
    }
    return new WeightCache(store, options);
  }

  /** Newest use first. A record that is damaged is left out: its chunks go with `sweep`. */
  async models(): Promise<CachedModel[]> {
    const records = await this.#records<ModelRecord>('model');
    return records
      .flatMap(({ storageId: _, ...model }) => (isReadable(model) ? [model] : []))
      .sort((one, other) => other.lastUsedAt - one.lastUsedAt);
  }

  async find(key: CacheKey): Promise<CachedModel | undefined> {
    const record = await this.#get<ModelRecord>(modelKey(key));
    if (record === undefined || !isReadable(record)) return undefined;
    const { storageId: _, ...model } = record;
    return model;
  }

  async arrivals(): Promise<Arrival[]> {
    const records = await this.#records<ArrivalRecord>('arrival');
    return Promise.all(
      records.map(async ({ source, variant, storageId, updatedAt }) => {
        const keys = await this.#chunkKeys(storageId);
        const kept = keys.filter((key) => !isPiecePath((key as string[])[2] ?? ''));
        return { source, variant, updatedAt, storedBytes: kept.length * CHUNK_BYTES };
      }),
    );
  }

  /** The arrival that was begun before, or a new one. Only one at a time may write to it: see `WeightLocks`. */
  async stage(key: CacheKey): Promise<Staging> {
    const existing = await this.#get<ArrivalRecord>(arrivalKey(key));
    const { source, variant } = key;
    const record = existing ?? {
      source,
      variant,
      storageId: newStorageId(),
      state: undefined,
      updatedAt: this.#now(),
    };
    if (existing === undefined) await this.#put([[arrivalKey(key), record]]);
    return new CacheStaging(record, {
      get: (recordKey) => this.#get(recordKey),
      put: (entries, deleted) => this.#put(entries, deleted),
      chunkKeys: (storageId, path) => this.#chunkKeys(storageId, path),
      deleteChunks: (storageId, path) => this.#deleteChunks(storageId, path),
      now: this.#now,
    });
  }

  /** The model's files; reads take chunks from the database as they are needed. */
  folder(model: CacheKey): SourceFolder {
    const name = `${model.source} (${model.variant})`;
    let opened: Promise<ModelRecord> | undefined;
    const open = () => (opened ??= this.#model(model));
    return {
      name,
      list: async () => [...(await open()).files.map(({ path }) => path), MANIFEST_PATH],
      open: async (path) => {
        const { files, manifest, storageId } = await open();
        if (path === MANIFEST_PATH)
          return memorySource(`${name}/${path}`, new TextEncoder().encode(JSON.stringify(manifest)));
        const file = files.find((candidate) => candidate.path === path);
        if (file === undefined) throw missing(`${name} has no ${path}.`, { ...model, path });
        return this.#source(`${name}/${path}`, storageId, file);
      },
    };
  }

  /** Remembers that the model was loaded now. */
  async touch(key: CacheKey): Promise<void> {
    const lastUsedAt = this.#now();
    await this.#transact('readwrite', async (records) => {
      const record = await promisifyRequest<ModelRecord | undefined>(records.get(modelKey(key)));
      if (record !== undefined) records.put({ ...record, lastUsedAt }, modelKey(key));
    });
  }

  /**
   * Reads the model back and compares it with its checksums.
   *
   * @returns paths of the files that are damaged or incomplete; empty: all is well
   */
  async verify(
    key: CacheKey,
    options: { onProgress?: (checkedBytes: number, totalBytes: number) => void; signal?: AbortSignal } = {},
  ): Promise<string[]> {
    const { files, storageId, sizeBytes } = await this.#model(key);
    const damaged: string[] = [];
    let checkedBytes = 0;
    for (const file of files) {
      const hasher = await createSha256();
      try {
        for await (const chunk of this.#chunks(storageId, file, options.signal)) {
          hasher.update(chunk);
          checkedBytes += chunk.length;
          options.onProgress?.(checkedBytes, sizeBytes);
        }
        if (hasher.digest() !== file.sha256) damaged.push(file.path);
      } catch (error) {
        if (!(error instanceof AlignError) || error.code !== 'weights-corrupt') throw error;
        damaged.push(file.path);
      }
    }
    return damaged;
  }

  async remove(key: CacheKey): Promise<void> {
    const record = await this.#get<ModelRecord>(modelKey(key));
    if (record === undefined) return;
    // The record first: what is left after a crash here is chunks without an owner, and `sweep` takes them.
    await this.#put([], [modelKey(key)]);
    await this.#deleteChunks(record.storageId);
  }

  async discardArrival(key: CacheKey): Promise<void> {
    const record = await this.#get<ArrivalRecord>(arrivalKey(key));
    if (record === undefined) return;
    await this.#put([], [arrivalKey(key)]);
    await this.#deleteChunks(record.storageId);
  }

  /**
   * sha256 by path as the first download found them, for a source whose host publishes none.
   *
   * @returns empty for another revision than the first one
   */
  async firstUse(source: string, revision: string): Promise<ReadonlyMap<string, string>> {
    const record = await this.#get<FirstUseRecord>(['first-use', source]);
    if (record?.revision !== revision) return new Map();
    return new Map(record.files.map(({ path, sha256 }) => [path, sha256]));
  }

  /** Deletes chunks that no model and no arrival owns. @returns how many */
  async sweep(): Promise<number> {
    return this.#transact('readwrite', async (records) => {
      const kept = new Set<string>();
      for (const kind of ['arrival', 'model']) {
        const owners = await promisifyRequest<{ storageId: string }[]>(records.getAll(kindRange(kind)));
        for (const { storageId } of owners) kept.add(storageId);
      }
      const keys = await promisifyRequest<IDBValidKey[]>(records.getAllKeys(kindRange('chunk')));
      const orphans = keys.filter((key) => !kept.has((key as string[])[1] ?? ''));
      for (const key of orphans) records.delete(key);
      return orphans.length;
    });
  }

  async usage(): Promise<CacheUsage> {
    const estimate = await this.#storage?.estimate();
    return {
      usedBytes: estimate?.usage,
      quotaBytes: estimate?.quota,
      isPersistent: (await this.#storage?.persisted()) ?? false,
    };
  }

  /** Asks the browser not to delete the site's data by itself. @returns whether it agreed */
  async persist(): Promise<boolean> {
    return (await this.#storage?.persist()) ?? false;
  }

  #source(name: string, storageId: string, file: StoredFile): ByteSource {
    const { sizeBytes, path } = file;
    const readChunk = (index: number) => this.#readChunk(storageId, path, index, chunkLength(sizeBytes, index));
    return {
      name,
      sizeBytes,
      async read(offset, length) {
        checkRange({ name, sizeBytes }, offset, length);
        const bytes = new Uint8Array(length);
        for (let filled = 0; filled < length;) {
          const position = offset + filled;
          const chunk = await readChunk(Math.floor(position / CHUNK_BYTES));
          const part = chunk.subarray(position % CHUNK_BYTES, (position % CHUNK_BYTES) + length - filled);
          bytes.set(part, filled);
          filled += part.length;
        }
        return bytes;
      },
      stream: (signal) => this.#chunks(storageId, file, signal),
    };
  }

  /** In order; the next ones are asked for while one is used. */
  async *#chunks(storageId: string, file: StoredFile, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    const { path, sizeBytes } = file;
    const count = chunkCount(sizeBytes);
    const ahead: Promise<Uint8Array>[] = [];
    for (let index = 0, asked = 0; index < count; index += 1) {
      for (; asked < Math.min(index + CHUNKS_AHEAD, count); asked += 1) {
        const chunk = this.#readChunk(storageId, path, asked, chunkLength(sizeBytes, asked));
        // Its failure is told when its turn comes.
        chunk.catch(() => {});
        ahead.push(chunk);
      }
      signal?.throwIfAborted();
      yield (await ahead.shift())!;
    }
  }

  async #readChunk(storageId: string, path: string, index: number, length: number): Promise<Uint8Array> {
    const chunk = await bytesOf(await this.#get<StoredChunk>(chunkKey(storageId, path, index)));
    if (chunk?.length === length) return chunk;
    throw damagedChunk(path, index, chunk?.length, length);
  }

  async #model(key: CacheKey): Promise<ModelRecord> {
    const record = await this.#get<ModelRecord>(modelKey(key));
    if (record !== undefined && isReadable(record)) return record;
    throw missing(`${key.source} (${key.variant}) is not stored in this browser.`, { ...key });
  }

  #get<T>(key: IDBValidKey): Promise<T | undefined> {
    return this.#transact('readonly', (records) => promisifyRequest<T | undefined>(records.get(key)));
  }

  #records<T>(kind: string): Promise<T[]> {
    return this.#transact('readonly', (records) => promisifyRequest<T[]>(records.getAll(kindRange(kind))));
  }

  #chunkKeys(storageId: string, path?: string): Promise<IDBValidKey[]> {
    return this.#transact('readonly', (records) =>
      promisifyRequest<IDBValidKey[]>(records.getAllKeys(chunkRange(storageId, path))),
    );
  }

  async #deleteChunks(storageId: string, path?: string): Promise<void> {
    await this.#transact('readwrite', (records) => promisifyRequest(records.delete(chunkRange(storageId, path))));
  }

  /** All or nothing. */
  async #put(
    entries: readonly [IDBValidKey, unknown][],
    deleted: readonly (IDBValidKey | IDBKeyRange)[] = [],
  ): Promise<void> {
    await this.#transact('readwrite', async (records) => {
      for (const key of deleted) records.delete(key);
      for (const [key, value] of entries) records.put(value, key);
      await promisifyRequest(records.transaction);
    });
  }

  async #transact<T>(mode: IDBTransactionMode, step: (records: IDBObjectStore) => Promise<T>): Promise<T> {
    try {
      return await this.#store(mode, step);
    } catch (error) {
      throw await this.#explain(error);
    }
  }

  async #explain(error: unknown): Promise<unknown> {
    if (!isQuotaError(error)) return error;
    const { usedBytes, quotaBytes } = await this.usage();
    const room =
      usedBytes === undefined || quotaBytes === undefined
        ? 'The browser gives this site no more room'
        : usedBytes > 0.9 * quotaBytes
          ? `The browser gives this site ${megabytes(quotaBytes)} and ${megabytes(usedBytes)} are used`
          : // Chromium tells every site of 10 GB more than it uses, whatever the disk has.
            `The disk is full, or the browser has less room than the ${megabytes(quotaBytes)} that it tells of ` +
            `(${megabytes(usedBytes)} are used)`;
    return new AlignError('storage-full', `${room}: the last piece of the model could not be stored.`, {
      cause: error,
      details: { usedBytes, quotaBytes },
    });
  }
}

/** What a staging needs of the cache. */
interface CacheAccess {
  get<T>(key: IDBValidKey): Promise<T | undefined>;
  put(entries: readonly [IDBValidKey, unknown][], deleted?: readonly (IDBValidKey | IDBKeyRange)[]): Promise<void>;
  chunkKeys(storageId: string, path?: string): Promise<IDBValidKey[]>;
  deleteChunks(storageId: string, path?: string): Promise<void>;
  now(): number;
}

class CacheStaging implements Staging {
  readonly #access: CacheAccess;
  #record: ArrivalRecord;

  constructor(record: ArrivalRecord, access: CacheAccess) {
    this.#record = record;
    this.#access = access;
  }

  async readState(): Promise<unknown> {
    return this.#record.state;
  }

  async write(chunks: readonly StagedChunk[], state?: unknown, removed: readonly string[] = []): Promise<void> {
    const entries: [IDBValidKey, unknown][] = chunks.map(({ path, index, bytes }) => [
      chunkKey(this.#record.storageId, path, index),
      new Blob([bytes as Uint8Array<ArrayBuffer>]),
    ]);
    if (state !== undefined) {
      this.#record = { ...this.#record, state, updatedAt: this.#access.now() };
      entries.push([arrivalKey(this.#record), this.#record]);
    }
    await this.#access.put(
      entries,
      removed.map((path) => chunkRange(this.#record.storageId, path)),
    );
  }

  async listChunks(path: string): Promise<number[]> {
    const keys = await this.#access.chunkKeys(this.#record.storageId, path);
    return keys.map((key) => (key as [string, string, string, number])[3]);
  }

  async readChunk(path: string, index: number): Promise<Uint8Array> {
    const chunk = await bytesOf(await this.#access.get<StoredChunk>(chunkKey(this.#record.storageId, path, index)));
    if (chunk === undefined) throw damagedChunk(path, index, undefined, undefined);
    return chunk;
  }

  async removeFile(path: string): Promise<void> {
    await this.#access.deleteChunks(this.#record.storageId, path);
  }

  async publish({ manifest, files, revision, trust }: PublishedModel): Promise<void> {
    const { source, variant, storageId } = this.#record;
    const replaced = await this.#access.get<ModelRecord>(modelKey(this.#record));
    const now = this.#access.now();
    const model: ModelRecord = {
      source,
      variant,
      storageId,
      manifest,
      files: [...files],
      sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
      revision,
      trust,
      storedAt: now,
      lastUsedAt: now,
    };
    const entries: [IDBValidKey, unknown][] = [[modelKey(model), model]];
    if (trust === 'first-use') {
      const known = await this.#access.get<FirstUseRecord>(['first-use', source]);
      const others =
        known?.revision === revision ? known.files.filter(({ path }) => !files.some((file) => file.path === path)) : [];
      entries.push([['first-use', source], { revision, files: [...others, ...files] } satisfies FirstUseRecord]);
    }
    await this.#access.put(entries, [arrivalKey(model)]);
    if (replaced !== undefined) await this.#access.deleteChunks(replaced.storageId);
  }

  async clear(): Promise<void> {
    this.#record = { ...this.#record, state: undefined, updatedAt: this.#access.now() };
    await this.#access.put([[arrivalKey(this.#record), this.#record]]);
    await this.#access.deleteChunks(this.#record.storageId);
  }

  async discard(): Promise<void> {
    await this.#access.put([], [arrivalKey(this.#record)]);
    await this.#access.deleteChunks(this.#record.storageId);
  }
}

/**
 * Brings the records to `version`. Exported for its test.
 *
 * @throws AlignError `unsupported-model` if a later program wrote them
 */
export async function migrate(
  records: IDBObjectStore,
  migrations: readonly ((store: IDBObjectStore) => Promise<void>)[],
  version: number,
): Promise<void> {
  const found = (await promisifyRequest<number | undefined>(records.get(['format']))) ?? version;
  if (found > version) {
    throw new AlignError(
      'unsupported-model',
      `The stored models have format version ${found}; this program reads version ${version}. Reload the page to get ` +
        'the program that wrote them.',
      { details: { found, version } },
    );
  }
  for (const step of migrations.slice(found - 1, version - 1)) await step(records);
  records.put(version, ['format']);
}

function modelKey({ source, variant }: CacheKey): IDBValidKey {
  return ['model', source, variant];
}

function arrivalKey({ source, variant }: CacheKey): IDBValidKey {
  return ['arrival', source, variant];
}

function chunkKey(storageId: string, path: string, index: number): IDBValidKey {
  return ['chunk', storageId, path, index];
}

/** In IndexedDB's order an array comes after every string and number. */
function kindRange(kind: string): IDBKeyRange {
  return IDBKeyRange.bound([kind], [kind, []]);
}

function chunkRange(storageId: string, path?: string): IDBKeyRange {
  const prefix = path === undefined ? ['chunk', storageId] : ['chunk', storageId, path];
  return IDBKeyRange.bound(prefix, [...prefix, []]);
}

/** Undefined where there is none, or where the browser lost the file behind it. */
async function bytesOf(chunk: StoredChunk | undefined): Promise<Uint8Array | undefined> {
  if (!(chunk instanceof Blob)) return chunk;
  try {
    return new Uint8Array(await chunk.arrayBuffer());
  } catch (error) {
    if (error instanceof DOMException && ['NotFoundError', 'NotReadableError'].includes(error.name)) return undefined;
    throw error;
  }
}

function newStorageId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A record may have been written by another version of the program, or damaged: its manifest is read like any other. */
function isReadable(model: CachedModel): boolean {
  try {
    parseManifest(JSON.stringify(model.manifest), model.source);
    return Array.isArray(model.files);
  } catch {
    return false;
  }
}

function isQuotaError(error: unknown): boolean {
  return error instanceof Error && (error.name === 'QuotaExceededError' || isQuotaError(error.cause));
}

function unavailable(cause: unknown): AlignError {
  return new AlignError('storage-unavailable', 'This browser gives the page no place to store models.', { cause });
}

function missing(message: string, details: Record<string, unknown>): AlignError {
  return new AlignError('weights-missing', message, { details });
}

function damagedChunk(
  path: string,
  index: number,
  foundBytes: number | undefined,
  expectedBytes: number | undefined,
): AlignError {
  const what = foundBytes === undefined ? 'is gone' : `has ${foundBytes} bytes, not ${expectedBytes}`;
  return new AlignError('weights-corrupt', `Piece ${index} of ${path} ${what} in this browser’s store.`, {
    details: { path, index, foundBytes, expectedBytes },
  });
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6).toLocaleString('en-US')} MB`;
}
