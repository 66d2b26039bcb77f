import { describe, expect, it, vi } from 'vitest';

import { AlignError } from '../align/errors.ts';
import { findObjective } from '../align/objectives.ts';
import { exampleAlignment } from '../align/alignment.fixture.ts';
import type { HistoryEntry } from '../history/history-entry.ts';
import type { ClassifierInfo, ClassifierRequest, Logits } from '../../workers/scores-protocol.ts';
import type { ConvertedModel } from '../worker-client/model-library.ts';
import type { JudgeClient } from '../worker-client/judge-client.ts';
import { createAppStore } from './app-store.ts';
import {
  demoInfo,
  demoModel,
  FakeBatches,
  FakeClient,
  fakeDependencies,
  FakeHistory,
  fakeScores,
} from './fake-client.fixture.ts';
import type { ScoringPlan } from './scores-slice.ts';
import { SCORING_DEFAULTS } from './scoring-settings.ts';

const PLAN: ScoringPlan = {
  outputs: [],
  judge: 'none',
  judgeUrl: 'http://judge.example/v1',
  judgeModel: 'strict',
  repeats: 1,
  device: 'wasm',
  hubEndpoint: 'https://hub.example',
  hubToken: '',
};
const OUTPUT = {
  classifierId: 'hub:made/reward',
  objectiveKey: 'harmlessness',
  labelIndex: 0,
  reading: 'value',
  input: 'pair',
  isLowerBetter: false,
} as const;
const INFO: ClassifierInfo = {
  source: 'made/reward@01',
  labels: ['LABEL_0'],
  maxTokens: 512,
  parameterCount: 10,
  variant: 'fp32',
  device: 'wasm',
};

function entry(): HistoryEntry {
  const example = exampleAlignment();
  const request = {
    ...example.request,
    objectives: [findObjective('harmlessness', 'hh-rlhf'), findObjective('humour', 'hh-rlhf')],
  };
  return { ...example, request, id: 'one', createdAt: 1, isPinned: false, decisions: [] };
}

async function setUp(judge: JudgeClient['ask'] = async () => '5') {
  const history = new FakeHistory();
  const classify = vi.fn(async (_id: string, texts: readonly { text: string }[]) =>
    texts.map(({ text }) => ({ type: 'logits' as const, logits: [text.length], cutAtTokens: undefined })),
  );
  const scores = fakeScores({ open: async () => INFO, classify });
  const ask = vi.fn(judge);
  const store = createAppStore(fakeDependencies({ history, scores, judge: { ask } }));
  await store.getState().keepEntry(entry());
  store.getState().openRun(entry());
  const run = () => {
    const { run: now } = store.getState();
    if (now.status !== 'done') throw new Error('no edit is open');
    return now;
  };
  return { store, history, classify, ask, run };
}

