import { expect, it } from 'vitest';

import { exampleAlignment } from '../align/alignment.fixture.ts';
import { createAppStore } from './app-store.ts';
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
  return { tab, told, run, loadingTitle };
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
