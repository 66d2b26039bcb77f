import { expect, it } from 'vitest';

import { createAppStore } from './app-store.ts';
import { demoInfo, demoModel, FakeClient, fakeDependencies } from './fake-client.fixture.ts';
import { whenAtRest } from './when-at-rest.ts';

it('resolves after the least time where nothing is on its way', async () => {
  const waits: number[] = [];
  await whenAtRest(createAppStore(fakeDependencies()), 2500, async (ms) => void waits.push(ms));
  expect(waits).toEqual([2500]);
});

it('lets a model that is on its way arrive first', async () => {
  const client = new FakeClient();
  const app = createAppStore(fakeDependencies({ client }));
  const loaded = app.getState().loadModel(demoModel, { device: 'auto', variant: 'auto' });
  let isAtRest = false;
  const rest = whenAtRest(app, 0, async () => {}).then(() => (isAtRest = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(isAtRest).toBe(false);
  client.loads[0]!.resolve(demoInfo);
  await loaded;
  await rest;
});
