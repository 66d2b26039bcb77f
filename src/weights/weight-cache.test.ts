import { createHash } from 'node:crypto';
import { IDBFactory } from 'fake-indexeddb';
import 'fake-indexeddb/auto';
import { createStore, get, set } from 'idb-keyval';
import { beforeEach, describe, expect, it } from 'vitest';
import { readAll, readText } from '../convert/byte-source.ts';
import { CHUNK_BYTES, type Staging } from './staging.ts';
import { tinyManifest } from './tiny-manifest.fixture.ts';
import { migrate, WeightCache } from './weight-cache.ts';

const KEY = { source: 'someone/tiny', variant: 'q4' } as const;
const PATH = 'onnx/model_q4.onnx_data';

/** Three chunks, the last one short. */
const DATA = Uint8Array.from({ length: 2 * CHUNK_BYTES + 5 }, (_, i) => (i * 13) % 251);

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory();
});

function chunksOf(data: Uint8Array, path = PATH) {
  return [0, 1, 2].map((index) => ({
    path,
    index,
    bytes: data.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES),
  }));
}

async function publish(staging: Staging, data = DATA, revision = 'c1'): Promise<void> {
  await staging.write(chunksOf(data));
  await staging.publish({
    manifest: tinyManifest(),
    files: [{ path: PATH, sizeBytes: data.length, sha256: createHash('sha256').update(data).digest('hex') }],
    revision,
    trust: 'publisher',
  });
}

