import { expect, it } from 'vitest';

import { exampleAlignment } from '../align/alignment.fixture.ts';
import type { TransferRequest } from '../../workers/weights-protocol.ts';
import type { TransferProgress } from '../weights/speed-meter.ts';
import { type AppState, createAppStore } from './app-store.ts';
import { demoInfo, demoModel, FakeClient, fakeDependencies, FakeFrames, FakeStorage } from './fake-client.fixture.ts';
import { createSettingsStore } from './settings-store.ts';
import { keepTabTold } from './tab-title.ts';

const { request, usage, timings } = exampleAlignment();

async function setUp({ hidden, notifies }: { hidden: boolean; notifies: boolean }) {
  const client = new FakeClient();
  const frames = new FakeFrames();
  const app = createAppStore(fakeDependencies({ client, scheduleFrame: frames.schedule }));
  const settings = createSettingsStore(new FakeStorage(), console.error);
  settings.getState().change({ notifies });
  const tab = {
    title: 'MetaAligner',
    hidden,
    addEventListener: (_: string, listener: () => void) => (tab.onTurn = listener),
    onTurn: () => {},
  };
  const told: string[] = [];
  let nowMs = 0;
  keepTabTold(
    { app, settings },
    tab,
    (text) => told.push(text),
    () => nowMs,
  );
  const loaded = app.getState().loadModel(demoModel, { device: 'auto', variant: 'auto' });
  const loadingTitle = tab.title;
  client.loads[0]!.resolve(demoInfo);
  await loaded;
  const run = async (lastsMs: number) => {
    const ended = app.getState().startRun(request);
    const send = client.aligns[0]!.arguments[1];
    send({ type: 'edit-delta', text: 'A', editTokens: 1, elapsedMs: 1 });
    frames.draw();
    const writingTitle = tab.title;
    nowMs += lastsMs;
    send({ type: 'edit-end', edit: 'A', tokenIds: [1], finishReason: 'stop', usage, timings });
    client.aligns[0]!.resolve();
    await ended;
    return writingTitle;
  };
  const later = (ms: number) => void (nowMs += ms);
  return { app, tab, told, run, loadingTitle, later };
}

it('says what the page is doing, and its name when it is doing nothing', async () => {
  const { tab, run, loadingTitle } = await setUp({ hidden: false, notifies: true });
  expect(loadingTitle).toBe('Loading – MetaAligner');
  expect(tab.title).toBe('MetaAligner');
  expect(await run(0)).toBe('Writing, 1 token – MetaAligner');
  expect(tab.title).toBe('MetaAligner');
});

it('says in the title that an edit ended while the visitor was elsewhere, until they are back', async () => {
  const { tab, run } = await setUp({ hidden: true, notifies: false });
  await run(0);
  expect(tab.title).toBe('Edit finished – MetaAligner');
  tab.hidden = false;
  tab.onTurn();
  expect(tab.title).toBe('MetaAligner');
});

it.each([
  [{ hidden: true, notifies: true }, 60_000, 1],
  [{ hidden: true, notifies: true }, 1000, 0],
  [{ hidden: false, notifies: true }, 60_000, 0],
  [{ hidden: true, notifies: false }, 60_000, 0],
])(
  'notifies of a long run that ended in the background, if asked to: %j after %i ms',
  async (where, lastsMs, count) => {
    const { told, run } = await setUp(where);
    await run(lastsMs);
    expect(told).toHaveLength(count);
  },
);

it('says how much of a model has come, and tells of its end', async () => {
  const { app, tab, told, later } = await setUp({ hidden: true, notifies: true });
  const request = { reference: 'someone/model' } as TransferRequest;
  const progress = { loadedBytes: 1, totalBytes: 4 } as TransferProgress & {
    type: 'transfer-progress';
    isElsewhere: boolean;
  };
  const show = (transfers: AppState['transfers']) => app.setState({ transfers });
  show({ 'someone/model': { status: 'running', request, progress: undefined, trouble: undefined } });
  expect(tab.title).toBe('Getting a model – MetaAligner');
  show({ 'someone/model': { status: 'running', request, progress, trouble: undefined } });
  expect(tab.title).toBe('Getting a model, 25 % – MetaAligner');
  later(60_000);
  show({});
  expect([tab.title, told]).toEqual(['Model is here – MetaAligner', ['The model is here.']]);
});
