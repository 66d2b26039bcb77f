import { AlignError } from '../align/errors.ts';
import { type ByteSource, checkRange } from '../convert/byte-source.ts';
import type { RemoteClient } from './remote-client.ts';
import type { RemoteFile } from './remote-repository.ts';
import { createSha256, type CreateStreamHash, sha256Hex, type StreamHash } from './sha256.ts';

/** What a file is fetched and remembered in. */
export const BLOCK_BYTES = 2 << 20;
/**
 * Requests on their way at a time, a block each. With the block that a reader is in and two steps of a conversion, one
 * being made and one being stored, a crash costs 8 MiB.
 */
const BLOCKS_AHEAD = 2;
/** Blocks kept behind the stream, for reads that go back a little (rows of a head in another order). */
const BLOCKS_KEPT = 4;
/** A read of at most this much away from the stream is a look at a header: it is fetched by itself. */
const PROBE_BYTES = 256 << 10;

/** Half of a sha256, in hexadecimal digits. */
const DIGEST_LENGTH = 32;

/** How far a file has been read and hashed: enough to go on in another process. JSON data. */
export interface StreamState {
  /** All blocks before this one are in the hash. */
  block: number;
  /** The hash's state, base64. */
  hash: string;
  /** The first half of each block's sha256, 32 hexadecimal digits; as many spaces where the block was not seen yet. */
  blocks: string;
  /** Small reads away from the stream: offset, and bytes in base64. */
  probes: [number, string][];
}

export interface StreamedSourceOptions {
  signal?: AbortSignal | undefined;
  /** Bytes of the file that are in the hash. */
  onProgress?: (hashedBytes: number) => void;
  createHash?: CreateStreamHash;
}

/**
 * A remote file that is read once from front to back without being stored, and is known to be the published one when
 * `finish` resolves. The hub publishes one sha256 of the whole file, so bytes are hashed in the file's order as reads
 * pull them in, some blocks ahead. Whatever is read otherwise, before or after its turn (headers, a step back, a second
 * pass), is held to what went or will go into the hash: a block by its digest, a small read byte by byte.
 */
export class StreamedSource implements ByteSource {
  readonly name: string;
  readonly sizeBytes: number;
  readonly #file: RemoteFile;
  readonly #client: RemoteClient;
  readonly #options: StreamedSourceOptions;
  readonly #hash: StreamHash;
  readonly #digests: string[];
  readonly #probes: Map<number, Uint8Array>;
  /** Blocks that are on their way or kept, by index. */
  readonly #blocks = new Map<number, Promise<Uint8Array>>();
  /** The next one to be hashed. */
  #next: number;
  #advances = 0;
  /** Reads that move the stream do so one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  /** @param state  from `save` of an earlier source of the same file */
  static async open(
    file: RemoteFile,
    client: RemoteClient,
    state: StreamState | undefined,
    options: StreamedSourceOptions = {},
  ): Promise<StreamedSource> {
    const { createHash = createSha256 } = options;
    if (state === undefined) return new StreamedSource(file, client, await createHash(), state, options);
    // Another version of the hash does not take up this one's state: then all is hashed from the start once more.
    const hash = await createHash(fromBase64(state.hash)).catch(() => undefined);
    const from = hash === undefined ? { ...state, block: 0 } : state;
    return new StreamedSource(file, client, hash ?? (await createHash()), from, options);
  }

  private constructor(
    file: RemoteFile,
    client: RemoteClient,
    hash: StreamHash,
    state: StreamState | undefined,
    options: StreamedSourceOptions,
  ) {
    this.name = file.path;
    this.sizeBytes = file.sizeBytes;
    this.#file = file;
    this.#client = client;
    this.#hash = hash;
    this.#options = options;
    this.#next = state?.block ?? 0;
    this.#digests = (state?.blocks.match(/.{32}/g) ?? []).map((digest) => digest.trim());
    this.#probes = new Map((state?.probes ?? []).map(([offset, bytes]) => [offset, fromBase64(bytes)]));
  }