describe('scoring the edit on the page', () => {
  it('gives each objective its classifier’s number, and keeps the scores with the edit', async () => {
    const { store, history, classify, run } = await setUp();
    await store.getState().scoreRun({ ...PLAN, outputs: [OUTPUT] }, undefined);
    const { request, edit, scores } = run();
    expect(scores!.scores).toHaveLength(1);
    expect(scores!.scores[0]).toMatchObject({
      objective: { key: 'harmlessness' },
      scorer: { name: 'made/reward', source: 'made/reward@01', label: 'LABEL_0', variant: 'fp32', device: 'wasm' },
      original: { value: request.answer.length },
      edit: { value: edit.length },
      reviewed: undefined,
    });
    expect(classify.mock.calls[0]![1]).toEqual([
      { context: request.context, text: request.answer },
      { context: request.context, text: edit },
    ]);
    expect(history.entries.get('one')!.scores).toEqual(scores);
    expect(store.getState().scoring).toEqual({ status: 'idle' });
  });

  it('sends nothing to a host that the visitor has not agreed to', async () => {
    const { store, ask } = await setUp();
    await store.getState().scoreRun({ ...PLAN, judge: 'endpoint' }, undefined);
    expect(ask).not.toHaveBeenCalled();
    expect(store.getState().scoring).toMatchObject({ status: 'failed', error: { code: 'invalid-request' } });
    store.getState().agreeTo('https://judge.example');
    await store.getState().scoreRun({ ...PLAN, judge: 'endpoint' }, undefined);
    expect(ask).not.toHaveBeenCalled();
  });

  it('asks a judge only about what is new, and everything anew when nothing is', async () => {
    const { store, ask, run } = await setUp();
    store.getState().agreeTo('http://judge.example');
    store.getState().setJudgeKey('http://judge.example', 'secret');
    const plan: ScoringPlan = { ...PLAN, judge: 'endpoint', repeats: 2 };
    await store.getState().scoreRun(plan, undefined);
    // Two objectives: two ratings of two texts, and a comparison in both orders.
    expect(ask).toHaveBeenCalledTimes(2 * (2 * 2 + 2));
    expect(ask.mock.calls[0]![0]).toEqual({ url: PLAN.judgeUrl, model: 'strict', apiKey: 'secret' });
    await store.getState().scoreRun(plan, 'reviewed text');
    expect(ask).toHaveBeenCalledTimes(12 + 2 * (2 + 2));
    expect(run().scores).toMatchObject({ reviewedText: 'reviewed text' });
    expect(run().scores!.scores[0]!.reviewed).toMatchObject({ value: 5, replies: 2 });
    await store.getState().scoreRun(plan, 'reviewed text');
    expect(ask).toHaveBeenCalledTimes(20 + 20);
  });

  it('sends a key to its own server alone', async () => {
    const { store, ask } = await setUp();
    store.getState().setJudgeKey('http://judge.example', 'secret');
    store.getState().agreeTo('https://other.example');
    await store.getState().scoreRun({ ...PLAN, judge: 'endpoint', judgeUrl: 'https://other.example/v1' }, undefined);
    expect(ask).toHaveBeenCalled();
    expect(ask.mock.calls.every(([endpoint]) => endpoint.apiKey === undefined)).toBe(true);
  });

  it('counts a call that failed for what it sent, and stops at one that no call would survive', async () => {
    let calls = 0;
    const { store, run } = await setUp(async () => {
      calls += 1;
      if (calls === 2) throw new AlignError('invalid-request', 'too long');
      return '4';
    });
    store.getState().agreeTo('http://judge.example');
    await store.getState().scoreRun({ ...PLAN, judge: 'endpoint', repeats: 3 }, undefined);
    expect(run().scores!.scores[0]!.original).toMatchObject({ value: 4, replies: 2, invalid: 1 });

    const broken = await setUp(async () => {
      throw new AlignError('server-unreachable', 'no key');
    });
    broken.store.getState().agreeTo('http://judge.example');
    await broken.store.getState().scoreRun({ ...PLAN, judge: 'endpoint', repeats: 3 }, undefined);
    expect(broken.store.getState().scoring).toMatchObject({ status: 'failed', error: { message: 'no key' } });
    expect(broken.run().scores).toBeUndefined();
  });

  it('gives up after failures in a row, and keeps the objectives that were scored', async () => {
    let calls = 0;
    const { store, run } = await setUp(async () => {
      calls += 1;
      if (calls > 4) throw new AlignError('invalid-request', 'refused');
      return '4';
    });
    store.getState().agreeTo('http://judge.example');
    await store.getState().scoreRun({ ...PLAN, judge: 'endpoint' }, undefined);
    expect(store.getState().scoring).toMatchObject({ status: 'failed', error: { message: 'refused' } });
    expect(run().scores!.scores).toHaveLength(1);
  });

  it('keeps what was scored before where scoring again is stopped, on the page and with the edit', async () => {
    let calls = 0;
    const { store, history, run } = await setUp((_endpoint, _question, signal) => {
      calls += 1;
      // Four questions to an objective; again, the first objective is asked whole.
      if (calls <= 8) return Promise.resolve('5');
      if (calls <= 12) return Promise.resolve('7');
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    });
    store.getState().agreeTo('http://judge.example');
    await store.getState().scoreRun({ ...PLAN, judge: 'endpoint' }, undefined);
    const again = store.getState().scoreRun({ ...PLAN, judge: 'endpoint' }, undefined);
    await vi.waitUntil(() => calls > 12);
    store.getState().stopScoring();
    await again;
    expect(run().scores!.scores.map(({ edit }) => edit.value)).toEqual([7, 5]);
    expect(history.entries.get('one')!.scores).toEqual(run().scores);
  });

  it('keeps what was scored of original and edit where scoring another reviewed text is stopped', async () => {
    let calls = 0;
    const { store, ask, run } = await setUp((_endpoint, _question, signal) => {
      calls += 1;
      if (calls !== 12) return Promise.resolve('5');
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    });
    store.getState().agreeTo('http://judge.example');
    const plan: ScoringPlan = { ...PLAN, judge: 'endpoint' };
    await store.getState().scoreRun(plan, undefined);
    const stopped = store.getState().scoreRun(plan, 'reviewed text');
    await vi.waitUntil(() => calls === 12);
    store.getState().stopScoring();
    await stopped;
    expect(run().scores!.scores).toMatchObject([
      { reviewed: { value: 5 } },
      { edit: { value: 5 }, reviewed: undefined },
    ]);
    // Only the second objective's reviewed text is still to be asked about: a rating and two orders.
    ask.mockClear();
    await store.getState().scoreRun(plan, 'reviewed text');
    expect(ask).toHaveBeenCalledTimes(3);
    expect(run().scores!.scores.every(({ reviewed }) => reviewed?.value === 5)).toBe(true);
  });

  it('lets go of another plan’s scores once its own are whole', async () => {
    const { store, run } = await setUp();
    store.getState().agreeTo('http://judge.example');
    await store.getState().scoreRun({ ...PLAN, judge: 'endpoint' }, undefined);
    await store.getState().scoreRun({ ...PLAN, outputs: [OUTPUT] }, undefined);
    expect(run().scores!.scores.map(({ scorer }) => scorer.type)).toEqual(['classifier']);
  });

  it('is stopped by a new run, without an error', async () => {
    const { store, ask } = await setUp(
      (_endpoint, _question, signal) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    );
    store.getState().agreeTo('http://judge.example');
    const scoring = store.getState().scoreRun({ ...PLAN, judge: 'endpoint' }, undefined);
    await vi.waitUntil(() => ask.mock.calls.length > 0);
    store.getState().openRun({ ...entry(), id: 'two' });
    await scoring;
    expect(store.getState().scoring).toEqual({ status: 'idle' });
  });

  it('asks no other model than the one that it names', async () => {
    const client = new FakeClient();
    let opened = (_info: ClassifierInfo) => {};
    const scores = fakeScores({
      open: () => new Promise<ClassifierInfo>((resolve) => (opened = resolve)),
      classify: async (_id, texts) => texts.map(() => ({ type: 'logits', logits: [1], cutAtTokens: undefined })),
    });
    const store = createAppStore(fakeDependencies({ client, scores }));
    const load = async (model: ConvertedModel) => {
      const loaded = store.getState().loadModel(model, { device: 'auto', variant: 'auto' });
      client.loads.at(-1)!.resolve(demoInfo);
      await loaded;
    };
    store.getState().openRun(entry());
    await load(demoModel);
    const scored = store.getState().scoreRun({ ...PLAN, outputs: [OUTPUT], judge: 'page' }, undefined);
    await load({ ...demoModel, id: 'other', name: 'Other' });
    opened(INFO);
    await scored;
    expect(client.asks).toHaveLength(0);
    const { scoring, run } = store.getState();
    expect(scoring).toMatchObject({ status: 'failed', error: { details: { name: demoModel.name } } });
    // What the classifier gave stays.
    expect(run).toMatchObject({ scores: { scores: [{ scorer: { type: 'classifier' } }] } });
  });

  it('says at once that a server’s model does not judge, and sends nothing', async () => {
    const client = new FakeClient();
    const store = createAppStore(fakeDependencies({ client }));
    const loaded = store.getState().loadModel(demoModel, { device: 'auto', variant: 'auto' });
    client.loads.at(-1)!.resolve({ device: 'server', host: 'gpu.example', variant: 'q4', contextLength: 512 });
    await loaded;
    store.getState().openRun(entry());
    await store.getState().scoreRun({ ...PLAN, judge: 'page' }, undefined);
    expect(client.asks).toHaveLength(0);
    const { scoring } = store.getState();
    expect(scoring).toMatchObject({ status: 'failed', error: { details: { host: 'gpu.example' } } });
    expect(JSON.stringify(scoring)).toMatch(/runs at gpu\.example.*Load a chat model on this device/);
  });

  it('takes no reply of a model that was exchanged meanwhile', async () => {
    const client = new FakeClient();
    const store = createAppStore(fakeDependencies({ client }));
    const load = async (model: ConvertedModel) => {
      const loaded = store.getState().loadModel(model, { device: 'auto', variant: 'auto' });
      client.loads.at(-1)!.resolve(demoInfo);
      await loaded;
    };
    store.getState().openRun(entry());
    await load(demoModel);
    const scored = store.getState().scoreRun({ ...PLAN, judge: 'page' }, undefined);
    await vi.waitUntil(() => client.asks.length === 1);
    await load({ ...demoModel, id: 'other', name: 'Other' });
    client.asks[0]!.reject(new DOMException('The model was unloaded.', 'AbortError'));
    await scored;
    expect(client.asks).toHaveLength(1);
    expect(store.getState().scoring).toMatchObject({ status: 'failed', error: { code: 'invalid-request' } });
  });

  it('says which output of a classifier is not there', async () => {
    const { store } = await setUp();
    await store.getState().scoreRun({ ...PLAN, outputs: [{ ...OUTPUT, labelIndex: 3 }] }, undefined);
    expect(store.getState().scoring).toMatchObject({
      status: 'failed',
      error: { message: 'made/reward has 1 outputs; number 4 was chosen. Choose its outputs again.' },
    });
  });

  it('asks for a folder that was picked anew as another one, though its name is the same', async () => {
    const open = vi.fn(async (_request: ClassifierRequest) => INFO);
    const store = createAppStore(fakeDependencies({ scores: fakeScores({ open }) }));
    const pick = () => store.getState().pickClassifier([{ path: 'mine/config.json', blob: new Blob(['{}']) }])!;
    await store.getState().openClassifier(pick(), PLAN);
    await store.getState().openClassifier(pick(), PLAN);
    const [first, second] = open.mock.calls.map(([request]) => request);
    expect(second!.id).toBe(first!.id);
    expect(second!.location).not.toEqual(first!.location);
  });

  it('names a folder that is not open any more', async () => {
    const { store } = await setUp();
    await store.getState().scoreRun({ ...PLAN, outputs: [{ ...OUTPUT, classifierId: 'picked:mine' }] }, undefined);
    expect(store.getState().scoring).toMatchObject({ status: 'failed', error: { code: 'weights-missing' } });
  });
});

