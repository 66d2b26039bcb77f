import { AlignError } from '../align/errors.ts';
import { type ByteSource, checkRange, type SourceFolder, memorySource } from '../convert/byte-source.ts';
import { CLASSIFIER_MANIFEST_PATH, parseClassifierManifest } from '../convert/classifier/classifier-manifest.ts';
import { MANIFEST_PATH } from '../convert/manifest.ts';
import { isInsidePath, MAX_MANIFEST_BYTES, parseManifest } from '../convert/parse-manifest.ts';
import { HttpRequest } from './http-request.ts';

export interface HttpFolderOptions {
  /** Ends every request of the folder; they then reject with its reason. */
  signal?: AbortSignal;
  /** A request that brings no byte for this long has failed. */
  stallMs?: number;
}

const STALL_MS = 30_000;

/** Times that one file's download goes on where it was cut off. */
const MAX_RESUMES = 5;

/** What a folder holds. */
interface Listing {
  /** Files that were read to know it, by path. */
  inMemory: ReadonlyMap<string, Uint8Array>;
  /** Bytes of the others, as the manifest says: HTTP's own figure is that of the compressed body where there is one. */
  sizes: ReadonlyMap<string, number>;
}

/** A classifier's texts: a vocabulary of a quarter of a million pieces has less. */
const MAX_CLASSIFIER_TEXT_BYTES = 64 << 20;
const CLASSIFIER_TEXTS = ['config.json', 'tokenizer.json', 'tokenizer_config.json'];

/**
 * A converted folder behind HTTP; metaaligner.json lists its files. A download that is cut off goes on where it was,
 * by a range request where the server knows them.
 *
 * @param baseUrl  absolute address of the folder
 * @throws (all of it) AlignError `weights-missing` (404, or not in the manifest), `weights-unreachable` (no answer, no
 *   bytes, any other status), `weights-corrupt` (another size than the manifest's); details hold `url` and `status`
 */
export function httpFolder(baseUrl: string, options: HttpFolderOptions = {}): SourceFolder {
  const base = new URL(baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`);
  const client = new RangeClient(options, MANIFEST_PATH);
  return folderOf(base, client, MANIFEST_PATH, () => listModel(new URL(MANIFEST_PATH, base), client));
}

/**
 * A converted classifier's folder behind HTTP; classifier.json lists its weights.
 *
 * @throws as {@link httpFolder}
 */
export function httpClassifierFolder(baseUrl: string, options: HttpFolderOptions = {}): SourceFolder {
  const base = new URL(baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`);
  const client = new RangeClient(options, CLASSIFIER_MANIFEST_PATH);
  return folderOf(base, client, CLASSIFIER_MANIFEST_PATH, () => listClassifier(base, client));
}

function folderOf(
  base: URL,
  client: RangeClient,
  manifestPath: string,
  readListing: () => Promise<Listing>,
): SourceFolder {
  let listing: Promise<Listing> | undefined;
  // A memo that forgets failures: the next call asks again.
  const list = () =>
    (listing ??= readListing().catch((error: unknown) => {
      listing = undefined;
      throw error;
    }));

  return {
    name: base.href,
    async list() {
      const { inMemory, sizes } = await list();
      return [...inMemory.keys(), ...sizes.keys()];
    },
    async open(path) {
      const { inMemory, sizes } = await list();
      const url = isInsidePath(path) ? new URL(path, base) : undefined;
      const bytes = inMemory.get(path);
      if (url !== undefined && bytes !== undefined) return memorySource(url.href, bytes);
      const sizeBytes = sizes.get(path);
      if (url === undefined || sizeBytes === undefined) {
        throw new AlignError('weights-missing', `${base.href} has no ${path}; its ${manifestPath} does not list it.`, {
          details: { url: base.href, path },
        });
      }
      await client.checkExists(url, sizeBytes);
      return {
        name: url.href,
        sizeBytes,
        async read(offset, length) {
          checkRange({ name: url.href, sizeBytes }, offset, length);
          const result = new Uint8Array(length);
          let filled = 0;
          for await (const piece of client.bytes(url, { start: offset, end: offset + length, sizeBytes })) {
            result.set(piece, filled);
            filled += piece.length;
          }
          return result;
        },
        stream: (signal) => client.bytes(url, { start: 0, end: sizeBytes, sizeBytes }, signal),
      } satisfies ByteSource;
    },
  };
}

async function listModel(url: URL, client: RangeClient): Promise<Listing> {
  const bytes = await client.smallFile(url, MAX_MANIFEST_BYTES);
  const { variants, sidecars } = parseManifest(new TextDecoder().decode(bytes), new URL('.', url).href);
  const files = [...Object.values(variants).flat(), ...sidecars];
  return {
    inMemory: new Map([[MANIFEST_PATH, bytes]]),
    sizes: new Map(files.map((file) => [file.path, file.sizeBytes] as const)),
  };
}

async function listClassifier(base: URL, client: RangeClient): Promise<Listing> {
  const manifestUrl = new URL(CLASSIFIER_MANIFEST_PATH, base);
  const bytes = await client.smallFile(manifestUrl, MAX_MANIFEST_BYTES);
  const { variants } = await parseClassifierManifest(memorySource(manifestUrl.href, bytes));
  const inMemory = new Map([[CLASSIFIER_MANIFEST_PATH, bytes]]);
  for (const path of CLASSIFIER_TEXTS) {
    inMemory.set(path, await client.smallFile(new URL(path, base), MAX_CLASSIFIER_TEXT_BYTES));
  }
  const files = Object.values(variants).flat();
  return { inMemory, sizes: new Map(files.map((file) => [file.path, file.sizeBytes] as const)) };
}