describe('WeightCache', () => {
  it('shows a model only when it is whole', async () => {
    const cache = await WeightCache.open();
    const staging = await cache.stage(KEY);
    await staging.write(chunksOf(DATA).slice(0, 2));
    expect(await cache.models()).toEqual([]);
    expect(await cache.arrivals()).toMatchObject([{ ...KEY, storedBytes: 2 * CHUNK_BYTES }]);
    await publish(staging);
    expect(await cache.models()).toMatchObject([{ ...KEY, sizeBytes: DATA.length, revision: 'c1' }]);
    expect(await cache.arrivals()).toEqual([]);
  });

  it('goes on with an arrival after a crash: chunks and state are as last written', async () => {
    const staging = await (await WeightCache.open()).stage(KEY);
    await staging.write(chunksOf(DATA).slice(1, 2), { step: 1 });
    const again = await (await WeightCache.open()).stage(KEY);
    expect(await again.readState()).toEqual({ step: 1 });
    expect(await again.listChunks(PATH)).toEqual([1]);
    expect(await again.listChunks('onnx/model_q4.onnx')).toEqual([]);
    expectBytes(await again.readChunk(PATH, 1), DATA.slice(CHUNK_BYTES, 2 * CHUNK_BYTES));
  });

  it('reads the model back whole, by ranges across chunks, and with its manifest', async () => {
    const cache = await WeightCache.open();
    await publish(await cache.stage(KEY));
    const folder = cache.folder(KEY);
    expect(await folder.list()).toEqual([PATH, 'metaaligner.json']);
    const source = await folder.open(PATH);
    expectBytes(await readAll(source), DATA);
    for (const [offset, length] of [
      [0, 1],
      [CHUNK_BYTES - 3, 6],
      [5, 2 * CHUNK_BYTES],
      [2 * CHUNK_BYTES, 5],
      [7, 0],
    ] as const) {
      expectBytes(await source.read(offset, length), DATA.slice(offset, offset + length));
    }
    await expect(source.read(2 * CHUNK_BYTES, 6)).rejects.toMatchObject({ code: 'checkpoint-corrupt' });
    expect(JSON.parse(await readText(await folder.open('metaaligner.json')))).toEqual(tinyManifest());
  });

  it('keeps the old revision until the new one is whole, and frees it then', async () => {
    const cache = await WeightCache.open();
    await publish(await cache.stage(KEY));
    const old = cache.folder(KEY);
    const newData = DATA.map((byte) => byte ^ 1);
    const staging = await cache.stage(KEY);
    await staging.write(chunksOf(newData).slice(0, 1));
    expectBytes(await readAll(await old.open(PATH)), DATA);
    await publish(staging, newData, 'c2');
    expect(await cache.models()).toMatchObject([{ revision: 'c2' }]);
    expectBytes(await readAll(await cache.folder(KEY).open(PATH)), newData);
    await expect(readAll(await old.open(PATH))).rejects.toMatchObject({ code: 'weights-corrupt' });
    expect(await cache.sweep()).toBe(0);
  });

  it('finds a byte that is not the one that was stored', async () => {
    const cache = await WeightCache.open();
    await publish(await cache.stage(KEY));
    expect(await cache.verify(KEY)).toEqual([]);
    await damage((bytes) => bytes.with(3, 7));
    expect(await cache.verify(KEY)).toEqual([PATH]);
  });

  it('finds a chunk that is gone or short, and does not load it', async () => {
    const cache = await WeightCache.open();
    await publish(await cache.stage(KEY));
    await damage((bytes) => bytes.slice(1));
    expect(await cache.verify(KEY)).toEqual([PATH]);
    await expect(readAll(await cache.folder(KEY).open(PATH))).rejects.toMatchObject({
      code: 'weights-corrupt',
      details: { index: 1, foundBytes: CHUNK_BYTES - 1 },
    });
    await damage(() => undefined);
    expect(await cache.verify(KEY)).toEqual([PATH]);
  });

  it('deletes a model and says so to whoever reads it', async () => {
    const cache = await WeightCache.open();
    await publish(await cache.stage(KEY));
    await cache.remove(KEY);
    expect(await cache.models()).toEqual([]);
    await expect(cache.folder(KEY).open(PATH)).rejects.toMatchObject({ code: 'weights-missing' });
    await cache.remove(KEY);
    expect(await chunkKeys()).toEqual([]);
  });

  it('sweeps what a crash left between record and chunks', async () => {
    const cache = await WeightCache.open();
    await publish(await cache.stage(KEY));
    const other = await cache.stage({ ...KEY, variant: 'q8' });
    await other.write(chunksOf(DATA));
    await set(['chunk', 'nobody', PATH, 0], DATA, createStore('metaaligner-weights', 'records'));
    expect(await cache.sweep()).toBe(1);
    expect(await chunkKeys()).toHaveLength(6);
  });

  it('gives up an arrival with all of its space', async () => {
    const cache = await WeightCache.open();
    const staging = await cache.stage(KEY);
    await staging.write(chunksOf(DATA));
    await staging.removeFile(PATH);
    expect(await staging.listChunks(PATH)).toEqual([]);
    await staging.write(chunksOf(DATA));
    await staging.discard();
    expect(await cache.arrivals()).toEqual([]);
    expect(await chunkKeys()).toEqual([]);
  });

  it('orders models by last use', async () => {
    let now = 1;
    const cache = await WeightCache.open({ now: () => now });
    await publish(await cache.stage(KEY));
    now = 2;
    await publish(await cache.stage({ ...KEY, variant: 'q8' }));
    now = 3;
    await cache.touch(KEY);
    expect((await cache.models()).map(({ variant, lastUsedAt }) => [variant, lastUsedAt])).toEqual([
      ['q4', 3],
      ['q8', 2],
    ]);
  });

  it('stores a view without the rest of its buffer', async () => {
    const staging = await (await WeightCache.open()).stage(KEY);
    await staging.write([{ path: PATH, index: 0, bytes: DATA.subarray(0, 10) }]);
    const [key] = await chunkKeys();
    expect(await bytesAt(key!)).toHaveLength(10);
    expect((await staging.readChunk(PATH, 0)).buffer.byteLength).toBe(10);
  });

  it.each([
    [950e6, 'gives this site 1,000 MB and 950 MB are used'],
    [10e6, 'the browser has less room than the 1,000 MB that it tells of (10 MB are used)'],
  ])('says with numbers that there is no room at %i bytes, and keeps what was there', async (usage, said) => {
    const storage = {
      estimate: async () => ({ usage, quota: 1000e6 }),
      persist: async () => true,
      persisted: async () => false,
    };
    const cache = await WeightCache.open({ storage });
    await publish(await cache.stage(KEY));
    const staging = await cache.stage({ ...KEY, variant: 'q8' });
    await staging.write(chunksOf(DATA).slice(0, 1));
    const restore = failPuts(new DOMException('full', 'QuotaExceededError'));
    await expect(staging.write(chunksOf(DATA).slice(1, 2))).rejects.toMatchObject({
      code: 'storage-full',
      message: expect.stringContaining(said) as string,
      details: { usedBytes: usage, quotaBytes: 1000e6 },
    });
    restore();
    expect(await staging.listChunks(PATH)).toEqual([0]);
    expect(await cache.verify(KEY)).toEqual([]);
    expect(await cache.usage()).toEqual({ usedBytes: usage, quotaBytes: 1000e6, isPersistent: false });
    expect(await cache.persist()).toBe(true);
  });

  it('says that there is no place to store in', async () => {
    // As in some browsers' private windows.
    globalThis.indexedDB = {
      open: () => {
        throw new DOMException('denied', 'SecurityError');
      },
    } as unknown as IDBFactory;
    await expect(WeightCache.open()).rejects.toMatchObject({ code: 'storage-unavailable' });
  });

  it('refuses a database of a later program', async () => {
    await WeightCache.open();
    await set(['format'], 99, createStore('metaaligner-weights', 'records'));
    await expect(WeightCache.open()).rejects.toMatchObject({ code: 'unsupported-model', details: { found: 99 } });
  });

  it('reads the bytes that version 1 stored for chunks', async () => {
    await publish(await (await WeightCache.open()).stage(KEY));
    const store = createStore('metaaligner-weights', 'records');
    for (const key of await chunkKeys()) await set(key, await bytesAt(key), store);
    await set(['format'], 1, store);
    const cache = await WeightCache.open();
    expect(await get(['format'], store)).toBe(2);
    expectBytes(await readAll(await cache.folder(KEY).open(PATH)), DATA);
    expect(await cache.verify(KEY)).toEqual([]);
  });

  it('leaves out a record that cannot be read', async () => {
    const cache = await WeightCache.open();
    await publish(await cache.stage(KEY));
    await set(['model', 'x', 'q4'], { source: 'x', variant: 'q4' }, createStore('metaaligner-weights', 'records'));
    expect(await cache.models()).toHaveLength(1);
  });
});

