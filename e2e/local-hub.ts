import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { open, stat } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';

/** A file of a repository: its bytes, or a path on disk for one that is too large to hold. */
export type HubContent = Uint8Array | string;

export interface HubRepositoryContent {
  files: Record<string, HubContent>;
  /** `gated`: its terms must be accepted; `private`: without a token it seems not to be there. */
  access?: 'gated' | 'private';
}

/** One request, as a test sees it before it is answered. */
export interface HubRequest {
  /** `storage` is the second origin, to which large files are redirected. */
  kind: 'api' | 'resolve' | 'storage';
  repository: string;
  /** Path in the repository; empty for the API. */
  path: string;
  /** First byte asked for. */
  start: number;
  /** After the last one. */
  end: number;
  /** Requests of this kind for this path so far, from 1. */
  count: number;
  authorization: string | undefined;
}

/** What goes wrong with an answer. Bytes are counted within the answer. */
export type HubFault =
  | { kind: 'status'; status: number; headers?: Record<string, string> }
  /** The connection is closed after so many bytes. */
  | { kind: 'truncate'; afterBytes: number }
  /** Nothing more comes, and the connection stays open. */
  | { kind: 'stall'; afterBytes: number }
  /** The byte at this offset of the file is another one. */
  | { kind: 'wrong-byte'; offset: number }
  /** The file has changed: another ETag. */
  | { kind: 'etag'; etag: string }
  /** The whole file comes, whatever range was asked for. */
  | { kind: 'no-ranges' }
  | { kind: 'slow'; bytesPerSecond: number };

export interface LocalHubOptions {
  /** By id; a data set's begins with `datasets/`. */
  repositories: Record<string, HubRepositoryContent>;
  /** Asked for every request; undefined: all is well. */
  fault?: (request: HubRequest) => HubFault | undefined;
  /** Accepted as bearer token for gated and private repositories. */
  token?: string;
  /** Entries of a page of the file listing; the real hub has 1,000. */
  pageSize?: number;
  /** What the API says the sha256 of a file is, where it should not be the truth. */
  listedSha256?: Record<string, string>;
}

export interface LocalHub {
  /** Origin of the API and of `resolve`. */
  readonly endpoint: string;
  readonly storageOrigin: string;
  readonly requests: readonly HubRequest[];
  /** Payload bytes of `resolve` and `storage` that went out. */
  readonly sentBytes: number;
  /** May be replaced while the hub runs. */
  fault: LocalHubOptions['fault'];
  /** A push: the file changes, and with it the commit. */
  push(repository: string, path: string, content: HubContent): Promise<void>;
  commitOf(repository: string): string;
  close(): Promise<void>;
}

interface StoredFile {
  content: HubContent;
  sizeBytes: number;
  sha256: string;
  gitOid: string;
}

interface Repository {
  files: Map<string, StoredFile>;
  access: HubRepositoryContent['access'];
  commit: string;
  /** Old commits still resolve, as on the real hub. */
  history: Map<string, Map<string, StoredFile>>;
}

/** What the real hub lets a page read. */
const EXPOSED =
  'X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,ETag,Link,Accept-Ranges,Content-Range,X-Linked-Size,X-Linked-ETag';
/** Kept in large file storage, as `.gitattributes` of a model repository says. */
const LARGE = /\.(safetensors|bin|gguf|onnx|onnx_data(_\d+)?|model)$/;

