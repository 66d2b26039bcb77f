import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { AlignError } from '../align/errors.ts';
import { MANIFEST_PATH } from '../convert/manifest.ts';
import { isInsidePath } from '../convert/parse-manifest.ts';
import { CHUNK_BYTES, type PublishedModel, type StagedChunk, type Staging } from './staging.ts';

/** Beside the files that it will hold; `list` of a folder skips names that begin with a dot. */
const ARRIVING = '.arriving';
const STATE = 'state.json';
/** One line for each chunk that is on disk: `index path`; `- path` for a file that was removed. */
const CHUNKS = 'chunks';

/**
 * A model on its way into a folder on disk. Its files are in `.arriving` until all are whole; then they are moved to
 * their places, metaaligner.json last.
 *
 * @throws (its methods) AlignError `storage-full`; `invalid-request` where nothing may be written
 */
export class NodeStaging implements Staging {
  readonly #root: string;
  readonly #chunks = new Map<string, Set<number>>();
  readonly #handles = new Map<string, Promise<FileHandle>>();
  #chunkLog: FileHandle | undefined;

  /** Takes up what an earlier process left in the folder. */
  static async open(directory: string): Promise<NodeStaging> {
    const staging = new NodeStaging(resolve(directory));
    await staging.#readChunkLog();
    return staging;
  }

  private constructor(root: string) {
    this.#root = root;
  }