describe('migrate', () => {
  it('runs the steps from the version found, in order, once', async () => {
    const store = createStore('other', 'records');
    await set(['format'], 2, store);
    const run: number[] = [];
    const steps = [1, 2, 3].map((step) => async () => void run.push(step));
    await store('readwrite', (records) => migrate(records, steps, 4));
    expect(run).toEqual([2, 3]);
    await store('readwrite', (records) => migrate(records, steps, 4));
    expect(run).toEqual([2, 3]);
    expect(await get(['format'], store)).toBe(4);
  });
});

/** `toEqual` takes seconds for a few megabytes. */
function expectBytes(found: Uint8Array, expected: Uint8Array): void {
  expect(found.length).toBe(expected.length);
  expect(Buffer.compare(found, expected)).toBe(0);
}

async function chunkKeys(): Promise<string[][]> {
  const store = createStore('metaaligner-weights', 'records');
  const { keys } = await import('idb-keyval');
  return (await keys<string[]>(store)).filter(([kind]) => kind === 'chunk');
}

/** Changes the second chunk behind the cache's back. */
async function damage(change: (bytes: Uint8Array) => Uint8Array | undefined): Promise<void> {
  const key = (await chunkKeys()).find(([, , , index]) => (index as unknown) === 1);
  const store = createStore('metaaligner-weights', 'records');
  const changed = change(await bytesAt(key!));
  await set(key!, changed === undefined ? undefined : new Blob([changed as Uint8Array<ArrayBuffer>]), store);
}

async function bytesAt(key: string[]): Promise<Uint8Array> {
  const chunk = await get<Blob>(key, createStore('metaaligner-weights', 'records'));
  return new Uint8Array(await chunk!.arrayBuffer());
}

function failPuts(error: Error): () => void {
  const prototype = IDBObjectStore.prototype;
  const put = Object.getOwnPropertyDescriptor(prototype, 'put')!;
  prototype.put = () => {
    throw error;
  };
  return () => Object.defineProperty(prototype, 'put', put);
}