/** A hub on 127.0.0.1 that answers as the real one does, with faults on request. */
export async function startLocalHub(options: LocalHubOptions): Promise<LocalHub> {
  const repositories = new Map<string, Repository>();
  for (const [id, { files, access }] of Object.entries(options.repositories)) {
    const repository: Repository = { files: new Map(), access, commit: '', history: new Map() };
    for (const [path, content] of Object.entries(files)) repository.files.set(path, await describeFile(content));
    commit(repository);
    repositories.set(id, repository);
  }
  const requests: HubRequest[] = [];
  let sentBytes = 0;
  let storageOrigin = '';
  let endpoint = '';
  let currentFault = options.fault;

  function record(
    kind: HubRequest['kind'],
    repository: string,
    path: string,
    request: IncomingMessage,
    sizeBytes: number,
  ): HubRequest {
    const range = parseRange(request.headers.range, sizeBytes);
    const count = 1 + requests.filter((other) => other.kind === kind && other.path === path).length;
    const seen: HubRequest = {
      kind,
      repository,
      path,
      start: range?.start ?? 0,
      end: range?.end ?? sizeBytes,
      count,
      authorization: request.headers.authorization,
    };
    requests.push(seen);
    return seen;
  }

  async function answerHub(request: IncomingMessage, response: ServerResponse): Promise<void> {
    cors(request, response, EXPOSED);
    if (request.method === 'OPTIONS') return void response.writeHead(204).end();
    const url = new URL(request.url ?? '/', endpoint);
    const api = /^\/api\/(?:models\/)?(.+?)\/(revision|tree)\/([^/]+)$/.exec(url.pathname);
    const resolve = /^\/(.+?)\/resolve\/([^/]+)\/(.+)$/.exec(url.pathname);
    const id = api?.[1] ?? resolve?.[1] ?? '';
    const repository = repositories.get(id);
    const path = decodeURIComponent(resolve?.[3] ?? '');
    const file = repository === undefined ? undefined : filesAt(repository, resolve?.[2] ?? '')?.get(path);
    const seen = record(api === null ? 'resolve' : 'api', id, path, request, file?.sizeBytes ?? 0);
    const fault = currentFault?.(seen);
    if (fault?.kind === 'status') return sendStatus(response, fault);
    const isLetIn = options.token !== undefined && seen.authorization === `Bearer ${options.token}`;
    if (repository === undefined || (repository.access === 'private' && !isLetIn)) {
      return refuse(response, 401, 'RepoNotFound', 'Invalid username or password.');
    }
    if (repository.access === 'gated' && !isLetIn && resolve !== null) {
      const status = seen.authorization === undefined ? 401 : 403;
      return refuse(response, status, 'GatedRepo', `Access to model ${id} is restricted.`);
    }
    const files = filesAt(repository, decodeURIComponent(api?.[3] ?? resolve?.[2] ?? ''));
    if (files === undefined) return refuse(response, 404, 'RevisionNotFound', 'Invalid rev id');
    response.setHeader('x-repo-commit', repository.commit);
    if (api?.[2] === 'revision') {
      return sendJson(response, { id, sha: commitAt(repository, decodeURIComponent(api[3] ?? '')), gated: false });
    }
    if (api?.[2] === 'tree') return sendTree(url, files, response);
    if (file === undefined) return refuse(response, 404, 'EntryNotFound', 'Entry not found');
    if (!LARGE.test(path)) return sendFile(request, response, file, fault);
    // The signature stands for a real one: an address that anybody may read, for a while.
    response.writeHead(302, {
      location: `${storageOrigin}/${encodeURIComponent(id)}/${encodeURIComponent(path)}?sha256=${file.sha256}&signature=x`,
      'x-linked-size': String(file.sizeBytes),
      'x-linked-etag': `"${file.sha256}"`,
    });
    response.end();
  }

  async function answerStorage(request: IncomingMessage, response: ServerResponse): Promise<void> {
    cors(request, response, 'ETag,Content-Range,Accept-Ranges,Content-Length');
    if (request.method === 'OPTIONS') return void response.writeHead(204).end();
    const url = new URL(request.url ?? '/', storageOrigin);
    const [, id = '', path = ''] = url.pathname.split('/').map(decodeURIComponent);
    const repository = repositories.get(id);
    const file = [repository?.files, ...(repository?.history.values() ?? [])]
      .map((files) => files?.get(path))
      .find((candidate) => candidate?.sha256 === url.searchParams.get('sha256'));
    const seen = record('storage', id, path, request, file?.sizeBytes ?? 0);
    const fault = currentFault?.(seen);
    if (fault?.kind === 'status') return sendStatus(response, fault);
    if (file === undefined) return void response.writeHead(403).end();
    return sendFile(request, response, file, fault);
  }

  function sendTree(url: URL, files: ReadonlyMap<string, StoredFile>, response: ServerResponse): void {
    const pageSize = options.pageSize ?? 1000;
    const first = Number(url.searchParams.get('cursor') ?? 0);
    const entries = [...files].slice(first, first + pageSize).map(([path, file]) => ({
      type: 'file',
      oid: file.gitOid,
      size: file.sizeBytes,
      path,
      ...(LARGE.test(path) && {
        lfs: { oid: options.listedSha256?.[path] ?? file.sha256, size: file.sizeBytes, pointerSize: 134 },
      }),
    }));
    if (first + pageSize < files.size) {
      url.searchParams.set('cursor', String(first + pageSize));
      response.setHeader('link', `<${url.href}>; rel="next"`);
    }
    sendJson(response, first === 0 ? [{ type: 'directory', oid: '', size: 0, path: 'onnx' }, ...entries] : entries);
  }

  async function sendFile(
    request: IncomingMessage,
    response: ServerResponse,
    file: StoredFile,
    fault: HubFault | undefined,
  ): Promise<void> {
    const range = fault?.kind === 'no-ranges' ? undefined : parseRange(request.headers.range, file.sizeBytes);
    const { start, end } = range ?? { start: 0, end: file.sizeBytes };
    if (start >= file.sizeBytes && file.sizeBytes > 0) {
      return void response.writeHead(416, { 'content-range': `bytes */${file.sizeBytes}` }).end();
    }
    response.writeHead(range === undefined ? 200 : 206, {
      'content-length': end - start,
      'content-type': 'application/octet-stream',
      'accept-ranges': 'bytes',
      etag: fault?.kind === 'etag' ? fault.etag : `"${file.sha256}"`,
      ...(range !== undefined && { 'content-range': `bytes ${start}-${end - 1}/${file.sizeBytes}` }),
    });
    const pieceBytes = fault?.kind === 'slow' ? Math.max(1, Math.round(fault.bytesPerSecond / 20)) : 256 << 10;
    const cut = fault?.kind === 'truncate' || fault?.kind === 'stall' ? start + fault.afterBytes : end;
    for (let offset = start; offset < Math.min(end, cut);) {
      const piece = await readPiece(file.content, offset, Math.min(pieceBytes, Math.min(end, cut) - offset));
      if (fault?.kind === 'wrong-byte' && fault.offset >= offset && fault.offset < offset + piece.length) {
        piece[fault.offset - offset] = (piece[fault.offset - offset] ?? 0) ^ 1;
      }
      if (response.destroyed) return;
      sentBytes += piece.length;
      if (!response.write(piece)) await drained(response);
      if (fault?.kind === 'slow') await new Promise((resolve) => setTimeout(resolve, 50));
      offset += piece.length;
    }
    if (fault?.kind === 'truncate') response.destroy();
    else if (fault?.kind !== 'stall') response.end();
  }

  const servers = await Promise.all([listen(answerHub), listen(answerStorage)]);
  const [hubServer, storageServer] = servers;
  endpoint = originOf(hubServer);
  storageOrigin = originOf(storageServer);
  return {
    endpoint,
    storageOrigin,
    requests,
    get fault() {
      return currentFault;
    },
    set fault(fault) {
      currentFault = fault;
    },
    get sentBytes() {
      return sentBytes;
    },
    async push(id: string, path: string, content: HubContent) {
      const repository = repositories.get(id);
      if (repository === undefined) throw new Error(`There is no ${id}`);
      repository.files = new Map(repository.files).set(path, await describeFile(content));
      commit(repository);
    },
    commitOf: (id: string) => repositories.get(id)?.commit ?? '',
    async close() {
      for (const server of servers) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
}

async function listen(answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>): Promise<Server> {
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function originOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function commit(repository: Repository): void {
  const names = [...repository.files].map(([path, file]) => `${path} ${file.sha256}`).join('\n');
  repository.commit = createHash('sha1').update(names).digest('hex');
  repository.history.set(repository.commit, repository.files);
}

function commitAt(repository: Repository, revision: string): string {
  return revision === 'main' ? repository.commit : revision;
}

function filesAt(repository: Repository, revision: string): Map<string, StoredFile> | undefined {
  return repository.history.get(commitAt(repository, revision));
}

async function describeFile(content: HubContent): Promise<StoredFile> {
  const sizeBytes = typeof content === 'string' ? (await stat(content)).size : content.length;
  const sha256 = createHash('sha256');
  const git = createHash('sha1').update(`blob ${sizeBytes}\0`);
  for (let offset = 0; offset < sizeBytes;) {
    const piece = await readPiece(content, offset, Math.min(4 << 20, sizeBytes - offset));
    sha256.update(piece);
    git.update(piece);
    offset += piece.length;
  }
  return { content, sizeBytes, sha256: sha256.digest('hex'), gitOid: git.digest('hex') };
}

/** A copy, which may be changed. */
async function readPiece(content: HubContent, offset: number, length: number): Promise<Uint8Array> {
  if (typeof content !== 'string') return Uint8Array.from(content.subarray(offset, offset + length));
  const handle = await open(content, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(new Uint8Array(length), 0, length, offset);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

function parseRange(header: string | undefined, sizeBytes: number): { start: number; end: number } | undefined {
  const match = /^bytes=(\d+)-(\d*)$/.exec(header ?? '');
  if (match === null) return undefined;
  const last = match[2] === '' ? sizeBytes - 1 : Number(match[2]);
  return { start: Number(match[1]), end: Math.min(last + 1, sizeBytes) };
}

function cors(request: IncomingMessage, response: ServerResponse, exposed: string): void {
  response.setHeader('access-control-allow-origin', request.headers.origin ?? '*');
  response.setHeader('vary', 'Origin');
  response.setHeader('access-control-expose-headers', exposed);
  if (request.method === 'OPTIONS') {
    response.setHeader('access-control-allow-headers', 'authorization, range');
    response.setHeader('access-control-allow-methods', 'GET, HEAD, OPTIONS');
  }
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { 'x-error-code': code, 'x-error-message': message, 'content-type': 'application/json' });
  response.end(JSON.stringify({ error: message }));
}

function sendStatus(response: ServerResponse, fault: { status: number; headers?: Record<string, string> }): void {
  response.writeHead(fault.status, fault.headers).end();
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(value));
}

async function drained(response: ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}
