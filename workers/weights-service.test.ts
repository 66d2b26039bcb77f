import { IDBFactory } from 'fake-indexeddb';
import 'fake-indexeddb/auto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LocalHub, type LocalHubOptions, startLocalHub } from '../e2e/local-hub.ts';
import { FakeLocks } from '../src/weights/fake-locks.fixture.ts';
import { recordedPace } from '../src/weights/pace.fixture.ts';
import { safetensorsRepository } from '../src/weights/small-checkpoint.fixture.ts';
import { WeightCache } from '../src/weights/weight-cache.ts';
import type { CheckEvent, TransferEvent, TransferRequest } from './weights-protocol.ts';
import { WeightsService } from './weights-service.ts';

const ID = 'MetaAligner/MetaAligner-HH-RLHF-tiny';
const KEY = { source: ID, variant: 'q8' } as const;

let hub: LocalHub;
let locks: FakeLocks;

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory();
  locks = new FakeLocks();
});
afterEach(() => hub.close());

async function serve(options: Partial<LocalHubOptions> = {}): Promise<void> {
  hub = await startLocalHub({ repositories: { [ID]: { files: await safetensorsRepository() } }, ...options });
}

/** One tab's service. */
function tab(channel = new EventTarget()): WeightsService {
  return new WeightsService({
    openCache: () => WeightCache.open(),
    bestVariant: async () => 'q8',
    locks: locks as never,
    channel: Object.assign(channel, {
      postMessage: (data: unknown) => void channel.dispatchEvent(new MessageEvent('message', { data })),
    }),
    client: { pace: recordedPace(), stallMs: 10_000 },
  });
}

function request(more: Partial<TransferRequest> = {}): TransferRequest {
  return {
    reference: ID,
    variant: 'auto',
    device: 'auto',
    endpoint: hub.endpoint,
    token: undefined,
    family: undefined,
    ...more,
  };
}

describe('WeightsService', () => {
  it('says what a model takes before anything is stored', async () => {
    await serve();
    const service = tab();
    const plan = await service.plan(request());
    expect(plan).toMatchObject({ key: KEY, source: 'safetensors', trust: 'publisher', revision: hub.commitOf(ID) });
    expect(plan.cost.downloadBytes).toBeGreaterThan(100_000);
    expect(await service.report()).toMatchObject({ models: [], unfinished: [] });
  });

  it('brings a model and reports it', async () => {
    await serve();
    const service = tab();
    const events: TransferEvent[] = [];
    expect(await service.transfer(request(), (event) => events.push(event))).toEqual(KEY);
    expect(events.map((event) => event.type)).toContain('transfer-progress');
    const { models } = await service.report();
    expect(models).toMatchObject([{ ...KEY, family: 'hh-rlhf', trust: 'publisher', contextLength: 2048 }]);
    expect(await service.verify(KEY, () => {})).toEqual([]);
  });

  it('pauses, and goes on', async () => {
    let isHeld = true;
    await serve({
      // The weights themselves, not the look at their header.
      fault: ({ kind, path, start, end }) =>
        isHeld && kind === 'storage' && path === 'model.safetensors' && end - start > 100_000
          ? { kind: 'stall', afterBytes: 0 }
          : undefined,
    });
    const service = tab();
    const outcome = service.transfer(request(), () => {}).catch((error: unknown) => error);
    await until(async () => (await service.report()).unfinished.length === 1);
    await service.pause(ID);
    isHeld = false;
    const result = await outcome;
    if (result instanceof Error) expect(result).toMatchObject({ name: 'AbortError' });
    await service.transfer(request(), () => {});
    expect((await service.report()).models).toHaveLength(1);
  });

  it('is brought by one of two tabs, and the other one sees it arrive', async () => {
    await serve();
    const channel = new EventTarget();
    const [one, other] = [tab(channel), tab(channel)];
    const seen: TransferEvent[] = [];
    await Promise.all([one.transfer(request(), () => {}), other.transfer(request(), (event) => seen.push(event))]);
    const weights = hub.requests.filter(({ kind, path }) => kind === 'storage' && path === 'model.safetensors');
    const bytes = weights.reduce((sum, { start, end }) => sum + end - start, 0);
    const size = Math.max(...weights.map(({ end }) => end));
    // Looking at the header is not bringing it.
    expect(bytes).toBeLessThan(5 * size);
    expect(seen.some((event) => event.type === 'transfer-progress' && event.isElsewhere)).toBe(true);
    expect((await one.report()).models).toHaveLength(1);
  });

  it('takes a second request for a model on its way for the mistake that it is', async () => {
    await serve({ fault: ({ kind }) => (kind === 'storage' ? { kind: 'stall', afterBytes: 0 } : undefined) });
    const service = tab();
    const first = service.transfer(request(), () => {}).catch((error: unknown) => error);
    await new Promise((resolve) => setImmediate(resolve));
    await expect(service.transfer(request(), () => {})).rejects.toMatchObject({ code: 'invalid-request' });
    await service.pause(ID);
    expect(await first).toMatchObject({ name: 'AbortError' });
  });

  it('gives a gated model’s files for the token', async () => {
    await serve({
      repositories: { [ID]: { files: await safetensorsRepository(), access: 'gated' } },
      token: 'hf_good',
    });
    const service = tab();
    await expect(service.plan(request())).rejects.toMatchObject({ code: 'access-denied' });
    await expect(service.plan(request({ token: 'hf_bad' }))).rejects.toMatchObject({ code: 'access-denied' });
    await service.transfer(request({ token: 'hf_good' }), () => {});
    expect((await service.report()).models).toHaveLength(1);
  });

  it('frees an unfinished model’s space', async () => {
    await serve();
    const service = tab();
    const staging = await (await WeightCache.open()).stage(KEY);
    await staging.write([{ path: 'x', index: 0, bytes: new Uint8Array(9) }]);
    await service.discard(KEY);
    expect((await service.report()).unfinished).toEqual([]);
  });

  it('exports a model as a file, and imports it elsewhere', async () => {
    await serve();
    const service = tab();
    await service.transfer(request(), () => {});
    const blob = await service.exportModel(KEY);
    await service.remove(KEY);
    expect((await service.report()).models).toEqual([]);
    const events: CheckEvent[] = [];
    const keys = await service.importModel(new File([blob], 'model.tar'), (event) => events.push(event));
    expect(keys).toEqual([KEY]);
    expect(events.length).toBeGreaterThan(0);
    expect(await service.verify(KEY, () => {})).toEqual([]);
  });

  it('keeps nothing of a file that is no model', async () => {
    await serve();
    const service = tab();
    const file = new File([new Uint8Array(1024)], 'model.tar');
    await expect(service.importModel(file, () => {})).rejects.toMatchObject({ code: 'weights-missing' });
    expect(await service.report()).toMatchObject({ models: [], unfinished: [] });
  });
});

/** Waits for what servers and databases on the same event loop will do. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}
