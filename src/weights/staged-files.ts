import type { InPlaceTarget } from '../convert/convert-in-place.ts';
import { createSha256 } from './sha256.ts';
import { CHUNK_BYTES, chunkCount, chunkLength, type StagedChunk, type Staging, type StoredFile } from './staging.ts';

/** Chunks held for writing at a time: 64 MiB. */
const MAX_HELD = 32;

/**
 * Files of a staging that are written at any place. Chunks are held and changed in memory; they reach the staging when
 * too many are held, and all together with the state at `commit`.
 */
export class StagedFiles implements InPlaceTarget {
  readonly #staging: Staging;
  readonly #sizes = new Map<string, number>();
  /** Chunks that the staging has, by path. */
  readonly #stored = new Map<string, Set<number>>();
  /** Least recently written first. */
  readonly #held = new Map<string, StagedChunk>();

  constructor(staging: Staging) {
    this.#staging = staging;
  }

  async declare(path: string, sizeBytes: number): Promise<void> {
    this.#sizes.set(path, sizeBytes);
    this.#stored.set(path, new Set(await this.#staging.listChunks(path)));
  }

  async write(path: string, offset: number, bytes: Uint8Array): Promise<void> {
    const sizeBytes = this.#sizeOf(path);
    if (offset + bytes.length > sizeBytes) {
      throw new Error(`${path} has ${sizeBytes} bytes; ${offset + bytes.length} were written. This is a bug.`);
    }
    for (let done = 0; done < bytes.length;) {
      const index = Math.floor((offset + done) / CHUNK_BYTES);
      const within = (offset + done) % CHUNK_BYTES;
      const key = `${path} ${index}`;
      // Thousands of small writes hit the same chunk: no waiting for it.
      const chunk = this.#held.get(key) ?? (await this.#hold(key, path, index));
      const part = bytes.subarray(done, done + chunk.bytes.length - within);
      chunk.bytes.set(part, within);
      done += part.length;
    }
  }

  /** Everything that was written is in the staging when this resolves, together with the state. */
  async commit(state: unknown): Promise<void> {
    const chunks = [...this.#held.values()];
    this.#held.clear();
    await this.#store(chunks, state);
  }

  /** Reads all files back. Call after `commit`. */
  async hashAll(onProgress: (path: string) => void, signal: AbortSignal | undefined): Promise<StoredFile[]> {
    const files: StoredFile[] = [];
    for (const [path, sizeBytes] of this.#sizes) {
      const hasher = await createSha256();
      for (let index = 0; index < chunkCount(sizeBytes); index += 1) {
        signal?.throwIfAborted();
        hasher.update(await this.#staging.readChunk(path, index));
        onProgress(path);
      }
      files.push({ path, sizeBytes, sha256: hasher.digest() });
    }
    return files;
  }

  async #hold(key: string, path: string, index: number): Promise<StagedChunk> {
    if (this.#held.size >= MAX_HELD) {
      const [oldestKey, oldest] = this.#held.entries().next().value!;
      this.#held.delete(oldestKey);
      await this.#store([oldest]);
    }
    const isStored = this.#stored.get(path)?.has(index) ?? false;
    const length = chunkLength(this.#sizeOf(path), index);
    const bytes = isStored ? await this.#staging.readChunk(path, index) : new Uint8Array(length);
    const chunk = { path, index, bytes };
    this.#held.set(key, chunk);
    return chunk;
  }

  async #store(chunks: readonly StagedChunk[], state?: unknown): Promise<void> {
    await this.#staging.write(chunks, state);
    for (const { path, index } of chunks) this.#stored.get(path)?.add(index);
  }

  #sizeOf(path: string): number {
    const sizeBytes = this.#sizes.get(path);
    if (sizeBytes === undefined) throw new Error(`${path} was not declared; this is a bug.`);
    return sizeBytes;
  }
}
