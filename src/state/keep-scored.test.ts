import { expect, it, vi } from 'vitest';

import type { AlignEvent } from '../align/edit.ts';
import { exampleAlignment } from '../align/alignment.fixture.ts';
import { createAppStore } from './app-store.ts';
import { demoInfo, demoModel, FakeClient, fakeDependencies, FakeStorage } from './fake-client.fixture.ts';
import { keepScored } from './keep-scored.ts';
import type { ScoringSettings } from './scoring-settings.ts';
import { createSettingsStore } from './settings-store.ts';

const END: AlignEvent = {
  type: 'edit-end',
  edit: 'An edit.',
  tokenIds: [1],
  finishReason: 'stop',
  usage: { promptTokens: 1, editTokens: 1, steps: 1 },
  timings: { timeToFirstTokenMs: 1, totalMs: 1, tokensPerSecond: 1 },
};

/** An edit that is written; `ask` counts what its judge is asked. */
async function write(scoring: Partial<ScoringSettings>, agreedOrigin?: string) {
  const client = new FakeClient();
  const ask = vi.fn(async () => '5');
  const app = createAppStore(fakeDependencies({ client, judge: { ask } }));
  const settings = createSettingsStore(new FakeStorage(), () => {});
  const chosen = { judge: 'endpoint', judgeUrl: 'http://judge.example/v1', judgeModel: 'm', repeats: 1 } as const;
  settings.getState().change({ scoring: { ...settings.getState().scoring, ...chosen, ...scoring } });
  keepScored({ app, settings });
  app.getState().agreeTo(agreedOrigin);
  const loaded = app.getState().loadModel(demoModel, { device: 'auto', variant: 'auto' });
  client.loads[0]!.resolve(demoInfo);
  await loaded;
  const run = app.getState().startRun(exampleAlignment().request);
  client.aligns[0]!.arguments[1](END);
  client.aligns[0]!.resolve();
  await run;
  await vi.waitUntil(() => app.getState().scoring.status !== 'running');
  return { app, ask };
}

it('scores an edit when it is written, where that is wanted and its host was agreed to', async () => {
  const { app, ask } = await write({ isAutomatic: true }, 'http://judge.example');
  expect(ask).toHaveBeenCalledTimes(4);
  expect(app.getState().run).toMatchObject({ scores: { scores: [{ objective: { key: 'harmlessness' } }] } });
});

it.each([
  ['it is not wanted', { isAutomatic: false }, 'http://judge.example'],
  ['nobody agreed', { isAutomatic: true }, undefined],
  ['another host was agreed to', { isAutomatic: true }, 'https://judge.example'],
  ['nothing scores', { isAutomatic: true, judge: 'none' }, 'http://judge.example'],
] as const)('asks nobody where %s', async (_, scoring, host) => {
  const { app, ask } = await write(scoring, host);
  expect(ask).not.toHaveBeenCalled();
  expect(app.getState().scoring).toEqual({ status: 'idle' });
});
