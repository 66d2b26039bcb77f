import { constants } from 'node:fs';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { Readable } from 'node:stream';
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { getMimeType } from 'hono/utils/mime';

/** Above it, a file waits for a place: weights, tokenizers and onnxruntime's binaries, and nothing else of the page. */
const LARGE_FILE_BYTES = 1 << 20;

/** Pieces that large files are read in: larger ones cost memory, smaller ones time. Of one file three or so are held at a time. */
const LARGE_PIECE_BYTES = 1 << 18;

/** Any number of small files may be sent at a time, to clients that read slowly too. */
const SMALL_PIECE_BYTES = 1 << 16;

export interface FileOptions {
  /** For the answer. */
  cacheControl: string;
  /**
   * Waits until a large file may be opened.
   *
   * @returns to be called when it was sent
   * @throws the signal's reason
   */
  enter: (signal: AbortSignal) => Promise<() => void>;
}

/** For one request's file. */
export type FileOptionsOf = (context: Context<{ Bindings: HttpBindings }>, cacheControl: string) => FileOptions;

/** @returns the path of the address, decoded once and without its first slash; undefined when it is not well encoded */
export function requestedPath(request: Request): string | undefined {
  try {
    return decodeURIComponent(new URL(request.url).pathname.slice(1));
  } catch {
    return undefined;
  }
}

/**
 * The file below `root` that a request names, whole or by one range.
 *
 * @param path  relative, decoded, with `/`
 * @returns undefined if there is no such file inside `root`, links that lead out of it included
 */
export async function fileResponse(
  request: Request,
  root: string,
  path: string,
  { cacheControl, enter }: FileOptions,
): Promise<Response | undefined> {
  const found = await findInside(root, path);
  if (found === undefined) return undefined;
  // Before it is opened: those who wait hold nothing.
  const isLarge = found.sizeBytes > LARGE_FILE_BYTES;
  const leave = isLarge && request.method !== 'HEAD' ? await enter(request.signal) : () => {};
  const file = await openFound(found.path).catch((error: unknown) => {
    leave();
    throw error;
  });
  if (file === undefined) {
    leave();
    return undefined;
  }
  let isHandedOver = false;
  try {
    const { size, mtimeMs } = await file.stat();
    const etag = `"${size.toString(36)}-${Math.floor(mtimeMs * 1000).toString(36)}"`;
    const headers = new Headers({
      'Accept-Ranges': 'bytes',
      'Cache-Control': cacheControl,
      'Content-Type': getMimeType(path) ?? 'application/octet-stream',
      ETag: etag,
    });
    // Weak where it was sent packed.
    if (request.headers.get('if-none-match')?.replace(/^W\//, '') === etag)
      return new Response(null, { status: 304, headers });

    const range = requestedRange(request, size, etag);
    if (range === 'unsatisfiable') {
      headers.set('Content-Range', `bytes */${size}`);
      return new Response(null, { status: 416, headers });
    }
    const { start, end } = range ?? { start: 0, end: size };
    headers.set('Content-Length', String(end - start));
    if (range !== undefined) headers.set('Content-Range', `bytes ${start}-${end - 1}/${size}`);
    const status = range === undefined ? 200 : 206;
    if (request.method === 'HEAD' || end === start) return new Response(null, { status, headers });
    // The stream closes the file, at its end or when the client leaves.
    const highWaterMark = isLarge ? LARGE_PIECE_BYTES : SMALL_PIECE_BYTES;
    const stream = file.createReadStream({ start, end: end - 1, highWaterMark });
    stream.once('close', leave);
    // A client that left before anything was read of it leaves nobody else to close it.
    request.signal.addEventListener('abort', () => stream.destroy(), { once: true });
    isHandedOver = true;
    return new Response(Readable.toWeb(stream) as ReadableStream<Uint8Array>, { status, headers });
  } finally {
    if (!isHandedOver) {
      leave();
      await file.close();
    }
  }
}

/** @returns its real path, in which no link is left */
async function findInside(root: string, path: string): Promise<{ path: string; sizeBytes: number } | undefined> {
  if (!path.split('/').every(isPlainName)) return undefined;
  return unlessAbsent(async () => {
    const inside = await realpath(root);
    const file = await realpath(join(inside, path));
    return file.startsWith(inside + sep) ? { path: file, sizeBytes: (await stat(file)).size } : undefined;
  });
}

async function openFound(path: string): Promise<FileHandle | undefined> {
  return unlessAbsent(async () => {
    // A link that is put there now is not followed.
    const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
    return undefined;
  });
}

async function unlessAbsent<T>(look: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const isAbsent = ['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'EACCES', 'ENAMETOOLONG'].includes(String(code));
    if (!isAbsent) throw error;
    return undefined;
  }
}

/** Neither a step up nor a second separator nor a drive, and no hidden file. */
function isPlainName(name: string): boolean {
  return name !== '' && !name.startsWith('.') && !/[\\/:\0]/.test(name);
}

/**
 * One range as RFC 9110 has it. Several ranges, or a range of a file that changed since, get the whole file.
 *
 * @returns `end` is exclusive; undefined for the whole file
 */
function requestedRange(
  request: Request,
  sizeBytes: number,
  etag: string,
): { start: number; end: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(request.headers.get('range') ?? '');
  const ifRange = request.headers.get('if-range');
  if (match === null || (ifRange !== null && ifRange !== etag)) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return undefined;
  if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined;
  const start = first === '' ? Math.max(sizeBytes - Number(last), 0) : Number(first);
  const end = first === '' || last === '' ? sizeBytes : Math.min(Number(last) + 1, sizeBytes);
  return start < end ? { start, end } : 'unsatisfiable';
}
