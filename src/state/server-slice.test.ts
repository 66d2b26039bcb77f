import { describe, expect, it } from 'vitest';

import { AlignError } from '../align/errors.ts';
import type { OfferedModel, ServerClient } from '../server-client/server-client.ts';
import { createAppStore } from './app-store.ts';
import { FakeClient, fakeDependencies, FakeStorage, servedInfo } from './fake-client.fixture.ts';
import { createServerKeys } from './server-keys.ts';
import { addressAsKept, hostOfModel, isReadableOnTheWay } from './server-slice.ts';

const URL = 'http://127.0.0.1:4320';
const LARGER: OfferedModel = {
  id: 'MetaAligner/MetaAligner-HH-RLHF-7B',
  family: 'hh-rlhf',
  variant: undefined,
  contextLength: 4096,
};

/** Servers by address: what they offer, and the key that they take. */
function setUp(servers: Record<string, { models?: OfferedModel[]; key?: string; error?: AlignError }>) {
  const [tab, shared] = [new FakeStorage(), new FakeStorage()];
  const serverKeys = createServerKeys(tab, shared, console.error);
  const asked: [url: string, key: string | undefined][] = [];
  /** While one is there, an answer waits for it. */
  const gates: Promise<unknown>[] = [];
  const client: ServerClient = {
    async models(url) {
      const key = serverKeys.keyOf(url);
      asked.push([url, key]);
      const server = servers[url];
      await gates.shift();
      if (server === undefined) throw new AlignError('server-unreachable', `${url} is not there.`);
      if (server.error !== undefined) throw server.error;
      if (server.key !== key) throw new AlignError('key-refused', `${url} needs a key.`);
      return server.models ?? [LARGER];
    },
    align: () => Promise.reject(new Error('Nothing is aligned here.')),
  };
  const engine = new FakeClient();
  const app = createAppStore(fakeDependencies({ client: engine, servers: client, serverKeys }));
  return { app, engine, asked, gates, servers, tab, shared, state: () => app.getState() };
}

describe('a server that is entered', () => {
  it('is asked for its models, which are then there to be chosen', async () => {
    const { state } = setUp({ [URL]: {} });
    expect(await state().connectServer('127.0.0.1:4320/v1/', '', false)).toBe(URL);
    expect(state().servers).toMatchObject([{ url: URL, host: '127.0.0.1:4320', status: 'ready', key: 'none' }]);
    const [model] = state().servers[0]!.models;
    expect(model).toMatchObject({
      id: `server:${URL}#${LARGER.id}`,
      name: 'MetaAligner-HH-RLHF-7B',
      family: 'hh-rlhf',
      parameterCount: 6_738_415_616,
      contextLength: 4096,
    });
    expect(hostOfModel(model)).toBe('127.0.0.1:4320');
  });

  it('leaves what there was where it does not answer, or its key is wrong', async () => {
    const { state, tab, shared } = setUp({ [URL]: { key: 'right' }, 'http://127.0.0.1:4321': { key: 'other' } });
    await state().connectServer(URL, 'right', false);
    const before = state().servers;
    expect(await state().connectServer('http://127.0.0.1:9', '', false)).toBeUndefined();
    expect(state().connectError).toMatchObject({ code: 'server-unreachable' });
    expect(await state().connectServer(URL, 'wrong', true)).toBeUndefined();
    expect(state().connectError).toMatchObject({ code: 'key-refused' });
    expect(await state().connectServer('http://127.0.0.1:4321', 'wrong', true)).toBeUndefined();
    expect(await state().connectServer('not an address', '', false)).toBeUndefined();
    expect(state().servers).toEqual(before);
    expect(shared.length).toBe(0);
    expect([...tab.values.values()]).toEqual([JSON.stringify({ [URL]: 'right' })]);
    expect(JSON.stringify(state())).not.toContain('right');
  });

  it('goes on with its key where the field is left empty, and to be remembered or not', async () => {
    const { state, tab, shared } = setUp({ [URL]: { key: 'right' } });
    await state().connectServer(URL, ' right ', false);
    expect(state().servers[0]).toMatchObject({ key: 'tab' });
    expect(await state().connectServer(URL, '', true)).toBe(URL);
    expect(state().servers[0]).toMatchObject({ key: 'remembered' });
    expect(tab.length).toBe(0);
    expect(shared.length).toBe(1);
  });

  it('takes no key that no header can carry, and says so', async () => {
    const { state, asked } = setUp({ [URL]: {} });
    expect(await state().connectServer(URL, 'schlüssel–1', false)).toBeUndefined();
    expect(state().connectError).toMatchObject({ code: 'invalid-request' });
    expect(asked).toEqual([]);
  });

  it.each([
    ['http://10.0.0.5:4173', true],
    ['http://aligner.example', true],
    ['http://127.0.0.1:4173', false],
    ['localhost:4173', false],
    ['https://aligner.example', false],
    ['aligner.example', false],
    ['no address', false],
  ])('at %s can be read on the way: %s', (address, isReadable) => {
    expect(isReadableOnTheWay(address)).toBe(isReadable);
  });

  it('takes the place of another one, whose key is forgotten', async () => {
    const other = 'http://127.0.0.1:4321';
    const { state, tab } = setUp({ [URL]: { key: 'one' }, [other]: { key: 'two' } });
    await state().connectServer(URL, 'one', false);
    await state().connectServer(other, 'two', false);
    expect(state().servers.map(({ url }) => url)).toEqual([other]);
    expect([...tab.values.values()]).toEqual([JSON.stringify({ [other]: 'two' })]);
  });

  it('is gone with its key and its model once it is forgotten', async () => {
    const { state, engine, tab } = setUp({ [URL]: { key: 'one' } });
    await state().connectServer(URL, 'one', false);
    const loaded = state().loadModel(state().servers[0]!.models[0]!, { device: 'auto', variant: 'auto' });
    engine.loads[0]!.resolve(servedInfo);
    await loaded;
    await state().forgetServer(URL);
    expect(state().servers).toEqual([]);
    expect(state().model.status).toBe('none');
    expect(tab.length).toBe(0);
  });
});

