import { expect, it } from 'vitest';

import { exampleAlignment } from '../align/alignment.fixture.ts';
import { AlignError } from '../align/errors.ts';
import type { SourceRow } from '../batch/row-format.ts';
import type { RowsClient } from '../worker-client/rows-client.ts';
import { createAppStore } from './app-store.ts';
import {
  demoInfo,
  demoModel,
  FakeBatches,
  FakeClient,
  fakeDependencies,
  servedInfo,
  servedModel,
} from './fake-client.fixture.ts';
import { hostOfModelId } from './server-slice.ts';

const { request, usage, timings } = exampleAlignment();
const { context: _context, answer: _answer, ...settings } = request;
const plan = { settings, modelId: demoModel.id, choice: { device: 'auto', variant: 'auto' } } as const;

function row(index: number, generated_text: string): SourceRow {
  return { index, cells: { query: `q${index}`, generated_text } };
}
const ROWS = [row(0, 'first'), row(1, ' '), row(2, 'third'), row(3, 'fourth')];

function setUp(batches = new FakeBatches(), rows: readonly SourceRow[] = ROWS) {
  const client = new FakeClient();
  const reader: RowsClient = { read: async () => ({ columns: ['query', 'generated_text'], rows: [...rows] }) };
  const store = createAppStore(fakeDependencies({ client, batches, rows: reader, scheduleFrame: (draw) => draw() }));
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const batch = () => {
    const state = store.getState().batch;
    if (state.status !== 'ready') throw new Error(`The batch is ${state.status}.`);
    return state;
  };
  const answer = async (i: number, edit: string) => {
    client.aligns[i]!.arguments[1]({ type: 'edit-end', edit, tokenIds: [], finishReason: 'stop', usage, timings });
    client.aligns[i]!.resolve();
    await settle();
  };
  const start = async () => {
    const ended = store.getState().runBatch(plan, demoModel);
    await settle();
    client.loads.at(-1)?.resolve(demoInfo);
    await settle();
    return { ended };
  };
  return { client, store, batches, batch, answer, start, settle };
}

const file = (name = 'answers.csv') => new File(['x'], name);

it('runs the rows in order with their texts, keeps each, and gives a blank answer no edit', async () => {
  const { client, store, batches, batch, answer, start } = setUp();
  await store.getState().openBatch(file());
  const { ended } = await start();
  await answer(0, 'one');
  await answer(1, 'three');
  await answer(2, 'four');
  await ended;
  expect(client.aligns.map((call) => call.arguments[0])).toEqual(
    [0, 2, 3].map((i) => ({ ...settings, context: `q${i}`, answer: ROWS[i]!.cells.generated_text })),
  );
  expect(batch()).toMatchObject({ activity: 'resting', counts: { edited: 3, failed: 1 } });
  expect(batch().results.get(1)).toMatchObject({ error: { code: 'blank-answer' } });
  expect(batches.kept!.results.map((result) => result.row)).toEqual([0, 1, 2, 3]);
  expect(batches.kept!.job.isRunning).toBe(false);
});

it('pauses after the row that is being written, and goes on with the next', async () => {
  const { client, store, batch, answer, start } = setUp();
  await store.getState().openBatch(file());
  const { ended } = await start();
  store.getState().pauseBatch();
  expect(batch().activity).toBe('pausing');
  await answer(0, 'one');
  await ended;
  expect(batch()).toMatchObject({ activity: 'resting', counts: { edited: 1 } });
  const again = store.getState().runBatch(plan, demoModel);
  await new Promise((resolve) => setImmediate(resolve));
  expect(client.aligns[1]!.arguments[0].answer).toBe('third');
  store.getState().stopBatch();
  client.aligns[1]!.reject(new DOMException('stopped', 'AbortError'));
  await again;
  expect(batch()).toMatchObject({ activity: 'resting', error: undefined, counts: { edited: 1, failed: 1 } });
});

it('goes on after a reload where it was, with what is kept', async () => {
  const batches = new FakeBatches();
  const before = setUp(batches);
  await before.store.getState().openBatch(file());
  await before.start();
  await before.answer(0, 'one');
  // The page is gone in the middle of a row, and its lock with it.
  const after = setUp(Object.assign(new FakeBatches(), { kept: batches.kept }));
  const restored = after.store.getState().restoreBatch(async () => demoModel);
  await after.settle();
  after.client.loads[0]!.resolve(demoInfo);
  await after.settle();
  expect(after.batch().counts).toMatchObject({ edited: 1, failed: 1 });
  expect(after.client.aligns[0]!.arguments[0].answer).toBe('third');
  await after.answer(0, 'three');
  await after.answer(1, 'four');
  await restored;
  expect([...after.batch().results.keys()].sort()).toEqual([0, 1, 2, 3]);
});

