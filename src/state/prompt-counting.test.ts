import { expect, it } from 'vitest';

import { createAppStore } from './app-store.ts';
import { createDraftStore } from './draft-store.ts';
import {
  demoInfo,
  demoModel,
  FakeClient,
  fakeDependencies,
  FakeStorage,
  servedInfo,
  servedModel,
} from './fake-client.fixture.ts';
import { keepPromptCounted } from './prompt-counting.ts';
import { createSettingsStore } from './settings-store.ts';

async function setUp() {
  const client = new FakeClient();
  const app = createAppStore(fakeDependencies({ client }));
  const draft = createDraftStore(new FakeStorage(), console.error);
  const settings = createSettingsStore(new FakeStorage(), console.error);
  const timers: (() => void)[] = [];
  const cleared: number[] = [];
  keepPromptCounted(
    { app, draft, settings },
    (callback) => timers.push(callback) - 1,
    (timer) => void cleared.push(timer),
  );
  const load = async () => {
    const loaded = app.getState().loadModel(demoModel, { device: 'auto', variant: 'auto' });
    client.loads.at(-1)!.resolve(demoInfo);
    await loaded;
  };
  return { client, app, draft, settings, timers, cleared, load, count: () => app.getState().promptCount };
}

it('counts once the model is ready, and not before', async () => {
  const { client, count, load } = await setUp();
  expect(client.counts).toHaveLength(0);
  await load();
  expect(client.counts).toHaveLength(1);
  client.counts[0]!.resolve(40);
  await Promise.resolve();
  expect(count()).toEqual({ status: 'known', promptTokens: 40 });
});

it('waits for a pause in typing', async () => {
  const { client, draft, timers, cleared, load } = await setUp();
  await load();
  draft.getState().setAnswer('One');
  draft.getState().setAnswer('One two');
  expect(cleared).toEqual([0]);
  timers[1]!();
  expect(client.counts[1]!.arguments[0]).toMatchObject({ answer: 'One two' });
});

it('shows the latest count, in whichever order they arrive', async () => {
  const { client, draft, timers, load, count } = await setUp();
  await load();
  draft.getState().setAnswer('One');
  timers[0]!();
  client.counts[1]!.resolve(2);
  client.counts[0]!.resolve(40);
  await new Promise((resolve) => setImmediate(resolve));
  expect(count()).toEqual({ status: 'known', promptTokens: 2 });
});

it('asks nobody while a server’s model is in use, whatever is typed', async () => {
  const { app, client, draft, timers, count, load } = await setUp();
  await load();
  client.counts[0]!.resolve(40);
  const loaded = app.getState().loadModel(servedModel, { device: 'auto', variant: 'auto' });
  client.loads.at(-1)!.resolve(servedInfo);
  await loaded;
  draft.getState().setAnswer('A secret.');
  for (const timer of timers) timer();
  expect(client.counts).toHaveLength(1);
  expect(count()).toEqual({ status: 'none' });
});

it('forgets the count with the model', async () => {
  const { app, client, load, count } = await setUp();
  await load();
  client.counts[0]!.resolve(40);
  await app.getState().unloadModel();
  expect(count()).toEqual({ status: 'none' });
});