async function setUpBatch() {
  const batches = new FakeBatches();
  const classify = vi.fn(async (_id: string, texts: readonly unknown[], _signal: AbortSignal) =>
    texts.map((_, i): Logits => ({ type: 'logits', logits: [i], cutAtTokens: undefined })),
  );
  const rows = [0, 1, 2].map((index) => ({ index, cells: { query: 'q', answer: `a ${index}` } }));
  const client = new FakeClient();
  const store = createAppStore(
    fakeDependencies({
      client,
      batches,
      scores: fakeScores({ open: async () => INFO, classify }),
      rows: { read: async () => ({ columns: ['query', 'answer'], rows: rows }) },
    }),
  );
  const { edit, finishReason, usage, timings, model, request } = entry();
  const outcome = { edit, finishReason, usage, timings, model };
  const { context: _context, answer: _answer, ...settings } = request;
  batches.kept = {
    job: {
      id: 'job',
      fileName: 'a.csv',
      format: 'csv',
      file: new Blob(['x']),
      found: ['query', 'answer'],
      columns: { query: 'query', answer: 'answer', goldens: undefined },
      plan: { settings, modelId: 'demo', choice: { device: 'auto', variant: 'auto' } },
      isRunning: false,
    },
    results: [
      { row: 0, set: 0, ...outcome },
      { row: 1, set: 0, error: { code: 'blank-answer', message: 'blank' } },
      { row: 2, set: 0, ...outcome },
    ],
  };
  await store.getState().restoreBatch(async () => undefined);
  /** Begins to score; the first row takes until it is stopped, and a moment more. */
  const startScoring = async () => {
    classify.mockImplementation(async (_id, _texts, signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      await new Promise((resolve) => setImmediate(resolve));
      throw signal.reason;
    });
    const ended = store.getState().scoreBatch({ ...PLAN, outputs: [OUTPUT] });
    await vi.waitUntil(() => classify.mock.calls.length > 0);
    return { ended };
  };
  return { store, client, batches, classify, startScoring };
}

