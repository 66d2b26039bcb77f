import type { ModelManifest } from '../convert/manifest.ts';

/**
 * Weights are kept in pieces of this size. Four connections hold one unfinished piece each, so a crash loses at most
 * 8 MiB; larger ones read no faster (1 to 8 MiB: 330 to 420 MB/s from IndexedDB in Chromium).
 */
export const CHUNK_BYTES = 2 << 20;

export interface StagedChunk {
  path: string;
  /** Of `CHUNK_BYTES` each; the last one of a file is shorter. */
  index: number;
  /** Belongs to the staging from here on. */
  bytes: Uint8Array;
}

/** A file of a model that is whole. */
export interface StoredFile {
  path: string;
  sizeBytes: number;
  /** Of what is kept, 64 hexadecimal digits. */
  sha256: string;
}

/**
 * A model on its way in: chunks of its files in any order and the state of whoever writes it. What a call resolved for
 * survives a crash; a reader of finished models sees nothing of it before `publish`.
 *
 * @throws (all writes) AlignError `storage-full`; everything written before is intact
 */
export interface Staging {
  /** As last written; undefined at first. JSON data. */
  readState(): Promise<unknown>;
  /**
   * Chunks first, then, or together with them, the state: it never speaks of a chunk that is not there.
   *
   * @param removed  paths of files that the state no longer speaks of: they go after it, or together with it
   */
  write(chunks: readonly StagedChunk[], state?: unknown, removed?: readonly string[]): Promise<void>;
  /** Which chunks of a file are there, ascending. */
  listChunks(path: string): Promise<number[]>;
  /** @throws AlignError `weights-corrupt` if it is not there */
  readChunk(path: string, index: number): Promise<Uint8Array>;
  removeFile(path: string): Promise<void>;
  /** Everything is there: from now on it is a model. The manifest is written last. */
  publish(model: PublishedModel): Promise<void>;
  /** Forgets chunks and state; what is written next begins anew. */
  clear(): Promise<void>;
  /** Gives up the model and frees its space. */
  discard(): Promise<void>;
}

export interface PublishedModel {
  manifest: ModelManifest;
  /** All files but the manifest. */
  files: readonly StoredFile[];
  /** The commit or the manifest's sha256, as in `RemoteRepository.revision`. */
  revision: string;
  /** `publisher`: every byte matches a checksum that its publisher gave; `first-use`: there was none. */
  trust: 'publisher' | 'first-use';
}

/** Where parts of weights that are not complete are kept; never in a finished model. */
const PIECES = 'pieces/';

export function piecePath(name: string): string {
  return PIECES + name;
}

export function isPiecePath(path: string): boolean {
  return path.startsWith(PIECES);
}

export function chunkCount(sizeBytes: number): number {
  return Math.ceil(sizeBytes / CHUNK_BYTES);
}

/** Bytes of one chunk of a file. */
export function chunkLength(sizeBytes: number, index: number): number {
  return Math.min(CHUNK_BYTES, sizeBytes - index * CHUNK_BYTES);
}
