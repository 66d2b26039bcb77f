import { createHash } from 'node:crypto';
import { IDBFactory } from 'fake-indexeddb';
import 'fake-indexeddb/auto';
import { createStore, keys } from 'idb-keyval';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type HubFault,
  type HubRequest,
  type LocalHub,
  type LocalHubOptions,
  startLocalHub,
} from '../../e2e/local-hub.ts';
import type { Variant } from '../align/variant.ts';
import { readAll } from '../convert/byte-source.ts';
import { convertCheckpoint } from '../convert/convert.ts';
import { MemoryFolder, randomCheckpoint, SMALL_LLAMA } from '../convert/small-llama.fixture.ts';
import { acquire, type AcquireOptions, type AcquisitionRequest, planAcquisition } from './acquire.ts';
import { recordedPace } from './pace.fixture.ts';
import { RemoteClient } from './remote-client.ts';
import { BROAD_LLAMA, safetensorsRepository } from './small-checkpoint.fixture.ts';
import type { Staging } from './staging.ts';
import type { TransferProgress } from './speed-meter.ts';
import { WeightCache } from './weight-cache.ts';

const ID = 'MetaAligner/MetaAligner-IMHI-tiny';
const WEIGHTS = 'model.safetensors';
/** Millions of random numbers take a second. */
const broad = memo(() => safetensorsRepository(BROAD_LLAMA));
const broadConverted = memo(() => converted(BROAD_LLAMA));
const sha256Of = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

let hub: LocalHub;
let cache: WeightCache;

beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory();
  cache = await WeightCache.open();
});
afterEach(() => hub.close());

async function serve(files: Record<string, Uint8Array>, options: Partial<LocalHubOptions> = {}): Promise<void> {
  hub = await startLocalHub({ repositories: { [ID]: { files } }, ...options });
}

function memo<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

const client = () => new RemoteClient({ pace: recordedPace(), stallMs: 300 });

function request(variant: Variant = 'q4'): AcquisitionRequest {
  return { reference: ID, variant, endpoint: hub.endpoint };
}

async function get(options: AcquireOptions = {}, variant: Variant = 'q4', keyed = ID) {
  const staging = await cache.stage({ source: keyed, variant });
  const remote = client();
  const plan = await planAcquisition(request(variant), remote, { staging, pace: recordedPace() });
  return { plan, manifest: await acquire(plan, staging, remote, { pace: recordedPace(), ...options }) };
}

/** What the command line would have made of the same checkpoint. */
async function converted(config = SMALL_LLAMA, variant: Variant = 'q4', seed = 1): Promise<MemoryFolder> {
  const folder = new MemoryFolder();
  await convertCheckpoint(randomCheckpoint(config, seed), folder, {
    variants: [variant],
    name: ID.split('/')[1]!,
    source: ID,
    family: 'imhi',
  });
  return folder;
}

async function expectSameAs(folder: MemoryFolder, variant: Variant = 'q4'): Promise<void> {
  const stored = cache.folder({ source: ID, variant });
  for (const [path, bytes] of folder.files) {
    if (path === 'metaaligner.json') continue;
    expect(Buffer.compare(await readAll(await stored.open(path)), bytes), path).toBe(0);
  }
}

/** Payload bytes of the weights that were asked for. */
const askedBytes = () =>
  hub.requests
    .filter(({ kind, path }) => kind === 'storage' && path === WEIGHTS)
    .reduce((sum, { start, end }) => sum + end - start, 0);

/** Nothing reaches the disk any more after some writes. */
function crashing(staging: Staging, writes: number): Staging {
  let left = writes;
  return new Proxy(staging, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...given: unknown[]) => {
        if (name === 'write' && left-- <= 0) return Promise.reject(new Error('crash'));
        return value.apply(target, given) as unknown;
      };
    },
  });
}

async function storedPaths(): Promise<Set<string>> {
  const all = await keys<string[]>(createStore('metaaligner-weights', 'records'));
  return new Set(all.filter(([kind]) => kind === 'chunk').map(([, , path]) => path!));
}