describe('scoring a batch', () => {
  it('scores the rows that this plan has not scored, and keeps each as it comes', async () => {
    const { store, batches, classify } = await setUpBatch();
    const plan = { ...PLAN, outputs: [OUTPUT] };
    await store.getState().scoreBatch(plan);
    expect(store.getState().scoring).toEqual({ status: 'idle' });
    expect(classify).toHaveBeenCalledTimes(2);
    expect(store.getState().batch).toMatchObject({ counts: { edited: 2, failed: 1, scored: 2 } });
    const kept = batches.kept!.results.filter((row) => 'scores' in row);
    expect(kept).toHaveLength(2);
    await store.getState().scoreBatch(plan);
    expect(classify).toHaveBeenCalledTimes(2);
    await store.getState().scoreBatch({ ...plan, outputs: [{ ...OUTPUT, input: 'response' }] });
    expect(classify).toHaveBeenCalledTimes(4);
  });

  it('is forgotten when it is closed while its rows are scored', async () => {
    const { store, batches, startScoring } = await setUpBatch();
    const { ended } = await startScoring();
    await store.getState().closeBatch();
    await ended;
    expect(batches.kept).toBeUndefined();
    expect(store.getState()).toMatchObject({ batch: { status: 'none' }, scoring: { status: 'idle' } });
  });

  it('makes room for another file while its rows are scored', async () => {
    const { store, batches, startScoring } = await setUpBatch();
    const { ended } = await startScoring();
    await store.getState().openBatch(new File(['x'], 'other.csv'));
    await ended;
    expect(store.getState().batch).toMatchObject({ status: 'ready', error: undefined, job: { fileName: 'other.csv' } });
    expect(batches.kept!.job.fileName).toBe('other.csv');
  });

  it('stops when other columns make another batch of it', async () => {
    const { store, batches, startScoring } = await setUpBatch();
    const { ended } = await startScoring();
    await store.getState().mapColumns({ query: 'query', answer: 'query', goldens: undefined });
    await ended;
    expect(store.getState().batch).toMatchObject({ status: 'ready', error: undefined });
    expect(batches.kept!.job.columns.answer).toBe('query');
  });

  it('lets the rows be run on when it was stopped', async () => {
    const { store, client, startScoring } = await setUpBatch();
    const { ended } = await startScoring();
    const { batch } = store.getState();
    if (batch.status !== 'ready' || batch.job.plan === undefined) throw new Error('no batch is open');
    store.getState().stopScoring();
    const ran = store.getState().runBatch(batch.job.plan, demoModel);
    await ended;
    await vi.waitUntil(() => client.loads.length > 0);
    client.loads[0]!.resolve(demoInfo);
    await ran;
    expect(store.getState().batch).toMatchObject({ activity: 'resting', error: undefined });
  });

  it('says so where another tab runs a batch', async () => {
    const { store, batches, classify } = await setUpBatch();
    let free = () => {};
    const held = batches.alone(() => new Promise((resolve) => (free = resolve)));
    await store.getState().scoreBatch({ ...PLAN, outputs: [OUTPUT] });
    expect(store.getState().scoring).toMatchObject({ status: 'failed', error: { code: 'invalid-request' } });
    expect(classify).not.toHaveBeenCalled();
    free();
    await held;
  });
});

it('keeps no key among the settings', () => {
  expect(Object.keys(SCORING_DEFAULTS).join(' ').toLowerCase()).not.toContain('key');
});
