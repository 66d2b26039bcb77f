import { createHash } from 'node:crypto';
import { IDBFactory } from 'fake-indexeddb';
import 'fake-indexeddb/auto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type HubFault, type HubRequest, type LocalHub, startLocalHub } from '../../e2e/local-hub.ts';
import { downloadFiles, type DownloadOptions } from './download.ts';
import { openHubRepository } from './hub.ts';
import { recordedPace } from './pace.fixture.ts';
import { RemoteClient } from './remote-client.ts';
import type { RemoteFile } from './remote-repository.ts';
import type { TransferProgress } from './speed-meter.ts';
import { CHUNK_BYTES, type Staging } from './staging.ts';
import { WeightCache } from './weight-cache.ts';

const ID = 'someone/tiny';
const PATH = 'onnx/model_q4.onnx_data';
const KEY = { source: ID, variant: 'q4' } as const;
/** Five chunks, the last one short: three requests of two. */
const DATA = new Uint8Array(4 * CHUNK_BYTES + 12_345);
for (let i = 0; i < DATA.length; i += 1) DATA[i] = (i * 13 + (i >> 12)) % 251;
const SHA256 = createHash('sha256').update(DATA).digest('hex');

let hub: LocalHub;
let cache: WeightCache;

beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory();
  cache = await WeightCache.open();
});
afterEach(() => hub.close());

interface Setup {
  fault?: (request: HubRequest) => HubFault | undefined;
  files?: Record<string, Uint8Array>;
  listedSha256?: Record<string, string>;
}

async function list({ fault, files = { [PATH]: DATA }, listedSha256 = {} }: Setup = {}): Promise<RemoteFile[]> {
  hub = await startLocalHub({ repositories: { [ID]: { files } }, listedSha256, ...(fault && { fault }) });
  return [...(await openHubRepository({ id: ID, revision: 'main' }, client(), { endpoint: hub.endpoint })).files];
}

function client(): RemoteClient {
  return new RemoteClient({ pace: recordedPace(), stallMs: 200 });
}

async function download(files: RemoteFile[], options: DownloadOptions = {}, staging?: Staging) {
  return downloadFiles(files, staging ?? (await cache.stage(KEY)), client(), {
    pace: recordedPace(),
    chunksPerRequest: 2,
    ...options,
  });
}

async function storedBytes(path = PATH): Promise<Uint8Array> {
  const staging = await cache.stage(KEY);
  const chunks = (await staging.listChunks(path)).map((index) => staging.readChunk(path, index));
  return Buffer.concat(await Promise.all(chunks));
}

async function expectWhole(): Promise<void> {
  expect(Buffer.compare(await storedBytes(), DATA)).toBe(0);
}

/** Bytes asked of the storage origin. */
const askedBytes = () =>
  hub.requests.filter(({ kind }) => kind === 'storage').reduce((sum, { start, end }) => sum + end - start, 0);