it('stays as it was left after a reload where a server writes it: nothing is sent by opening the page', async () => {
  const batches = new FakeBatches();
  const before = setUp(batches);
  await before.store.getState().openBatch(file());
  void before.store.getState().runBatch({ ...plan, modelId: servedModel.id }, servedModel);
  await before.settle();
  before.client.loads[0]!.resolve(servedInfo);
  await before.settle();
  await before.answer(0, 'one');
  expect(batches.kept!.job.isRunning).toBe(true);
  const after = setUp(Object.assign(new FakeBatches(), { kept: batches.kept }));
  await after.store.getState().restoreBatch(async () => servedModel);
  // What the page says of it, and to whom it would go.
  const job = { isRunning: true, plan: { modelId: servedModel.id } };
  expect(after.batch()).toMatchObject({ activity: 'resting', error: undefined, counts: { edited: 1 }, job });
  expect(hostOfModelId(servedModel.id)).toBe(servedInfo.host);
  expect(hostOfModelId('demo-aligner')).toBeUndefined();
  expect(after.client.loads).toEqual([]);
  expect(after.client.aligns).toEqual([]);
});

it('stops, and says so, when another model is loaded meanwhile', async () => {
  const { client, store, batch, answer, start, settle } = setUp();
  await store.getState().openBatch(file());
  const { ended } = await start();
  const loading = store.getState().loadModel({ ...demoModel, id: 'other' }, plan.choice);
  client.loads.at(-1)!.resolve(demoInfo);
  await loading;
  await answer(0, 'one');
  await settle();
  await ended;
  expect(batch()).toMatchObject({
    activity: 'resting',
    error: { message: expect.stringMatching(/Demo is not loaded/) as string },
  });
  expect(client.aligns).toHaveLength(1);
});

it('keeps nothing of a row whose model was unloaded while it was written', async () => {
  const { client, store, batch, batches, start, settle } = setUp();
  await store.getState().openBatch(file());
  const { ended } = await start();
  await store.getState().unloadModel();
  client.aligns[0]!.arguments[1]({
    type: 'edit-end',
    edit: 'Half',
    tokenIds: [],
    finishReason: 'cancelled',
    usage,
    timings,
  });
  client.aligns[0]!.resolve();
  await settle();
  await ended;
  expect(batch()).toMatchObject({ activity: 'resting', counts: { edited: 0, failed: 0 } });
  expect(batches.kept!.results).toEqual([]);
});

it('does not run over a file that another tab has opened since', async () => {
  const { client, store, batch, batches, start } = setUp();
  await store.getState().openBatch(file());
  await batches.begin({ ...batches.kept!.job, id: 'other' });
  await (
    await start()
  ).ended;
  expect(batch()).toMatchObject({
    activity: 'resting',
    error: { message: expect.stringMatching(/another tab/) as string },
  });
  expect(client.aligns).toEqual([]);
});

it('is forgotten when it is closed while it runs, and makes room for the next file', async () => {
  for (const next of [undefined, file('next.csv')]) {
    const { client, store, batches, start } = setUp();
    await store.getState().openBatch(file());
    const { ended } = await start();
    const closed = next === undefined ? store.getState().closeBatch() : store.getState().openBatch(next);
    expect(client.aligns[0]!.arguments[2].aborted).toBe(true);
    client.aligns[0]!.reject(new DOMException('stopped', 'AbortError'));
    await Promise.all([ended, closed]);
    expect(batches.kept?.job.fileName).toBe(next?.name);
    expect(store.getState().batch).toMatchObject(next === undefined ? { status: 'none' } : { activity: 'resting' });
  }
});

it('does not let go of rows that another tab finished since', async () => {
  const { store: other, batches, answer, start } = setUp();
  await other.getState().openBatch(file());
  const { store, batch } = setUp(batches);
  await store.getState().restoreBatch(() => Promise.resolve(undefined));
  const { ended } = await start();
  for (const i of [0, 1, 2]) await answer(i, `edit ${i}`);
  await ended;
  await store.getState().closeBatch();
  expect(batches.kept?.results).toHaveLength(4);
  expect(batch()).toMatchObject({
    counts: { edited: 3 },
    error: { message: expect.stringContaining('Another tab has finished 4 rows of answers.csv') as string },
  });
  await store.getState().closeBatch();
  expect([batches.kept, store.getState().batch.status]).toEqual([undefined, 'none']);
});