  /** Lets go of the files; what was written stays. */
  async close(): Promise<void> {
    for (const handle of this.#handles.values()) await (await handle).close();
    this.#handles.clear();
    await this.#chunkLog?.close();
    this.#chunkLog = undefined;
  }

  /** Where files are before they are published, for who reads them on the spot. */
  get filesDirectory(): string {
    return join(this.#root, ARRIVING, 'files');
  }

  async readState(): Promise<unknown> {
    try {
      return JSON.parse(await readFile(join(this.#root, ARRIVING, STATE), 'utf8'));
    } catch (error) {
      // None yet, or cut off by a power failure: then what is there is checked anew.
      if (error instanceof SyntaxError || isAbsent(error)) return undefined;
      throw failure(this.#root, error);
    }
  }

  async write(chunks: readonly StagedChunk[], state?: unknown, removed: readonly string[] = []): Promise<void> {
    try {
      for (const { path, index, bytes } of chunks) {
        const handle = await this.#handle(path);
        for (let done = 0; done < bytes.length;) {
          const at = index * CHUNK_BYTES + done;
          done += (await handle.write(bytes, done, bytes.length - done, at)).bytesWritten;
        }
      }
      await this.#logChunks(chunks);
      if (state !== undefined) await this.#writeState(state);
      for (const path of removed) await this.#remove(path);
    } catch (error) {
      throw failure(this.#root, error);
    }
  }

  async listChunks(path: string): Promise<number[]> {
    return [...(this.#chunks.get(path) ?? [])].sort((one, other) => one - other);
  }

  async readChunk(path: string, index: number): Promise<Uint8Array> {
    if (this.#chunks.get(path)?.has(index) !== true) throw gone(this.#root, path, index);
    const handle = await this.#handle(path);
    const bytes = new Uint8Array(CHUNK_BYTES);
    const { bytesRead } = await handle.read(bytes, 0, CHUNK_BYTES, index * CHUNK_BYTES);
    if (bytesRead === 0) throw gone(this.#root, path, index);
    return bytes.subarray(0, bytesRead);
  }

  async removeFile(path: string): Promise<void> {
    await this.#remove(path);
  }

  async publish({ manifest, files }: PublishedModel): Promise<void> {
    try {
      for (const { path, sizeBytes } of files) {
        const handle = await this.#handle(path);
        // A file without bytes has no chunk that would have made it.
        await handle.truncate(sizeBytes);
        await handle.sync();
      }
      await this.close();
      // From here on the folder is no whole model until the manifest is there again.
      await rm(join(this.#root, MANIFEST_PATH), { force: true });
      for (const { path } of files) {
        const place = join(this.#root, ...path.split('/'));
        await mkdir(dirname(place), { recursive: true });
        await rename(this.#place(path), place);
      }
      const temporary = join(this.#root, ARRIVING, MANIFEST_PATH);
      await writeFile(temporary, `${JSON.stringify(manifest, null, 2)}\n`, { flush: true });
      await rename(temporary, join(this.#root, MANIFEST_PATH));
      await rm(join(this.#root, ARRIVING), { recursive: true, force: true });
      this.#chunks.clear();
    } catch (error) {
      throw failure(this.#root, error);
    }
  }

  async clear(): Promise<void> {
    await this.discard();
  }

  async discard(): Promise<void> {
    await this.close();
    this.#chunks.clear();
    await rm(join(this.#root, ARRIVING), { recursive: true, force: true });
  }

  #place(path: string): string {
    if (!isInsidePath(path)) throw new AlignError('weights-corrupt', `“${path}” is not a path inside a folder.`);
    return join(this.#root, ARRIVING, 'files', ...path.split('/'));
  }

  /** One handle for a file, however many ask for it at once. */
  #handle(path: string): Promise<FileHandle> {
    const known = this.#handles.get(path);
    if (known !== undefined) return known;
    const place = this.#place(path);
    const handle = mkdir(dirname(place), { recursive: true }).then(() =>
      open(place, constants.O_RDWR | constants.O_CREAT),
    );
    this.#handles.set(path, handle);
    handle.catch(() => this.#handles.delete(path));
    return handle;
  }

  async #logChunks(chunks: readonly StagedChunk[]): Promise<void> {
    let lines = '';
    for (const { path, index } of chunks) {
      const present = this.#chunks.get(path) ?? new Set();
      if (!present.has(index)) lines += `${index} ${path}\n`;
      this.#chunks.set(path, present.add(index));
    }
    if (lines === '') return;
    this.#chunkLog ??= await this.#openChunkLog();
    await this.#chunkLog.write(lines);
  }

  async #remove(path: string): Promise<void> {
    await (await this.#handles.get(path))?.close();
    this.#handles.delete(path);
    // First said, then done: a line without its file would be a chunk of nothing.
    if (this.#chunks.delete(path)) await (this.#chunkLog ??= await this.#openChunkLog()).write(`- ${path}\n`);
    await rm(this.#place(path), { force: true });
  }

  async #openChunkLog(): Promise<FileHandle> {
    await mkdir(join(this.#root, ARRIVING), { recursive: true });
    return open(join(this.#root, ARRIVING, CHUNKS), 'a');
  }

  async #readChunkLog(): Promise<void> {
    const text = await readFile(join(this.#root, ARRIVING, CHUNKS), 'utf8').catch((error: unknown) => {
      if (isAbsent(error)) return '';
      throw failure(this.#root, error);
    });
    // A line that was cut off has no end and does not count.
    for (const line of text.split('\n').slice(0, -1)) {
      const [, index, path] = /^(\d+|-) (.+)$/.exec(line) ?? [];
      if (index === undefined || path === undefined || !isInsidePath(path)) continue;
      if (index === '-') this.#chunks.delete(path);
      else this.#chunks.set(path, (this.#chunks.get(path) ?? new Set()).add(Number(index)));
    }
  }

  /** Under another name first: a reader finds the old state or the new one. */
  async #writeState(state: unknown): Promise<void> {
    await mkdir(join(this.#root, ARRIVING), { recursive: true });
    const temporary = join(this.#root, ARRIVING, `${STATE}.new`);
    await writeFile(temporary, JSON.stringify(state));
    await rename(temporary, join(this.#root, ARRIVING, STATE));
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function gone(root: string, path: string, index: number): AlignError {
  return new AlignError('weights-corrupt', `Piece ${index} of ${path} is gone from ${root}.`, {
    details: { path, index },
  });
}

function failure(root: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error) || error instanceof AlignError) return error;
  const isFull = error.code === 'ENOSPC' || error.code === 'EDQUOT';
  return new AlignError(
    isFull ? 'storage-full' : 'invalid-request',
    isFull ? `The disk of ${root} is full.` : `${root} cannot be written: ${error.message}.`,
    { cause: error, details: { root } },
  );
}