describe('a checkpoint', { timeout: 20_000 }, () => {
  it.each(['q4', 'q8', 'fp16'] as const)(
    'is converted to %s as the command line does, and verified',
    async (variant) => {
      await serve(await safetensorsRepository());
      const { plan, manifest } = await get({}, variant);
      await expectSameAs(await converted(SMALL_LLAMA, variant), variant);
      expect(plan.trust).toBe('publisher');
      expect(manifest).toMatchObject({ source: ID, family: 'imhi' });
      for (const { path, sha256 } of [...manifest.variants[variant]!, ...manifest.sidecars]) {
        const bytes = await readAll(await cache.folder({ source: ID, variant }).open(path));
        expect(sha256).toBe(sha256Of(bytes));
      }
      expect(await cache.models()).toMatchObject([{ source: ID, revision: hub.commitOf(ID), trust: 'publisher' }]);
      expect(await cache.arrivals()).toEqual([]);
    },
  );

  it('is downloaded once, without storing it', async () => {
    const files = await broad();
    await serve(files);
    const { plan } = await get();
    await expectSameAs(await broadConverted());
    const size = files[WEIGHTS]!.length;
    // Looking at the header, measuring the speed, and the ranges' own overlap come on top.
    expect(askedBytes()).toBeLessThan(size + 6e6);
    expect(plan.cost.downloadBytes).toBeGreaterThan(size);
    const [model] = await cache.models();
    expect(Math.abs(plan.cost.keepBytes / model!.sizeBytes - 1)).toBeLessThan(0.01);
  });

  it('goes on where a closed tab left it', async () => {
    const files = await broad();
    await serve(files);
    const aborter = new AbortController();
    const closed = get({
      signal: aborter.signal,
      onProgress: ({ loadedBytes, totalBytes }) => {
        if (loadedBytes > totalBytes * 0.6) aborter.abort();
      },
    });
    await expect(closed).rejects.toMatchObject({ name: 'AbortError' });
    const progress: TransferProgress[] = [];
    const { plan } = await get({ onProgress: (event) => progress.push(event) });
    await expectSameAs(await broadConverted());
    expect(progress[0]!.loadedBytes).toBeGreaterThan(3e6);
    expect(plan.cost.downloadBytes).toBeLessThan(files[WEIGHTS]!.length - 3e6);
  });

  it.each(['q4', 'q8'] as const)(
    'loses at most 8 MiB to a crash, also within a weight that is stored transposed, %s',
    async (variant) => {
      const config = { ...BROAD_LLAMA, layerCount: 1, vocabularySize: 30_000 };
      const files = await safetensorsRepository(config);
      await serve(files);
      const remote = client();
      let askedBefore = 0;
      let crashes = 0;
      for (const lastWrite of [3, 9, 14, Infinity]) {
        const staging = await cache.stage({ source: ID, variant });
        const plan = await planAcquisition(request(variant), remote, { staging, pace: recordedPace() });
        // The look before the start is not the download.
        const planned = askedBytes();
        const done = acquire(plan, crashing(staging, lastWrite), remote, { pace: recordedPace() });
        if (lastWrite !== Infinity) {
          await expect(done).rejects.toThrow('crash');
          crashes += 1;
        } else await done;
        askedBefore += askedBytes() - planned;
      }
      expect(crashes).toBe(3);
      await expectSameAs(await converted(config, variant), variant);
      expect(askedBefore - files[WEIGHTS]!.length).toBeLessThanOrEqual(crashes * (8 << 20));
      // Nothing stays of the pieces.
      expect((await cache.models())[0]!.files.map(({ path }) => path).sort()).toEqual(
        [...(await converted(config, variant)).files.keys()].filter((path) => path !== 'metaaligner.json').sort(),
      );
      expect(await storedPaths()).toEqual(new Set((await cache.models())[0]!.files.map(({ path }) => path)));
    },
  );

  it('goes on with the commit that it began with when the repository moves on', async () => {
    await serve(await broad());
    const first = hub.commitOf(ID);
    const aborter = new AbortController();
    const closed = get({
      signal: aborter.signal,
      onProgress: ({ loadedBytes, totalBytes }) => {
        if (loadedBytes > totalBytes * 0.6) aborter.abort();
      },
    });
    await expect(closed).rejects.toMatchObject({ name: 'AbortError' });
    const files = await broad();
    await hub.push(ID, WEIGHTS, files[WEIGHTS]!.toReversed());
    await get();
    await expectSameAs(await broadConverted());
    expect(await cache.models()).toMatchObject([{ revision: first }]);
  });

  const wrongByte = (times: number, offset: number) => {
    let count = 0;
    return ({ kind, path, start, end }: HubRequest): HubFault | undefined => {
      const isHit = kind === 'storage' && path === WEIGHTS && start <= offset && offset < end && end - start > 300_000;
      return isHit && count++ < times ? { kind: 'wrong-byte', offset } : undefined;
    };
  };

  it('with a wrong byte is converted once more, and is right then', async () => {
    // In the second block: the header is looked at more than once.
    await serve(await broad(), { fault: wrongByte(1, 3 << 20) });
    await get();
    await expectSameAs(await broadConverted());
  });

  it('that stays wrong is refused, and nothing of it is kept', async () => {
    await serve(await broad(), { fault: wrongByte(Infinity, 3 << 20) });
    await expect(get()).rejects.toMatchObject({ code: 'weights-corrupt', details: { path: WEIGHTS } });
    expect(await cache.models()).toEqual([]);
    expect(await cache.arrivals()).toMatchObject([{ storedBytes: 0 }]);
  });

  it('that is no Llama is refused before anything is downloaded', async () => {
    const files = await safetensorsRepository();
    const config = {
      ...(JSON.parse(Buffer.from(files['config.json']!).toString()) as object),
      model_type: 'bert',
      architectures: ['BertModel'],
    };
    await serve({ ...files, 'config.json': Buffer.from(JSON.stringify(config)) });
    await expect(get()).rejects.toMatchObject({ code: 'unsupported-model' });
  });
});

describe('a folder of ours', () => {
  async function readyFiles(seed = 1): Promise<Record<string, Uint8Array>> {
    return Object.fromEntries((await converted(SMALL_LLAMA, 'q4', seed)).files);
  }

  it('on the hub is taken as it is', async () => {
    const files = await readyFiles();
    await serve({ ...files, [WEIGHTS]: new Uint8Array(10) });
    const { plan } = await get();
    expect(plan.offer.kind).toBe('ready');
    expect(plan.cost.downloadBytes).toBe(plan.cost.keepBytes);
    await expectSameAs(await converted());
  });

  it('on a plain host is trusted when it comes first', async () => {
    const files = await readyFiles();
    await serve(files);
    const url = `${hub.endpoint}/${ID}/resolve/main/`;
    const key = { source: url, variant: 'q4' } as const;
    const remote = client();
    const plan = await planAcquisition({ ...request(), reference: url }, remote);
    expect(plan.trust).toBe('first-use');
    await acquire(plan, await cache.stage(key), remote);
    expect(await cache.verify(key)).toEqual([]);
    const known = await cache.firstUse(url, plan.repository.revision);
    expect(known.get('config.json')).toBe(sha256Of(files['config.json']!));
    expect(await cache.firstUse(url, 'other')).toEqual(new Map());
  });
});
