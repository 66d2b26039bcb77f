import { AlignError } from '../align/errors.ts';

/** A file that is read by ranges and never whole: on disk, a Blob in the page, or behind HTTP. */
export interface ByteSource {
  /** Named in every error about it. */
  readonly name: string;
  readonly sizeBytes: number;
  /**
   * @returns exactly `length` bytes from `offset`, which belong to the caller: it may change them
   * @throws AlignError `checkpoint-corrupt` if the range ends past `sizeBytes`
   */
  read(offset: number, length: number): Promise<Uint8Array>;
  /**
   * All bytes in order, `sizeBytes` of them, where one pass is cheaper than ranges (one request over HTTP).
   *
   * @throws like `read`; the signal's reason when it aborts
   */
  stream?(signal: AbortSignal | undefined): AsyncIterable<Uint8Array>;
}

/** Files of one checkpoint or one converted model, by their path relative to its folder. */
export interface SourceFolder {
  /** Shown to the user: a path, an address or a hub id. */
  readonly name: string;
  /** Paths with `/`, such as `config.json` or `onnx/model_q4.onnx`. */
  list(): Promise<readonly string[]>;
  /** @throws AlignError `weights-missing` with the path if there is no such file */
  open(path: string): Promise<ByteSource>;
}

/** Where a conversion writes. A file counts as written once `close` resolved; `abort` removes what was begun. */
export interface TargetFolder {
  create(path: string): Promise<TargetFile>;
}

export interface TargetFile {
  /** Appends; the caller may reuse `bytes` after the promise resolves. */
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
  abort(): Promise<void>;
}

/** Bytes as a file. */
export function memorySource(name: string, bytes: Uint8Array): ByteSource {
  const sizeBytes = bytes.length;
  return {
    name,
    sizeBytes,
    async read(offset, length) {
      checkRange({ name, sizeBytes }, offset, length);
      return bytes.slice(offset, offset + length);
    },
  };
}

/** @throws AlignError `checkpoint-corrupt` if the range is not inside the file */
export function checkRange(source: Pick<ByteSource, 'name' | 'sizeBytes'>, offset: number, length: number): void {
  const { name, sizeBytes } = source;
  if (offset >= 0 && length >= 0 && offset + length <= sizeBytes) return;
  throw pastTheEnd(name, sizeBytes, offset + length);
}

export function pastTheEnd(name: string, sizeBytes: number, neededBytes: number): AlignError {
  const format = (count: number) => count.toLocaleString('en-US');
  return new AlignError(
    'checkpoint-corrupt',
    `${name} ends at byte ${format(sizeBytes)}; byte ${format(neededBytes)} was needed.`,
    { details: { name, sizeBytes, neededBytes } },
  );
}

/** Ranges of a source without `stream`; between two of them a load can be cancelled and its progress shown. */
const READ_BYTES = 8 << 20;

export interface ReadOptions {
  /** Called after each piece with the bytes read so far. */
  onProgress?: (loadedBytes: number) => void;
  signal?: AbortSignal;
}

/**
 * The whole file in memory.
 *
 * @throws what the source throws; RangeError where the platform cannot allocate `sizeBytes`; the signal's reason
 */
export async function readAll(source: ByteSource, { onProgress, signal }: ReadOptions = {}): Promise<Uint8Array> {
  const bytes = new Uint8Array(source.sizeBytes);
  let loadedBytes = 0;
  for await (const piece of source.stream?.(signal) ?? readPieces(source, signal)) {
    bytes.set(piece, loadedBytes);
    loadedBytes += piece.length;
    onProgress?.(loadedBytes);
  }
  return bytes;
}

/** Reads a file's ranges in their order, in one pass: one request over HTTP, and no more than a range in memory. */
export class ForwardReader {
  readonly #name: string;
  readonly #sizeBytes: number;
  readonly #onProgress: (loadedBytes: number) => void;
  readonly #pieces: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array();
  /** Of the file, where the rest of the piece begins. */
  #at = 0;

  constructor(source: ByteSource, { onProgress = () => {}, signal }: ReadOptions = {}) {
    this.#name = source.name;
    this.#sizeBytes = source.sizeBytes;
    this.#onProgress = onProgress;
    onProgress(0);
    this.#pieces = (source.stream?.(signal) ?? readPieces(source, signal))[Symbol.asyncIterator]();
  }

  /**
   * @param offset  not before the end of the last range
   * @throws what the source throws; AlignError `checkpoint-corrupt` if the range ends past the file; the signal's reason
   */
  async read(offset: number, length: number): Promise<Uint8Array> {
    if (offset < this.#at) throw new Error(`${this.#name} is read backwards, to ${offset}; this is a bug.`);
    const bytes = new Uint8Array(length);
    while (this.#at < offset + length) {
      if (this.#piece.length === 0) {
        const next = await this.#pieces.next();
        if (next.done === true) throw pastTheEnd(this.#name, this.#at, offset + length);
        this.#piece = next.value;
        this.#onProgress(this.#at + next.value.length);
      }
      const until = this.#at < offset ? offset : offset + length;
      const taken = this.#piece.subarray(0, until - this.#at);
      if (this.#at >= offset) bytes.set(taken, this.#at - offset);
      this.#at += taken.length;
      this.#piece = this.#piece.subarray(taken.length);
    }
    return bytes;
  }

  /** Lets go of the source, which looks whether it ends where it should if all was read. @throws what the source throws */
  async close(): Promise<void> {
    if (this.#at === this.#sizeBytes) await this.#pieces.next();
    await this.#pieces.return?.();
  }
}

async function* readPieces(
  source: ByteSource,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, void> {
  for (let offset = 0; offset < source.sizeBytes; offset += READ_BYTES) {
    signal?.throwIfAborted();
    yield await source.read(offset, Math.min(READ_BYTES, source.sizeBytes - offset));
  }
}

/** The whole file as UTF-8 text, byte order mark and all. Bytes that are not UTF-8 become U+FFFD. */
export async function readText(source: ByteSource, options?: ReadOptions): Promise<string> {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(await readAll(source, options));
}
