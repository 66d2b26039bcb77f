import { describe, expect, it } from 'vitest';

import { AlignError } from '../align/errors.ts';
import type { StoredModel, StoreReport, TransferPlan, TransferRequest } from '../../workers/weights-protocol.ts';
import type { WeightsClient } from '../worker-client/weights-client.ts';
import { createAppStore } from './app-store.ts';
import { currentModel } from './current-request.ts';
import { fakeDependencies, fakeWeights } from './fake-client.fixture.ts';
import { storedModelId } from './weights-slice.ts';

const KEY = { source: 'a/b', variant: 'q4' } as const;
const STORED: StoredModel = {
  ...KEY,
  name: 'b',
  family: 'imhi',
  parameterCount: 7,
  contextLength: 64,
  sizeBytes: 12,
  variantBytes: 10,
  revision: 'c1',
  trust: 'publisher',
  storedAt: 1,
  lastUsedAt: 2,
};
const EMPTY: StoreReport = { models: [], unfinished: [], usedBytes: 1, quotaBytes: 2, isPersistent: false };
const WITH_MODEL = { ...EMPTY, models: [STORED] };
const REQUEST: TransferRequest = {
  reference: 'a/b',
  variant: 'auto',
  device: 'auto',
  endpoint: 'https://hub.example',
  token: undefined,
  family: undefined,
};
const PLAN: TransferPlan = {
  key: KEY,
  source: 'torch',
  fileCount: 3,
  revision: 'c1',
  trust: 'publisher',
  cost: { downloadBytes: 1, keepBytes: 1, expectedSeconds: undefined, missingBytes: undefined },
};
const PROGRESS = {
  type: 'transfer-progress',
  isElsewhere: false,
  phase: 'downloading',
  file: 'x',
  loadedBytes: 5,
  totalBytes: 10,
  bytesPerSecond: undefined,
  secondsLeft: undefined,
} as const;

function setUp(calls: Partial<WeightsClient>) {
  const weights = fakeWeights({ persist: async () => true, report: async () => EMPTY, ...calls });
  return createAppStore(fakeDependencies({ weights }));
}

describe('weights in the store', () => {
  it('offers what is stored to be loaded, as the same object from draw to draw', async () => {
    const store = setUp({ report: async () => WITH_MODEL });
    await store.getState().listStored();
    const model = currentModel(store.getState(), { modelId: storedModelId(KEY) });
    expect(model).toMatchObject({ name: 'b', variants: [{ variant: 'q4', sizeBytes: 10 }] });
    expect(model?.location).toEqual({ kind: 'stored', ...KEY });
    expect(currentModel(store.getState(), { modelId: undefined })).toBe(model);
  });

  it('shows a plan, and puts it aside', async () => {
    const store = setUp({ plan: async () => PLAN });
    const planning = store.getState().planTransfer(REQUEST);
    expect(store.getState().transfers['a/b']).toEqual({ status: 'planning' });
    await planning;
    expect(store.getState().transfers['a/b']).toMatchObject({ status: 'planned', plan: PLAN });
    store.getState().closeTransfer('a/b');
    expect(store.getState().transfers).toEqual({});
  });

  it('follows a transfer to the model', async () => {
    let report = EMPTY;
    const seen: unknown[] = [];
    const store = setUp({
      report: async () => report,
      transfer: async (_request, onEvent) => {
        onEvent(PROGRESS);
        seen.push(store.getState().transfers['a/b']);
        onEvent({ type: 'transfer-retry', message: 'The host answered 503.', delayMs: 1 });
        seen.push(store.getState().transfers['a/b']);
        report = WITH_MODEL;
        return KEY;
      },
    });
    const model = await store.getState().startTransfer(REQUEST);
    expect(model?.id).toBe(storedModelId(KEY));
    expect(seen).toMatchObject([
      { status: 'running', progress: PROGRESS, trouble: undefined },
      { status: 'running', progress: PROGRESS, trouble: 'The host answered 503.' },
    ]);
    expect(store.getState().transfers).toEqual({});
  });

  it('takes a pause for no failure, and a failure for one', async () => {
    let error: Error = new DOMException('paused', 'AbortError');
    const store = setUp({ transfer: () => Promise.reject(error) });
    expect(await store.getState().startTransfer(REQUEST)).toBeUndefined();
    expect(store.getState().transfers).toEqual({});
    error = new AlignError('storage-full', 'full');
    await store.getState().startTransfer(REQUEST);
    expect(store.getState().transfers['a/b']).toMatchObject({ status: 'failed', error: { code: 'storage-full' } });
  });

  it('says what verifying found', async () => {
    const store = setUp({ verify: async () => ['onnx/x'] });
    await store.getState().verifyStored(KEY);
    expect(store.getState().tasks[storedModelId(KEY)]).toEqual({ status: 'checked', damaged: ['onnx/x'] });
  });

  it('says why an import failed, and that it is over', async () => {
    const store = setUp({ importModel: () => Promise.reject(new AlignError('weights-corrupt', 'damaged')) });
    await store.getState().importStored(new File([], 'x.tar'));
    expect(store.getState()).toMatchObject({ importing: undefined, importError: { code: 'weights-corrupt' } });
  });
});
