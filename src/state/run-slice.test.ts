import { describe, expect, it, vi } from 'vitest';

import type { AlignEvent } from '../align/edit.ts';
import { AlignError } from '../align/errors.ts';
import { type AlignRequest, GREEDY } from '../align/request.ts';
import { createAppStore } from './app-store.ts';
import {
  demoInfo,
  demoModel,
  FakeClient,
  fakeDependencies,
  FakeFrames,
  FakeHistory,
  servedInfo,
  servedModel,
} from './fake-client.fixture.ts';
import { paceTokensPerSecond } from './run-slice.ts';

const request: AlignRequest = {
  objectives: [{ key: 'length', label: 'Length', description: 'Length: short' }],
  context: '',
  answer: 'An answer.',
  template: 'hh-rlhf',
  promptStyle: 'bare',
  maxNewTokens: 16,
  sampling: GREEDY,
};

const start: AlignEvent = { type: 'edit-start', promptTokens: 40, maxNewTokens: 16, requestedNewTokens: 16 };

function delta(text: string, editTokens: number): AlignEvent {
  return { type: 'edit-delta', text, editTokens, elapsedMs: editTokens * 100 };
}

function end(edit: string, finishReason: 'stop' | 'length' | 'cancelled' = 'stop'): AlignEvent {
  return {
    type: 'edit-end',
    edit,
    tokenIds: [1, 2],
    finishReason,
    usage: { promptTokens: 40, editTokens: 2, steps: 2 },
    timings: { timeToFirstTokenMs: 100, totalMs: 200, tokensPerSecond: 10 },
  };
}

async function setUp() {
  const client = new FakeClient();
  const frames = new FakeFrames();
  const history = new FakeHistory();
  const store = createAppStore(fakeDependencies({ client, history, scheduleFrame: frames.schedule }));
  const loaded = store.getState().loadModel(demoModel, { device: 'auto', variant: 'auto' });
  client.loads[0]!.resolve(demoInfo);
  await loaded;
  await store.getState().loadHistory();
  return {
    client,
    history,
    frames,
    store,
    run: () => store.getState().run,
    send: (i: number) => client.aligns[i]!.arguments[1],
  };
}

