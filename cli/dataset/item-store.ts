import { readSync } from 'node:fs';
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AlignError } from '../../src/align/errors.ts';
import type { TrainingItem } from '../../src/datasets/training-item.ts';

const FLUSH_BYTES = 1 << 20;

/** Training items on disk, in the order in which they were added, to be written in another one. Not kept. */
export class ItemStore {
  readonly #path: string;
  readonly #file: FileHandle;
  /** Where each item ends. */
  readonly #ends: number[] = [];
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #writtenBytes = 0;

  static async create(directory: string, name: string): Promise<ItemStore> {
    await mkdir(directory, { recursive: true });
    const path = join(directory, `.${name}.items`);
    return new ItemStore(path, await open(path, 'w+'));
  }

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  get count(): number {
    return this.#ends.length;
  }

  async add(item: TrainingItem): Promise<void> {
    const bytes = Buffer.from(JSON.stringify(item));
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    this.#ends.push((this.#ends.at(-1) ?? 0) + bytes.length);
    if (this.#pendingBytes >= FLUSH_BYTES) await this.#flush();
  }

  /** The JSON of the items at these places, each when it is asked for. */
  async read(order: Iterable<number>): Promise<Iterable<Buffer>> {
    await this.#flush();
    return this.#readEach(order);
  }

  *#readEach(order: Iterable<number>): Generator<Buffer, void, void> {
    for (const index of order) {
      const start = this.#ends[index - 1] ?? 0;
      const bytes = Buffer.alloc(this.#ends[index]! - start);
      // Hundreds of thousands of small reads, from the system's memory: each await would cost ten times as much.
      readSync(this.#file.fd, bytes, 0, bytes.length, start);
      yield bytes;
    }
  }

  async discard(): Promise<void> {
    await this.#file.close();
    await rm(this.#path, { force: true });
  }

  async #flush(): Promise<void> {
    if (this.#pendingBytes === 0) return;
    try {
      await this.#file.write(Buffer.concat(this.#pending), 0, this.#pendingBytes, this.#writtenBytes);
    } catch (error) {
      throw asDiskFailure(error, this.#path);
    }
    this.#writtenBytes += this.#pendingBytes;
    this.#pending = [];
    this.#pendingBytes = 0;
  }
}

/** A full disk as an error of ours; another failure as it is. */
export function asDiskFailure(error: unknown, path: string): unknown {
  const isFull = error instanceof Error && 'code' in error && error.code === 'ENOSPC';
  return isFull ? new AlignError('storage-full', `The disk of ${path} is full.`, { cause: error }) : error;
}