interface Range {
  start: number;
  /** Exclusive. */
  end: number;
  /** Of the whole file. */
  sizeBytes: number;
}

/** Reads files and ranges of files; a file of another size than expected is an error. */
class RangeClient {
  readonly #signal: AbortSignal | undefined;
  readonly #stallMs: number;
  /** What says how long files are. */
  readonly #manifestPath: string;

  constructor({ signal, stallMs = STALL_MS }: HttpFolderOptions, manifestPath: string) {
    this.#signal = signal;
    this.#stallMs = stallMs;
    this.#manifestPath = manifestPath;
  }

  /** @returns the body, refused beyond `maxBytes` */
  async smallFile(url: URL, maxBytes: number): Promise<Uint8Array> {
    const request = this.#request(url);
    try {
      const pieces: Uint8Array[] = [];
      let length = 0;
      for await (const piece of request.body(await request.answer())) {
        length += piece.length;
        if (length > maxBytes) throw sizeError(url, `is longer than ${format(maxBytes)} bytes`, { maxBytes });
        pieces.push(piece);
      }
      const bytes = new Uint8Array(length);
      let offset = 0;
      for (const piece of pieces) {
        bytes.set(piece, offset);
        offset += piece.length;
      }
      return bytes;
    } finally {
      request.close();
    }
  }

  /** So that a missing last file is known before the first is downloaded. */
  async checkExists(url: URL, sizeBytes: number): Promise<void> {
    const request = this.#request(url, { method: 'HEAD' });
    try {
      const { status } = await request.response();
      // Some hosts do not answer HEAD, or not without a signature: then the download tells.
      if (![403, 405, 501].includes(status)) this.#checkSize(url, await request.answer(), sizeBytes);
    } finally {
      request.close();
    }
  }

  /** The bytes of the range in order, exactly as many as it has. */
  async *bytes(url: URL, range: Range, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    let position = range.start;
    for (let resumes = 0; position < range.end; resumes += 1) {
      const startedAt = position;
      try {
        for await (const piece of this.#bytesOfOneRequest(url, { ...range, start: position }, signal)) {
          position += piece.length;
          yield piece;
        }
      } catch (error) {
        // Cut off, not refused: what came is kept.
        const wasCutOff = error instanceof AlignError && error.code === 'weights-unreachable' && position > startedAt;
        if (!wasCutOff || resumes === MAX_RESUMES) throw error;
      }
    }
  }

  async *#bytesOfOneRequest(
    url: URL,
    range: Range,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array, void, void> {
    const isWhole = range.start === 0 && range.end === range.sizeBytes;
    const headers: Record<string, string> = isWhole ? {} : { range: `bytes=${range.start}-${range.end - 1}` };
    const request = this.#request(url, { headers, signal });
    try {
      const response = await request.answer();
      const isRange = response.status === 206;
      if (!isRange) this.#checkSize(url, response, range.sizeBytes);
      // A server without ranges sends the file from its start.
      let position = isRange ? range.start : 0;
      for await (const piece of request.body(response)) {
        const from = Math.max(range.start - position, 0);
        const to = Math.min(range.end - position, piece.length);
        position += piece.length;
        if (to > from) yield piece.subarray(from, to);
        if (position > range.sizeBytes) throw this.#differentSize(url, range.sizeBytes, position);
        if (position >= range.end && !isWhole) return;
      }
      if (position < range.end) throw this.#differentSize(url, range.sizeBytes, position);
    } finally {
      request.close();
    }
  }

  /** Tells before the download where the answer's length is the file's: it is the compressed body's if there is one. */
  #checkSize(url: URL, response: Response, sizeBytes: number): void {
    const length = response.headers.get('content-length');
    // Another origin may hide content-encoding; then only the bytes tell.
    const isPlain = response.type !== 'cors' && !response.headers.has('content-encoding');
    if (length !== null && isPlain && Number(length) !== sizeBytes) {
      throw this.#differentSize(url, sizeBytes, Number(length));
    }
  }

  #differentSize(url: URL, sizeBytes: number, foundBytes: number): AlignError {
    const found = `${format(foundBytes)} bytes${foundBytes > sizeBytes ? ' or more' : ''}`;
    return sizeError(url, `has ${found}; ${this.#manifestPath} says ${format(sizeBytes)}`, { sizeBytes, foundBytes });
  }

  #request(
    url: URL,
    options: { method?: 'HEAD'; headers?: Record<string, string>; signal?: AbortSignal | undefined } = {},
  ): HttpRequest {
    const { signal, ...rest } = options;
    return new HttpRequest(url, { ...rest, signals: [this.#signal, signal], stallMs: this.#stallMs });
  }
}

function sizeError(url: URL, what: string, details: Record<string, unknown>): AlignError {
  return new AlignError('weights-corrupt', `${url.href} ${what}.`, { details: { url: url.href, ...details } });
}

function format(count: number): string {
  return count.toLocaleString('en-US');
}