describe('a run', () => {
  it('shows its text once per frame, however many deltas came', async () => {
    const { client, frames, store, run, send } = await setUp();
    let sets = 0;
    void store.getState().startRun(request);
    store.subscribe(() => (sets += 1));
    send(0)(start);
    send(0)({ type: 'prompt-progress', readTokens: 32 });
    send(0)(delta('One ', 1));
    send(0)(delta('two', 2));
    expect(client.aligns).toHaveLength(1);
    expect(frames.scheduled).toBe(1);
    expect(sets).toBe(0);
    frames.draw();
    expect(sets).toBe(1);
    expect(run()).toMatchObject({ status: 'running', edit: 'One two', start: { promptTokens: 40 }, readTokens: 32 });
  });

  it('ends with how it ended, and with all of its text, before the next frame', async () => {
    const { client, run, store, send } = await setUp();
    const ended = store.getState().startRun(request);
    send(0)(start);
    send(0)(delta('One two', 2));
    send(0)(end('One two', 'length'));
    client.aligns[0]!.resolve();
    await ended;
    expect(run()).toMatchObject({ status: 'done', edit: 'One two', finishReason: 'length', request });
  });

  it('is cancelled, not failed, when stopped', async () => {
    const { client, run, store, send } = await setUp();
    const ended = store.getState().startRun(request);
    send(0)(start);
    store.getState().stopRun();
    expect(client.aligns[0]!.arguments[2].aborted).toBe(true);
    expect(run()).toMatchObject({ status: 'running', isStopping: true });
    send(0)(end('', 'cancelled'));
    client.aligns[0]!.resolve();
    await ended;
    expect(run()).toMatchObject({ status: 'done', finishReason: 'cancelled' });
  });

  it('names the device that wrote it, though its model is loaded onto another before its end', async () => {
    const { client, run, store, send } = await setUp();
    const ended = store.getState().startRun(request);
    send(0)(start);
    send(0)(delta('One', 1));
    const loaded = store.getState().loadModel(demoModel, { device: 'webgpu', variant: 'auto' });
    client.loads[1]!.resolve({ ...demoInfo, device: 'webgpu', variant: 'q4f16' });
    await loaded;
    send(0)(end('One', 'cancelled'));
    client.aligns[0]!.resolve();
    await ended;
    expect(run()).toMatchObject({ status: 'done', model: { id: demoModel.id, device: 'wasm', variant: 'q8' } });
  });

  it('drops what still comes from the run before', async () => {
    const { client, frames, run, store, send } = await setUp();
    const first = store.getState().startRun(request);
    send(0)(start);
    void store.getState().startRun({ ...request, answer: 'Another.' });
    expect(client.aligns[0]!.arguments[2].aborted).toBe(true);
    send(0)(delta('old', 1));
    send(0)(end('old', 'cancelled'));
    client.aligns[0]!.resolve();
    await first;
    frames.draw();
    expect(run()).toMatchObject({ status: 'running', edit: '', request: { answer: 'Another.' } });
    send(1)(start);
    send(1)(delta('new', 1));
    frames.draw();
    expect(run()).toMatchObject({ edit: 'new' });
  });

  it('keeps the text that came before it failed', async () => {
    const { client, run, store, send } = await setUp();
    const ended = store.getState().startRun(request);
    send(0)(start);
    send(0)(delta('Half', 1));
    client.aligns[0]!.reject(new AlignError('out-of-memory', 'It needed 9 GB.'));
    await ended;
    expect(run()).toMatchObject({ status: 'failed', edit: 'Half', error: { code: 'out-of-memory' } });
  });

  it('is refused before the engine is asked when the request is not valid', async () => {
    const { client, run, store } = await setUp();
    await store.getState().startRun({ ...request, answer: ' ' });
    expect(run()).toMatchObject({ status: 'failed', error: { code: 'invalid-request' } });
    expect(client.aligns).toHaveLength(0);
  });

  it('takes the model with it when the device is lost', async () => {
    const { client, store } = await setUp();
    const ended = store.getState().startRun(request);
    client.aligns[0]!.reject(new AlignError('device-lost', 'The GPU is gone.'));
    await ended;
    expect(store.getState().model).toMatchObject({ status: 'failed', error: { code: 'device-lost' } });
  });

  it('is kept in the history with its model, and opens from there as it was left', async () => {
    const { client, history, run, store, send } = await setUp();
    const ended = store.getState().startRun(request);
    send(0)(start);
    send(0)(end('Shorter.'));
    client.aligns[0]!.resolve();
    await ended;
    store.getState().decide(new Map([[0, { type: 'rejected' }]]));
    const left = run();
    await Promise.resolve();
    const [entry] = await history.list();
    expect(entry).toMatchObject({ edit: 'Shorter.', model: { id: 'demo', variant: 'q8', device: 'wasm' }, request });
    store.getState().clearRun();
    store.getState().openRun(entry!);
    expect(run()).toEqual({ ...left, start: undefined });
  });

  it.each([
    ['a server', servedModel, servedInfo, demoModel, demoInfo, { device: 'server', host: '127.0.0.1:4320' }],
    ['this device', demoModel, demoInfo, servedModel, servedInfo, { device: 'wasm' }],
  ] as const)(
    'names %s that wrote it, though a model elsewhere is ready before it has ended',
    async (_where, writer, writerInfo, next, nextInfo, expected) => {
      const { client, history, run, store, send } = await setUp();
      const load = async (model: typeof demoModel, info: typeof demoInfo | typeof servedInfo) => {
        const loaded = store.getState().loadModel(model, { device: 'auto', variant: 'auto' });
        client.loads.at(-1)!.resolve(info);
        await loaded;
      };
      await load(writer, writerInfo);
      const ended = store.getState().startRun(request);
      send(0)(start);
      await load(next, nextInfo);
      send(0)(end('Half', 'cancelled'));
      client.aligns[0]!.resolve();
      await ended;
      const [kept] = await history.list();
      expect(kept!.model).toMatchObject({ id: writer.id, ...expected });
      expect(Object.hasOwn(kept!.model, 'host')).toBe('host' in expected);
      expect(run()).toMatchObject({ status: 'done', model: kept!.model });
    },
  );

  it('takes over what another tab decided on its edit, and never what was decided here since', async () => {
    const { client, history, run, store, send } = await setUp();
    const ended = store.getState().startRun(request);
    send(0)(end('Shorter.'));
    client.aligns[0]!.resolve();
    await ended;
    const id = (await history.list())[0]!.id;
    const decideElsewhere = (index: number) =>
      history.update(id, (entry) => ({ ...entry, decisions: [[index, { type: 'rejected' }]] }));
    await decideElsewhere(3);
    await store.getState().loadHistory();
    expect(run()).toMatchObject({ decisions: new Map([[3, { type: 'rejected' }]]) });
    await decideElsewhere(4);
    const read = store.getState().loadHistory();
    store.getState().decide(new Map([[5, { type: 'rejected' }]]));
    await read;
    expect(run()).toMatchObject({ decisions: new Map([[5, { type: 'rejected' }]]) });
  });

  it('keeps decisions on the page that could not be stored', async () => {
    const { client, history, run, store, send } = await setUp();
    const ended = store.getState().startRun(request);
    send(0)(end('Shorter.'));
    client.aligns[0]!.resolve();
    await ended;
    vi.spyOn(history, 'update').mockRejectedValueOnce(new AlignError('storage-full', 'There is no room.'));
    store.getState().decide(new Map([[1, { type: 'rejected' }]]));
    await store.getState().loadHistory();
    await store.getState().loadHistory();
    expect(run()).toMatchObject({ decisions: new Map([[1, { type: 'rejected' }]]) });
  });

  it('is not kept when it was stopped before it wrote anything', async () => {
    const { client, history, store, send } = await setUp();
    const ended = store.getState().startRun(request);
    send(0)(end('', 'cancelled'));
    client.aligns[0]!.resolve();
    await ended;
    expect(await history.list()).toEqual([]);
  });

  it('is gone when cleared, and nothing of it comes back', async () => {
    const { frames, run, store, send } = await setUp();
    void store.getState().startRun(request);
    send(0)(start);
    store.getState().clearRun();
    frames.draw();
    expect(run()).toEqual({ status: 'idle' });
  });
});

describe('paceTokensPerSecond', () => {
  it('counts the tokens after the first delta over the time after it', () => {
    const first = { editTokens: 2, elapsedMs: 1000 };
    expect(paceTokensPerSecond({ first, latest: { editTokens: 12, elapsedMs: 3000 } })).toBe(5);
  });

  it('is unknown with one delta', () => {
    const first = { editTokens: 2, elapsedMs: 1000 };
    expect(paceTokensPerSecond({ first, latest: first })).toBeUndefined();
  });
});