describe('an answer that comes late', () => {
  function gate() {
    let open = () => {};
    const opened = new Promise<void>((resolve) => (open = resolve));
    return { open, opened };
  }

  it('does not bring back a server that was forgotten meanwhile', async () => {
    const { state, gates } = setUp({ [URL]: {} });
    const { open, opened } = gate();
    gates.push(opened);
    const check = state().checkServer(URL);
    await state().forgetServer(URL);
    open();
    await check;
    expect(state().servers).toEqual([]);
  });

  it('of a check does not undo a connection that was made meanwhile', async () => {
    const { state, gates, servers } = setUp({ [URL]: { error: new AlignError('server-unreachable', 'Gone.') } });
    const { open, opened } = gate();
    gates.push(opened);
    const check = state().checkServer(URL);
    servers[URL] = {};
    await state().connectServer(URL, '', false);
    open();
    await check;
    expect(state().servers).toMatchObject([{ status: 'ready', models: [{ source: LARGER.id }] }]);
  });

  it('of a connection does not bring back a server, or its key, that was forgotten meanwhile', async () => {
    const { state, gates, tab, shared, servers } = setUp({ [URL]: { key: 'one' } });
    await state().connectServer(URL, 'one', true);
    const { open, opened } = gate();
    gates.push(opened);
    servers[URL] = { key: 'two' };
    const again = state().connectServer(URL, 'two', true);
    await state().forgetServer(URL);
    open();
    expect(await again).toBeUndefined();
    expect(state().servers).toEqual([]);
    expect([tab.length, shared.length]).toEqual([0, 0]);
  });
});

describe('a key that is tried', () => {
  it('is written nowhere before the server took it', async () => {
    const { state, gates, shared, tab, asked } = setUp({ [URL]: { key: 'right' } });
    let open = () => {};
    gates.push(new Promise<void>((resolve) => (open = resolve)));
    const connected = state().connectServer(URL, 'right', true);
    await Promise.resolve();
    expect(asked).toEqual([[URL, 'right']]);
    expect([tab.length, shared.length]).toEqual([0, 0]);
    open();
    await connected;
    expect(shared.length).toBe(1);
  });

  it('is known by its address however that is typed', () => {
    expect(addressAsKept(' 127.0.0.1:4320/ ')).toBe(URL);
    expect(addressAsKept('no address')).toBeUndefined();
  });
});

describe('a known server', () => {
  it('keeps its models while it is asked again, the same objects where nothing changed', async () => {
    const { state, servers } = setUp({ [URL]: {} });
    await state().checkServer(URL);
    const { models } = state().servers[0]!;
    const again = state().checkServers();
    expect(state().servers[0]).toMatchObject({ status: 'checking', models });
    await again;
    expect(state().servers[0]!.models[0]).toBe(models[0]);
    servers[URL] = { error: new AlignError('server-unreachable', 'It is gone.') };
    await state().checkServers();
    expect(state().servers[0]).toMatchObject({ status: 'failed', models: [], error: { code: 'server-unreachable' } });
  });

  it('is the page’s own where its list of models says so, and is never forgotten', async () => {
    const page = 'http://localhost';
    const list = { models: [], problems: [], runsModels: false };
    const served = createAppStore(
      fakeDependencies({
        library: {
          list: async () => list,
          open: () => Promise.reject(new Error('not asked')),
        },
        servers: { models: async () => [LARGER], align: () => Promise.reject(new Error('not asked')) },
      }),
    );
    await served.getState().listModels();
    expect(served.getState().servers).toEqual([]);
    list.runsModels = true;
    await served.getState().listModels();
    expect(served.getState().servers).toMatchObject([{ url: page, isOwn: true, status: 'ready' }]);
    await served.getState().forgetServer(page);
    expect(served.getState().servers).toMatchObject([{ url: page, isOwn: true, status: 'ready' }]);
  });
});
