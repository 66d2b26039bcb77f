import { expect, it } from 'vitest';

import { objectiveSets } from '../align/objective-sets.ts';
import { OBJECTIVES } from '../align/objectives.ts';
import { AlignError } from '../align/errors.ts';
import { exampleAlignment } from '../align/alignment.fixture.ts';
import type { AlignEvent } from '../align/edit.ts';
import { createAppStore } from './app-store.ts';
import {
  demoInfo,
  demoModel,
  FakeClient,
  fakeDependencies,
  FakeHistory,
  servedInfo,
  servedModel,
} from './fake-client.fixture.ts';

const request = { ...exampleAlignment().request, objectives: OBJECTIVES.slice(0, 2) };
const sets = objectiveSets(request.objectives, ['together', 'alone']);
const auto = { device: 'auto', variant: 'auto' } as const;
const other = { ...demoModel, id: 'other', name: 'Other' };

function end(edit: string, finishReason: 'stop' | 'cancelled' = 'stop'): AlignEvent {
  const { usage, timings } = exampleAlignment();
  return { type: 'edit-end', edit, tokenIds: [], finishReason, usage, timings };
}

function setUp() {
  const client = new FakeClient();
  const history = new FakeHistory();
  const store = createAppStore(fakeDependencies({ client, history }));
  const states = () => store.getState().comparison!.cells.map(({ outcome }) => outcome.status);
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const finish = async (i: number, edit: string) => {
    client.aligns[i]!.arguments[1](end(edit));
    client.aligns[i]!.resolve();
    await settle();
  };
  return { client, history, store, states, settle, finish };
}

it('loads a model once, runs every set on it in order, and keeps each run', async () => {
  const { client, history, store, states, settle, finish } = setUp();
  const ended = store.getState().startComparison(request, sets, [demoModel], auto);
  expect(states()).toEqual(['waiting', 'waiting', 'waiting']);
  client.loads[0]!.resolve(demoInfo);
  await settle();
  expect(states()).toEqual(['running', 'waiting', 'waiting']);
  for (const [i, edit] of ['a', 'b', 'c'].entries()) await finish(i, edit);
  await ended;
  expect(states()).toEqual(['done', 'done', 'done']);
  expect(client.loads).toHaveLength(1);
  expect(client.aligns.map((call) => call.arguments[0].objectives.map(({ key }) => key))).toEqual([
    ['harmlessness', 'helpfulness'],
    ['harmlessness'],
    ['helpfulness'],
  ]);
  expect(new Set((await history.list()).map(({ edit }) => edit))).toEqual(new Set(['a', 'b', 'c']));
  expect(store.getState().comparison!.isRunning).toBe(false);
});

it('stops at once while a model loads', async () => {
  const { client, store, states } = setUp();
  const ended = store.getState().startComparison(request, sets, [demoModel, other], auto);
  store.getState().stopComparison();
  client.loads[0]!.reject(new DOMException('unloaded', 'AbortError'));
  await ended;
  expect(new Set(states())).toEqual(new Set(['skipped']));
  expect([client.unloads, client.loads.length, store.getState().model.status]).toEqual([1, 1, 'none']);
});

it('runs two models one after the other, the loaded one first', async () => {
  const { client, store, states, settle, finish } = setUp();
  const loaded = store.getState().loadModel(other, auto);
  client.loads[0]!.resolve(demoInfo);
  await loaded;
  const ended = store.getState().startComparison(request, sets.slice(0, 1), [demoModel, other], auto);
  expect(store.getState().comparison!.cells.map(({ modelName }) => modelName)).toEqual(['Other', 'Demo']);
  await settle();
  await finish(0, 'first');
  client.loads[1]!.resolve(demoInfo);
  await settle();
  await finish(1, 'second');
  await ended;
  expect(states()).toEqual(['done', 'done']);
});

it('keeps what is done when it is stopped, and skips the rest', async () => {
  const { client, store, states, settle, finish } = setUp();
  const ended = store.getState().startComparison(request, sets, [demoModel], auto);
  client.loads[0]!.resolve(demoInfo);
  await settle();
  await finish(0, 'a');
  store.getState().stopComparison();
  expect(client.aligns[1]!.arguments[2].aborted).toBe(true);
  client.aligns[1]!.arguments[1](end('', 'cancelled'));
  client.aligns[1]!.resolve();
  await ended;
  expect(states()).toEqual(['done', 'skipped', 'skipped']);
});

it('goes on after a run that failed, and says why a model could not be loaded', async () => {
  const { client, store, states, settle, finish } = setUp();
  const ended = store.getState().startComparison(request, sets.slice(0, 2), [demoModel, other], auto);
  client.loads[0]!.resolve(demoInfo);
  await settle();
  client.aligns[0]!.reject(new AlignError('engine-failed', 'A step failed.'));
  await settle();
  await finish(1, 'b');
  client.loads[1]!.reject(new AlignError('out-of-memory', 'It needed 9 GB.'));
  await ended;
  expect(states()).toEqual(['failed', 'done', 'failed', 'failed']);
  expect(store.getState().comparison!.cells[2]!.outcome).toMatchObject({ error: { code: 'out-of-memory' } });
});

it('ends, and can be started again, when the model is unloaded in the middle', async () => {
  const { client, store, states, settle } = setUp();
  const ended = store.getState().startComparison(request, sets, [demoModel], auto);
  client.loads[0]!.resolve(demoInfo);
  await settle();
  await store.getState().unloadModel();
  client.aligns[0]!.arguments[1](end('', 'cancelled'));
  client.aligns[0]!.resolve();
  await ended;
  expect(states()).toEqual(['skipped', 'skipped', 'skipped']);
  expect(store.getState().comparison!.isRunning).toBe(false);
});

it('runs one here beside one at a server, and is back here afterwards', async () => {
  const { client, store, settle, finish } = setUp();
  const ended = store.getState().startComparison(request, sets.slice(0, 1), [demoModel, servedModel], auto);
  client.loads[0]!.resolve(demoInfo);
  await settle();
  await finish(0, 'here');
  client.loads[1]!.resolve(servedInfo);
  await settle();
  await finish(1, 'there');
  client.loads[2]!.resolve(demoInfo);
  await ended;
  const { cells } = store.getState().comparison!;
  expect(cells.map(({ host }) => host)).toEqual([undefined, '127.0.0.1:4320']);
  expect(cells.map(({ outcome }) => (outcome.status === 'done' ? outcome.alignment : undefined))).toMatchObject([
    { edit: 'here', model: { device: 'wasm' } },
    { edit: 'there', model: { device: 'server', host: '127.0.0.1:4320' } },
  ]);
  expect(store.getState().model).toMatchObject({ status: 'ready', model: demoModel });
});

it('names the server that wrote an edit, though a model here is ready by its end', async () => {
  const { client, store, history, settle, finish } = setUp();
  const ended = store.getState().startComparison(request, sets.slice(0, 1), [servedModel], auto);
  client.loads[0]!.resolve(servedInfo);
  await settle();
  const loading = store.getState().loadModel(demoModel, auto);
  client.loads[1]!.resolve(demoInfo);
  await loading;
  await finish(0, 'there');
  await ended;
  expect((await history.list())[0]!.model).toMatchObject({ id: servedModel.id, host: '127.0.0.1:4320' });
});