  get hashedBytes(): number {
    return Math.min(this.#next * BLOCK_BYTES, this.sizeBytes);
  }

  read(offset: number, length: number): Promise<Uint8Array> {
    checkRange(this, offset, length);
    const first = Math.floor(offset / BLOCK_BYTES);
    // A read that ends in what the stream is about to bring belongs to it.
    const isNear = first <= this.#next && Math.floor((offset + length - 1) / BLOCK_BYTES) >= this.#next - BLOCKS_KEPT;
    // Before the stream has begun every small read is a look.
    const isLook = !this.#blocks.has(first) && (this.#advances === 0 || !isNear);
    if (length <= PROBE_BYTES && isLook) return this.#probe(offset, length);
    return this.#inTurn(offset, length);
  }

  /**
   * Reads what no read has pulled in yet and compares the whole with the publisher's sha256.
   *
   * @returns the file's sha256
   * @throws AlignError `weights-corrupt` if it is another one
   */
  async finish(): Promise<string> {
    await this.#turn;
    const count = Math.ceil(this.sizeBytes / BLOCK_BYTES);
    while (this.#next < count) await this.#advance();
    this.#blocks.clear();
    const sha256 = await this.#hash.digest();
    const expected = this.#file.digest?.algorithm === 'sha256' ? this.#file.digest.hex : undefined;
    if (expected === undefined || expected === sha256) return sha256;
    throw new AlignError(
      'weights-corrupt',
      `${this.#file.path} came with the sha256 ${sha256.slice(0, 12)}…; its publisher says ${expected.slice(0, 12)}….`,
      { details: { path: this.#file.path, url: this.#file.url, sha256, expected } },
    );
  }

  /** As of the call, whatever is read before it resolves. */
  async save(): Promise<StreamState> {
    const state = {
      block: this.#next,
      blocks: Array.from(this.#digests, (digest) => (digest ?? '').padEnd(DIGEST_LENGTH)).join(''),
      probes: [...this.#probes].map(([offset, bytes]): [number, string] => [offset, toBase64(bytes)]),
    };
    return { ...state, hash: toBase64(await this.#hash.save()) };
  }

  #inTurn(offset: number, length: number): Promise<Uint8Array> {
    const result = this.#turn.then(() => this.#readBlocks(offset, length));
    this.#turn = result.catch(() => {});
    return result;
  }

  async #readBlocks(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (let filled = 0; filled < length;) {
      const position = offset + filled;
      const index = Math.floor(position / BLOCK_BYTES);
      while (this.#next < index) await this.#advance();
      const block = index === this.#next ? await this.#advance() : await this.#block(index);
      const part = block.subarray(position % BLOCK_BYTES, (position % BLOCK_BYTES) + length - filled);
      bytes.set(part, filled);
      filled += part.length;
    }
    return bytes;
  }

  /** Takes the next block into the hash and sends for those after it. */
  async #advance(): Promise<Uint8Array> {
    const index = this.#next;
    const count = Math.ceil(this.sizeBytes / BLOCK_BYTES);
    // Slowly at first: whoever only looks at the header should not pay for what comes after it.
    const window = Math.min(BLOCKS_AHEAD, ++this.#advances);
    for (let ahead = index; ahead < Math.min(index + window, count); ahead += 1) void this.#block(ahead);
    const block = await this.#block(index);
    // Together: `save` may be called while the hash is at work.
    const fed = this.#hash.update(block);
    this.#next = index + 1;
    await fed;
    for (const kept of this.#blocks.keys()) if (kept < index - BLOCKS_KEPT) this.#blocks.delete(kept);
    this.#options.onProgress?.(this.hashedBytes);
    return block;
  }

  /** A block, which is what it was the last time, if there was one. */
  #block(index: number): Promise<Uint8Array> {
    const known = this.#blocks.get(index);
    if (known !== undefined) return known;
    const block = this.#fetchBlock(index);
    this.#blocks.set(index, block);
    // A failure is forgotten: the next read asks again.
    block.catch(() => this.#blocks.delete(index));
    return block;
  }

  async #fetchBlock(index: number): Promise<Uint8Array> {
    const start = index * BLOCK_BYTES;
    const bytes = await this.#fetch(start, Math.min(BLOCK_BYTES, this.sizeBytes - start));
    const digest = (await sha256Hex(bytes)).slice(0, DIGEST_LENGTH);
    const known = this.#digests[index] ?? '';
    if (known !== '' && known !== digest) throw this.#otherBytes(start);
    for (const [offset, probe] of this.#probes) {
      const from = Math.max(offset, start);
      const to = Math.min(offset + probe.length, start + bytes.length);
      for (let i = from; i < to; i += 1) if (bytes[i - start] !== probe[i - offset]) throw this.#otherBytes(i);
    }
    this.#digests[index] = digest;
    return bytes;
  }

  async #probe(offset: number, length: number): Promise<Uint8Array> {
    for (const [start, known] of this.#probes) {
      if (start <= offset && offset + length <= start + known.length) {
        return known.slice(offset - start, offset - start + length);
      }
    }
    const first = Math.floor(offset / BLOCK_BYTES);
    const last = Math.floor(Math.max(offset, offset + length - 1) / BLOCK_BYTES);
    const seen = Array.from({ length: last - first + 1 }, (_, i) => this.#digests[first + i] ?? '');
    // What was seen already can only be checked by whole blocks.
    if (seen.some((digest) => digest !== '')) return this.#inTurn(offset, length);
    const bytes = await this.#fetch(offset, length);
    this.#probes.set(offset, bytes.slice());
    return bytes;
  }

  async #fetch(start: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    let filled = 0;
    for await (const piece of this.#client.bytes(this.#file, start, start + length, this.#options.signal)) {
      bytes.set(piece, filled);
      filled += piece.length;
    }
    if (this.#client.lacksRanges(this.#file)) {
      throw new AlignError(
        'weights-unreachable',
        `${this.#file.url} sends the whole file for each part of it; a checkpoint can only be read from a host with ranges.`,
        { details: { url: this.#file.url, status: 200 } },
      );
    }
    return bytes;
  }

  #otherBytes(offset: number): AlignError {
    return new AlignError(
      'weights-corrupt',
      `${this.#file.path} came with other bytes near ${offset.toLocaleString('en-US')} than when it was read before.`,
      { details: { path: this.#file.path, url: this.#file.url, offset } },
    );
  }
}

function toBase64(bytes: Uint8Array): string {
  let text = '';
  // A long argument list overflows the stack.
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