describe('downloadFiles', () => {
  it('brings every byte once, by ranges, and tells the sha256', async () => {
    const files = await list();
    expect(await download(files)).toEqual([{ path: PATH, sizeBytes: DATA.length, sha256: SHA256 }]);
    await expectWhole();
    expect(askedBytes()).toBe(DATA.length);
  });

  it('has several requests open at a time', async () => {
    let open = 0;
    const files = await list({
      fault: ({ kind }) => {
        if (kind === 'storage') open += 1;
        return kind === 'storage' ? { kind: 'stall', afterBytes: 0 } : undefined;
      },
    });
    const aborter = new AbortController();
    const outcome = download(files, { signal: aborter.signal, connections: 2 }).catch((error: unknown) => error);
    await until(() => open === 2);
    aborter.abort(new DOMException('enough', 'AbortError'));
    expect(await outcome).toMatchObject({ name: 'AbortError' });
  });

  it.each([
    ['no file', {}],
    ['an empty file', { 'a.bin': new Uint8Array(0) }],
    ['one byte', { 'a.bin': new Uint8Array(1) }],
    ['exactly one chunk', { 'a.bin': DATA.slice(0, CHUNK_BYTES) }],
    ['exactly two chunks', { 'a.bin': DATA.slice(0, 2 * CHUNK_BYTES) }],
    ['three files', { 'a.bin': new Uint8Array(3), 'config.json': new Uint8Array(2), 'c.bin': DATA.slice(0, 9) }],
  ])('brings %s', async (_name, contents: Record<string, Uint8Array>) => {
    const files = await list({ files: contents });
    const stored = await download(files);
    expect(stored.map(({ path, sha256 }) => [path, sha256])).toEqual(
      Object.entries(contents).map(([path, bytes]) => [path, createHash('sha256').update(bytes).digest('hex')]),
    );
  });

  it('goes on where a closed tab left it, and loses at most 8 MiB', async () => {
    const files = await list();
    const aborter = new AbortController();
    const closed = download(files, {
      signal: aborter.signal,
      onProgress: ({ loadedBytes }) => {
        if (loadedBytes > DATA.length * 0.4) aborter.abort();
      },
    });
    await expect(closed).rejects.toMatchObject({ name: 'AbortError' });
    const kept = (await storedBytes()).length;
    const sent = hub.sentBytes;
    expect(kept).toBeGreaterThan(DATA.length * 0.4);
    const progress: TransferProgress[] = [];
    await download(files, { onProgress: (event) => progress.push(event) });
    await expectWhole();
    expect(progress[0]?.loadedBytes).toBeGreaterThanOrEqual(kept);
    expect(hub.sentBytes - sent).toBe(DATA.length - kept);
  });

  it.each([
    ['a server error', { kind: 'status', status: 500 }],
    ['too many requests', { kind: 'status', status: 429, headers: { 'retry-after': '2' } }],
    ['an answer that is cut short', { kind: 'truncate', afterBytes: CHUNK_BYTES + 1 }],
    ['a connection that falls silent', { kind: 'stall', afterBytes: 3 }],
  ] as const)('goes on after %s', async (_name, fault) => {
    const files = await list({ fault: ({ kind, count }) => (kind === 'storage' && count < 3 ? fault : undefined) });
    await download(files);
    await expectWhole();
  });

  it('asks the hub anew when the signed addresses of all connections ran out', async () => {
    let valid = 0;
    const files = await list({
      // An address is good for one answer.
      fault({ kind }) {
        if (kind === 'resolve') valid += 1;
        if (kind !== 'storage') return undefined;
        if (valid === 0) return { kind: 'status', status: 403 };
        valid -= 1;
        return undefined;
      },
    });
    await download(files, { chunksPerRequest: 1 });
    await expectWhole();
    expect(hub.requests.filter(({ kind }) => kind === 'resolve').length).toBeGreaterThan(1);
  });

  it('gives up on a host that only ever fails, and keeps what came', async () => {
    const files = await list({
      fault: ({ kind, count }) => (kind === 'storage' && count > 1 ? { kind: 'status', status: 503 } : undefined),
    });
    await expect(download(files, { connections: 1 })).rejects.toMatchObject({ details: { status: 503 } });
    expect((await storedBytes()).length).toBe(2 * CHUNK_BYTES);
  });

  it('takes a host without ranges, with one request', async () => {
    const files = await list({ fault: ({ kind }) => (kind === 'storage' ? { kind: 'no-ranges' } : undefined) });
    await download(files, { connections: 1 });
    await expectWhole();
    // Two chunks of the first request, then the rest in one.
    expect(hub.requests.filter(({ kind }) => kind === 'storage')).toHaveLength(2);
  });

  it('fetches a wrong byte again, and only then is it whole', async () => {
    const files = await list({
      fault: ({ kind, count }) =>
        kind === 'storage' && count === 1 ? { kind: 'wrong-byte', offset: 1 * CHUNK_BYTES + 1 } : undefined,
    });
    expect(await download(files, { connections: 1 })).toMatchObject([{ sha256: SHA256 }]);
    await expectWhole();
  });

  it('refuses a file that is wrong twice, and keeps nothing of it', async () => {
    const files = await list({
      fault: ({ kind }) => (kind === 'storage' ? { kind: 'wrong-byte', offset: 77 } : undefined),
    });
    await expect(download(files)).rejects.toMatchObject({
      code: 'weights-corrupt',
      details: { path: PATH, expected: SHA256 },
    });
    expect((await storedBytes()).length).toBe(0);
    expect(askedBytes()).toBe(2 * DATA.length);
  });

  it('checks a small file by git’s name for it', async () => {
    const files = await list({
      files: { 'config.json': Buffer.from('{"a":1}') },
      fault: ({ path }) => (path === 'config.json' ? { kind: 'wrong-byte', offset: 5 } : undefined),
    });
    await expect(download(files)).rejects.toMatchObject({ code: 'weights-corrupt' });
  });

  it('notices that the file changed at its host between two requests', async () => {
    const files = await list({
      fault: ({ kind, count }) => (kind === 'storage' && count > 1 ? { kind: 'etag', etag: '"other"' } : undefined),
    });
    await expect(download(files, { connections: 1 })).rejects.toMatchObject({ code: 'weights-changed' });
  });

  it('notices that the file has another size than listed', async () => {
    const [file] = await list();
    await expect(download([{ ...file!, sizeBytes: DATA.length - 1 }])).rejects.toMatchObject({
      code: 'weights-changed',
    });
    await expect(download([{ ...file!, sizeBytes: DATA.length + CHUNK_BYTES }])).rejects.toMatchObject({
      code: 'weights-changed',
    });
  });

  it('trusts the first download where there is no checksum, and holds the next one to it', async () => {
    const [file] = await list({ files: { 'a.bin': Buffer.from('abc') } });
    const bare = { ...file!, digest: undefined };
    const [stored] = await download([bare]);
    expect(stored?.sha256).toBe(createHash('sha256').update('abc').digest('hex'));
    expect(await download([bare], { firstUse: new Map([['a.bin', stored!.sha256]]) })).toHaveLength(1);
    await expect(download([bare], { firstUse: new Map([['a.bin', SHA256]]) })).rejects.toMatchObject({
      code: 'weights-corrupt',
      message: expect.stringContaining('first download') as string,
    });
  });

  it('tells speed and time left', async () => {
    const files = await list();
    const pace = recordedPace();
    const progress: TransferProgress[] = [];
    await download(files, {
      pace,
      connections: 1,
      onProgress(event) {
        if (event.phase !== 'downloading') return;
        progress.push(event);
        pace.advance(1000);
      },
    });
    expect(progress.at(-1)).toMatchObject({ loadedBytes: DATA.length, totalBytes: DATA.length, secondsLeft: 0 });
    expect(progress[2]?.bytesPerSecond).toBeGreaterThan(0.8 * CHUNK_BYTES);
    expect(progress[2]?.secondsLeft).toBeGreaterThan(1);
  });
});

/** Waits for what a server on the same event loop will do. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
