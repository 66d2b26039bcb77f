import { AlignError } from '../align/errors.ts';
import { type ByteSource, type SourceFolder, memorySource } from '../convert/byte-source.ts';
import type { RemoteClient } from './remote-client.ts';
import type { RemoteFile } from './remote-repository.ts';
import { type CreateStreamHash, gitBlobId, sha256Hex } from './sha256.ts';
import { StreamedSource, type StreamState } from './streamed-source.ts';

/** Files with weights are streamed; others are fetched whole, so they must be of a size that memory takes. */
const WEIGHTS = /\.(safetensors|gguf|bin)$/i;
const MAX_WHOLE_BYTES = 64 << 20;

export interface RemoteFolderOptions {
  signal?: AbortSignal | undefined;
  /** From `save` of an earlier folder at the same revision. */
  streams?: Readonly<Record<string, StreamState>> | undefined;
  /** Bytes of all streamed files that were hashed. */
  onProgress?: (file: string, hashedBytes: number) => void;
  /** For the files that are streamed. */
  createHash?: CreateStreamHash | undefined;
}

/** The files of a checkpoint at a remote host, each held to its digest: small ones when read, weights by `finish`. */
export class RemoteFolder implements SourceFolder {
  readonly name: string;
  readonly #files: ReadonlyMap<string, RemoteFile>;
  readonly #client: RemoteClient;
  readonly #options: RemoteFolderOptions;
  readonly #streams = new Map<string, StreamedSource>();
  readonly #whole = new Map<string, ByteSource>();

  constructor(name: string, files: readonly RemoteFile[], client: RemoteClient, options: RemoteFolderOptions = {}) {
    this.name = name;
    this.#files = new Map(files.map((file) => [file.path, file]));
    this.#client = client;
    this.#options = options;
  }

  async list(): Promise<readonly string[]> {
    return [...this.#files.keys()];
  }

  async open(path: string): Promise<ByteSource> {
    const file = this.#files.get(path);
    if (file === undefined) {
      throw new AlignError('weights-missing', `${this.name} has no ${path}.`, { details: { path, folder: this.name } });
    }
    const known = this.#streams.get(path) ?? this.#whole.get(path);
    if (known !== undefined) return known;
    if (!WEIGHTS.test(path)) {
      const source = memorySource(path, await this.#fetchWhole(file));
      this.#whole.set(path, source);
      return source;
    }
    const stream = await StreamedSource.open(file, this.#client, this.#options.streams?.[path], {
      signal: this.#options.signal,
      onProgress: () => this.#options.onProgress?.(path, this.hashedBytes),
      ...(this.#options.createHash && { createHash: this.#options.createHash }),
    });
    this.#streams.set(path, stream);
    return stream;
  }

  get hashedBytes(): number {
    return [...this.#streams.values()].reduce((sum, { hashedBytes }) => sum + hashedBytes, 0);
  }

  /** @throws AlignError `weights-corrupt` if a file that was opened is not the published one */
  async finish(): Promise<void> {
    for (const stream of this.#streams.values()) await stream.finish();
  }

  /** As of the call. */
  async save(): Promise<Record<string, StreamState>> {
    const states = [...this.#streams].map(async ([path, stream]) => [path, await stream.save()] as const);
    return Object.fromEntries(await Promise.all(states));
  }

  /** @throws AlignError `weights-corrupt` if it does not match its digest twice */
  async #fetchWhole(file: RemoteFile): Promise<Uint8Array> {
    if (file.sizeBytes > MAX_WHOLE_BYTES) {
      throw new AlignError('weights-corrupt', `${file.path} has ${file.sizeBytes} bytes, too many for such a file.`, {
        details: { path: file.path, sizeBytes: file.sizeBytes },
      });
    }
    for (let attempt = 0; ; attempt += 1) {
      const bytes = new Uint8Array(file.sizeBytes);
      let filled = 0;
      for await (const piece of this.#client.bytes(file, 0, file.sizeBytes, this.#options.signal)) {
        bytes.set(piece, filled);
        filled += piece.length;
      }
      if (await isRight(file, bytes)) return bytes;
      if (attempt === 1) {
        throw new AlignError('weights-corrupt', `${file.path} came twice with another checksum than published.`, {
          details: { path: file.path, url: file.url, expected: file.digest?.hex },
        });
      }
    }
  }
}

async function isRight({ digest }: RemoteFile, bytes: Uint8Array): Promise<boolean> {
  if (digest === undefined) return true;
  if (digest.algorithm === 'sha256') return (await sha256Hex(bytes)) === digest.hex;
  return ((await gitBlobId(bytes)) ?? digest.hex) === digest.hex;
}
