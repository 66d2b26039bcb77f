import type { InPlaceTarget } from '../convert/in-place-target.ts';
import { createSha256, type CreateStreamHash } from './sha256.ts';
import {
  CHUNK_BYTES,
  chunkCount,
  chunkLength,
  piecePath,
  type StagedChunk,
  type Staging,
  type StoredFile,
} from './staging.ts';

/** Chunks held for writing at a time: 8 MiB. Weights are written one after the other, each from its start to its end. */
const MAX_HELD = 4;
/** Of pieces in memory; more are read back when they are needed. The largest weight of a 1.1B model in q8 has 66 MB. */
const MAX_PIECE_BYTES = 96 << 20;

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
  /** By name, oldest first: those that were kept last. */
  readonly #pieces = new Map<string, Uint8Array>();
  #pieceBytes = 0;
  #newPieces = new Map<string, Uint8Array>();
  #droppedPieces: string[] = [];
  /** The commit that is being stored. */
  #storing: Promise<void> = Promise.resolve();

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
      const chunk = this.#held.get(key) ?? (await this.#hold(key, path, index));
      const part = bytes.subarray(done, done + chunk.bytes.length - within);
      chunk.bytes.set(part, within);
      done += part.length;
    }
  }

  async keepPiece(name: string, bytes: Uint8Array): Promise<void> {
    this.#newPieces.set(name, bytes);
    this.#pieces.set(name, bytes);
    this.#pieceBytes += bytes.length;
    for (const [oldest, { length }] of this.#pieces) {
      if (this.#pieceBytes <= MAX_PIECE_BYTES) break;
      this.#pieces.delete(oldest);
      this.#pieceBytes -= length;
    }
  }

  async readPiece(name: string): Promise<Uint8Array> {
    const known = this.#pieces.get(name) ?? this.#newPieces.get(name);
    if (known !== undefined) return known;
    await this.#storing;
    const path = piecePath(name);
    const indices = await this.#staging.listChunks(path);
    // One that is gone is reported by its chunk.
    const chunks = await Promise.all(
      (indices.length === 0 ? [0] : indices).map((i) => this.#staging.readChunk(path, i)),
    );
    return chunks.length === 1 ? chunks[0]! : new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
  }

  dropPiece(name: string): void {
    this.#pieceBytes -= this.#pieces.get(name)?.length ?? 0;
    this.#pieces.delete(name);
    if (!this.#newPieces.delete(name)) this.#droppedPieces.push(name);
  }

  /**
   * Stores what was written so far, together with the state, while the caller goes on: one commit at a time, so it waits
   * for the one before. Its failure comes from the next call or from `settle`.
   */
  async commit(state: unknown): Promise<void> {
    const chunks = [...this.#held.values()];
    this.#held.clear();
    for (const [name, bytes] of this.#newPieces) chunks.push(...chunksOf(piecePath(name), bytes));
    this.#newPieces = new Map();
    const removed = this.#droppedPieces.map(piecePath);
    this.#droppedPieces = [];
    const stored = this.#storing.then(async () => this.#store(chunks, await state, removed));
    // The chunks are on their way: a write to one of them waits for it.
    for (const { path, index } of chunks) this.#stored.get(path)?.add(index);
    const before = this.#storing;
    this.#storing = stored;
    stored.catch(() => {});
    await before;
  }

  /** Everything that was committed is in the staging when this resolves. */
  async settle(): Promise<void> {
    await this.#storing;
  }

  /** Reads all files back. Call after `settle`. */
  async hashAll(
    onProgress: (path: string) => void,
    signal: AbortSignal | undefined,
    createHash: CreateStreamHash = createSha256,
  ): Promise<StoredFile[]> {
    const files: StoredFile[] = [];
    for (const [path, sizeBytes] of this.#sizes) {
      const hasher = await createHash();
      for (let index = 0; index < chunkCount(sizeBytes); index += 1) {
        signal?.throwIfAborted();
        await hasher.update(await this.#staging.readChunk(path, index));
        onProgress(path);
      }
      files.push({ path, sizeBytes, sha256: await hasher.digest() });
    }
    return files;
  }

  async #hold(key: string, path: string, index: number): Promise<StagedChunk> {
    if (this.#held.size >= MAX_HELD) {
      const [oldestKey, oldest] = this.#held.entries().next().value!;
      this.#held.delete(oldestKey);
      await this.#storing;
      await this.#store([oldest]);
    }
    const isStored = this.#stored.get(path)?.has(index) ?? false;
    if (isStored) await this.#storing;
    const length = chunkLength(this.#sizeOf(path), index);
    const bytes = isStored ? await this.#staging.readChunk(path, index) : new Uint8Array(length);
    const chunk = { path, index, bytes };
    this.#held.set(key, chunk);
    return chunk;
  }

  async #store(chunks: readonly StagedChunk[], state?: unknown, removed?: readonly string[]): Promise<void> {
    await this.#staging.write(chunks, state, removed);
    for (const { path, index } of chunks) this.#stored.get(path)?.add(index);
  }

  #sizeOf(path: string): number {
    const sizeBytes = this.#sizes.get(path);
    if (sizeBytes === undefined) throw new Error(`${path} was not declared; this is a bug.`);
    return sizeBytes;
  }
}

function chunksOf(path: string, bytes: Uint8Array): StagedChunk[] {
  return Array.from({ length: chunkCount(bytes.length) }, (_, index) => ({
    path,
    index,
    bytes: bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES),
  }));
}
