import { AlignError } from '../align/errors.ts';
import { type Pace, realPace } from './pace.ts';
import type { RemoteClient } from './remote-client.ts';
import type { RemoteFile } from './remote-repository.ts';
import { createSha256, type CreateStreamHash, gitBlobId } from './sha256.ts';
import { SpeedMeter, type TransferProgress } from './speed-meter.ts';
import { CHUNK_BYTES, chunkCount, chunkLength, type Staging, type StoredFile } from './staging.ts';

export interface DownloadOptions {
  signal?: AbortSignal | undefined;
  onProgress?: (progress: TransferProgress) => void;
  pace?: Pace;
  /** Requests at a time. */
  connections?: number;
  /** What one request asks for at most. */
  chunksPerRequest?: number;
  /** Checksums that an earlier download of the same revision found, for files whose host publishes none. */
  firstUse?: ReadonlyMap<string, string>;
  createHash?: CreateStreamHash;
}

const CONNECTIONS = 4;
/** One request brings up to 16 MiB: long enough that its start does not count, short enough to share the rest evenly. */
const CHUNKS_PER_REQUEST = 8;

/**
 * Brings files into a staging, several ranges at a time, and checks each against its digest. Chunks that are there
 * already are kept, so a second call goes on where the first one ended, however it ended.
 *
 * A file that hashes wrong is fetched once more and compared chunk by chunk; the chunks that came out otherwise are
 * replaced. If it is still wrong it is removed and refused.
 *
 * @returns the files in the order given, with the sha256 of what is kept
 * @throws AlignError `weights-corrupt` for a file that does not match its digest twice; what {@link RemoteClient} and
 *   {@link Staging} throw; the signal's reason
 */
export async function downloadFiles(
  files: readonly RemoteFile[],
  staging: Staging,
  client: RemoteClient,
  options: DownloadOptions = {},
): Promise<StoredFile[]> {
  const { pace = realPace, onProgress, signal } = options;
  const totalBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const meter = new SpeedMeter(() => pace.now());
  let loadedBytes = 0;
  const report = (phase: TransferProgress['phase'], file: string, bytes: number) => {
    loadedBytes += bytes;
    meter.add(loadedBytes);
    const [bytesPerSecond, secondsLeft] = [meter.bytesPerSecond(), meter.secondsLeft(totalBytes)];
    onProgress?.({ phase, file, loadedBytes, totalBytes, bytesPerSecond, secondsLeft });
  };
  // What is there from before counts as loaded, and does not count as speed.
  for (const file of files) {
    for (const index of await staging.listChunks(file.path)) loadedBytes += chunkLength(file.sizeBytes, index);
  }
  const stored: StoredFile[] = [];
  for (const file of files) {
    const fetcher = new FileFetcher(file, staging, client, options, report);
    let sha256 = await fetcher.fetchAndHash(signal);
    if (!(await isRight(file, sha256, staging, options.firstUse))) {
      sha256 = await fetcher.fetchAgain(signal);
      if (!(await isRight(file, sha256, staging, options.firstUse))) {
        await staging.removeFile(file.path);
        throw wrongHash(file, sha256, options.firstUse);
      }
    }
    stored.push({ path: file.path, sizeBytes: file.sizeBytes, sha256 });
  }
  return stored;
}

type Report = (phase: TransferProgress['phase'], file: string, bytes: number) => void;

/** One file's chunks. */
class FileFetcher {
  readonly #file: RemoteFile;
  readonly #staging: Staging;
  readonly #client: RemoteClient;
  readonly #connections: number;
  readonly #chunksPerRequest: number;
  readonly #report: Report;
  readonly #createHash: CreateStreamHash;

  constructor(
    file: RemoteFile,
    staging: Staging,
    client: RemoteClient,
    { connections = CONNECTIONS, chunksPerRequest = CHUNKS_PER_REQUEST, createHash = createSha256 }: DownloadOptions,
    report: Report,
  ) {
    this.#file = file;
    this.#staging = staging;
    this.#client = client;
    this.#connections = connections;
    this.#chunksPerRequest = chunksPerRequest;
    this.#report = report;
    this.#createHash = createHash;
  }

  /** Fetches the chunks that are missing while those that are there are read back and hashed, in order. */
  async fetchAndHash(signal: AbortSignal | undefined): Promise<string> {
    const count = chunkCount(this.#file.sizeBytes);
    const present = new Set(await this.#staging.listChunks(this.#file.path));
    const missing = Array.from({ length: count }, (_, i) => i).filter((i) => !present.has(i));
    return allOrNone(signal, (stop) => {
      const arrived = new Arrivals(present, stop);
      return [
        this.#hashStored(arrived, count, stop),
        ...this.#connectionsOver(new ChunkQueue(missing), stop, async (index, bytes) => {
          await this.#staging.write([{ path: this.#file.path, index, bytes }]);
          this.#report('downloading', this.#file.path, bytes.length);
          arrived.add(index);
        }),
      ];
    }).then(([sha256]) => sha256 as string);
  }