it('tries failed rows again only when asked', async () => {
  const { client, store, batch, answer, start } = setUp(new FakeBatches(), ROWS.slice(0, 1));
  await store.getState().openBatch(file());
  const { ended } = await start();
  client.aligns[0]!.reject(new AlignError('prompt-too-long', 'It is 9 tokens too long.'));
  await ended;
  expect(batch().counts).toMatchObject({ edited: 0, failed: 1 });
  store.getState().retryFailed();
  const again = store.getState().runBatch(plan, demoModel);
  await new Promise((resolve) => setImmediate(resolve));
  await answer(1, 'now');
  await again;
  expect(batch().counts).toMatchObject({ edited: 1, failed: 0 });
});

it('refuses a file of another kind, and one without rows', async () => {
  const { store } = setUp(new FakeBatches(), []);
  await store.getState().openBatch(file('answers.xlsx'));
  expect(store.getState().batch).toMatchObject({
    status: 'failed',
    error: { message: expect.stringContaining('no .csv') as string },
  });
  await store.getState().openBatch(file());
  expect(store.getState().batch).toMatchObject({ status: 'failed', error: { message: 'answers.csv has no rows.' } });
});

it('sends several rows at a time to a server, and waits where it is busy as long as it says', async () => {
  const waits: number[] = [];
  const client = new FakeClient();
  const rows: RowsClient = {
    read: async () => ({
      columns: ['query', 'generated_text'],
      rows: Array.from({ length: 6 }, (_, i) => row(i, 'x')),
    }),
  };
  const store = createAppStore(
    fakeDependencies({ client, rows, scheduleFrame: (draw) => draw(), wait: async (ms) => void waits.push(ms) }),
  );
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  await store.getState().openBatch(file());
  const ended = store.getState().runBatch({ ...plan, modelId: servedModel.id }, servedModel);
  await settle();
  client.loads[0]!.resolve(servedInfo);
  await settle();
  expect(client.aligns).toHaveLength(4);
  client.aligns[0]!.reject(new AlignError('server-busy', 'Busy.', { details: { retryAfterMs: 700 } }));
  await settle();
  expect(waits).toEqual([700]);
  for (let i = 1; i < 7; i += 1) {
    client.aligns[i]!.arguments[1]({ type: 'edit-end', edit: 'y', tokenIds: [], finishReason: 'stop', usage, timings });
    client.aligns[i]!.resolve();
    await settle();
  }
  await ended;
  const { batch } = store.getState();
  expect(batch).toMatchObject({ error: undefined, counts: { edited: 6, failed: 0 } });
  expect(batch.status === 'ready' && batch.results.get(0)).toMatchObject({ model: { host: '127.0.0.1:4320' } });
});

it('stops where the server goes away, so that the rows after it are not lost', async () => {
  const { client, store, batch, settle } = setUp();
  await store.getState().openBatch(file());
  const ended = store.getState().runBatch({ ...plan, modelId: servedModel.id }, servedModel);
  await settle();
  client.loads[0]!.resolve(servedInfo);
  await settle();
  client.aligns[0]!.reject(new AlignError('server-unreachable', 'Gone.'));
  for (const call of client.aligns.slice(1)) call.reject(new DOMException('stopped', 'AbortError'));
  await ended;
  expect(batch()).toMatchObject({ error: { code: 'server-unreachable' }, counts: { edited: 0 } });
  expect(batch().results.has(0)).toBe(false);
});

it('names the server that wrote a row, though a model here is ready by its end', async () => {
  const { client, store, batch, answer, settle } = setUp();
  await store.getState().openBatch(file());
  const ended = store.getState().runBatch({ ...plan, modelId: servedModel.id }, servedModel);
  await settle();
  client.loads[0]!.resolve(servedInfo);
  await settle();
  const loading = store.getState().loadModel(demoModel, plan.choice);
  client.loads[1]!.resolve(demoInfo);
  await loading;
  for (let i = 0; i < client.aligns.length; i += 1) await answer(i, 'there');
  await ended;
  expect(batch().results.get(0)).toMatchObject({ model: { id: servedModel.id, host: '127.0.0.1:4320' } });
});

it('goes on beside a row that its server cannot do', async () => {
  const { client, store, batch, answer, settle } = setUp();
  await store.getState().openBatch(file());
  const ended = store.getState().runBatch({ ...plan, modelId: servedModel.id }, servedModel);
  await settle();
  client.loads[0]!.resolve(servedInfo);
  await settle();
  client.aligns[0]!.reject(new AlignError('server-failed', 'It broke.', { details: { isAnswer: true } }));
  await settle();
  await answer(1, 'third');
  await answer(2, 'fourth');
  await ended;
  expect(batch()).toMatchObject({ error: undefined, counts: { edited: 2, failed: 2, retryable: 1 } });
});