  /** Fetches all chunks once more and replaces those that differ from what is kept. */
  async fetchAgain(signal: AbortSignal | undefined): Promise<string> {
    const count = chunkCount(this.#file.sizeBytes);
    const all = Array.from({ length: count }, (_, i) => i);
    await allOrNone(signal, (stop) =>
      this.#connectionsOver(new ChunkQueue(all), stop, async (index, bytes) => {
        const kept = await this.#staging.readChunk(this.#file.path, index);
        this.#report('checking', this.#file.path, 0);
        if (!areEqual(kept, bytes)) await this.#staging.write([{ path: this.#file.path, index, bytes }]);
      }),
    );
    return this.#hashStored(new Arrivals(new Set(all), signal), count, signal);
  }

  /** What is hashed is what is kept, not what came over the wire. */
  async #hashStored(arrived: Arrivals, count: number, signal: AbortSignal | undefined): Promise<string> {
    const hasher = await this.#createHash();
    for (let index = 0; index < count; index += 1) {
      await arrived.has(index);
      signal?.throwIfAborted();
      await hasher.update(await this.#staging.readChunk(this.#file.path, index));
      if (index % 16 === 0) this.#report('checking', this.#file.path, 0);
    }
    return hasher.digest();
  }

  #connectionsOver(
    queue: ChunkQueue,
    signal: AbortSignal,
    onChunk: (index: number, bytes: Uint8Array) => Promise<void>,
  ): Promise<unknown>[] {
    return Array.from({ length: this.#connections }, async () => {
      for (;;) {
        // A host without ranges sends the file from its start each time: one request for all that is left.
        const run = queue.take(this.#client.lacksRanges(this.#file) ? Infinity : this.#chunksPerRequest);
        if (run === undefined) return;
        await this.#fetchRun(run, signal, onChunk);
      }
    });
  }

  async #fetchRun(
    { first, count }: ChunkRun,
    signal: AbortSignal,
    onChunk: (index: number, bytes: Uint8Array) => Promise<void>,
  ): Promise<void> {
    const { sizeBytes } = this.#file;
    const start = first * CHUNK_BYTES;
    const end = Math.min(start + count * CHUNK_BYTES, sizeBytes);
    let index = first;
    let chunk = new Uint8Array(chunkLength(sizeBytes, index));
    let filled = 0;
    for await (const piece of this.#client.bytes(this.#file, start, end, signal)) {
      for (let taken = 0; taken < piece.length;) {
        const part = piece.subarray(taken, taken + chunk.length - filled);
        chunk.set(part, filled);
        filled += part.length;
        taken += part.length;
        if (filled < chunk.length) continue;
        await onChunk(index, chunk);
        index += 1;
        filled = 0;
        if (index < first + count) chunk = new Uint8Array(chunkLength(sizeBytes, index));
      }
    }
  }
}

interface ChunkRun {
  first: number;
  count: number;
}

/** Chunks that are still to be fetched, handed out in runs of neighbours. */
class ChunkQueue {
  readonly #indices: number[];

  /** @param indices  ascending */
  constructor(indices: readonly number[]) {
    this.#indices = [...indices].reverse();
  }

  take(most: number): ChunkRun | undefined {
    const first = this.#indices.pop();
    if (first === undefined) return undefined;
    let count = 1;
    while (count < most && this.#indices.at(-1) === first + count) {
      this.#indices.pop();
      count += 1;
    }
    return { first, count };
  }
}

/** Which chunks are there, and a wait for the next one. */
class Arrivals {
  readonly #present: Set<number>;
  readonly #signal: AbortSignal | undefined;
  #wake: (() => void) | undefined;

  constructor(present: Set<number>, signal: AbortSignal | undefined) {
    this.#present = present;
    this.#signal = signal;
    signal?.addEventListener('abort', () => this.#wake?.(), { once: true });
  }

  add(index: number): void {
    this.#present.add(index);
    this.#wake?.();
  }

  /** Resolves when the chunk is there. */
  async has(index: number): Promise<void> {
    while (!this.#present.has(index)) {
      this.#signal?.throwIfAborted();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#signal?.throwIfAborted();
  }
}

/** Runs tasks together; the first that fails ends the others, and the call ends when all have ended. */
async function allOrNone(
  signal: AbortSignal | undefined,
  start: (stop: AbortSignal) => Promise<unknown>[],
): Promise<unknown[]> {
  const failing = new AbortController();
  const stop = AbortSignal.any([failing.signal, ...(signal === undefined ? [] : [signal])]);
  let failure: { error: unknown } | undefined;
  const results = await Promise.all(
    start(stop).map((task) =>
      task.catch((error: unknown) => {
        failure ??= { error };
        failing.abort(error);
      }),
    ),
  );
  if (failure !== undefined) throw failure.error;
  return results;
}

async function isRight(
  file: RemoteFile,
  sha256: string,
  staging: Staging,
  firstUse: ReadonlyMap<string, string> | undefined,
): Promise<boolean> {
  if (file.digest === undefined) return (firstUse?.get(file.path) ?? sha256) === sha256;
  if (file.digest.algorithm === 'sha256') return file.digest.hex === sha256;
  const bytes = new Uint8Array(file.sizeBytes);
  for (let i = 0; i < chunkCount(file.sizeBytes); i += 1) {
    bytes.set(await staging.readChunk(file.path, i), i * CHUNK_BYTES);
  }
  return ((await gitBlobId(bytes)) ?? file.digest.hex) === file.digest.hex;
}

function wrongHash(file: RemoteFile, sha256: string, firstUse: ReadonlyMap<string, string> | undefined): AlignError {
  const expected = file.digest?.hex ?? firstUse?.get(file.path);
  const who = file.digest === undefined ? 'its first download had' : 'its publisher says';
  return new AlignError(
    'weights-corrupt',
    `${file.path} came twice with the sha256 ${sha256.slice(0, 12)}…; ${who} ${expected?.slice(0, 12)}…. ` +
      'Nothing of it was kept.',
    { details: { path: file.path, url: file.url, sha256, expected } },
  );
}

function areEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}
