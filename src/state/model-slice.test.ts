import { describe, expect, it } from 'vitest';

import { AlignError } from '../align/errors.ts';
import type { LoadEvent } from '../../workers/protocol.ts';
import { createAppStore } from './app-store.ts';
import { demoInfo, demoModel, FakeClient, fakeDependencies, FakeFrames } from './fake-client.fixture.ts';

const auto = { device: 'auto', variant: 'auto' } as const;
const progress: LoadEvent = {
  type: 'load-progress',
  phase: 'reading',
  file: 'onnx/model_q4.onnx_data',
  loadedBytes: 300,
  totalBytes: 1000,
};

function setUp() {
  const client = new FakeClient();
  const frames = new FakeFrames();
  const store = createAppStore(fakeDependencies({ client, scheduleFrame: frames.schedule }));
  return { client, frames, store, model: () => store.getState().model };
}

describe('loading a model', () => {
  it('shows progress and notes, and then what was chosen', async () => {
    const { client, frames, store, model } = setUp();
    const loaded = store.getState().loadModel(demoModel, auto);
    expect(model()).toMatchObject({ status: 'loading', progress: undefined });
    client.loads[0]!.arguments[1](progress);
    client.loads[0]!.arguments[1]({ type: 'load-note', message: 'No WebGPU adapter: running on wasm.' });
    frames.draw();
    expect(model()).toMatchObject({ status: 'loading', progress: { loadedBytes: 300 } });
    client.loads[0]!.resolve(demoInfo);
    expect(await loaded).toBe(true);
    expect(model()).toMatchObject({
      status: 'ready',
      info: demoInfo,
      notes: ['No WebGPU adapter: running on wasm.'],
    });
  });

  it('asks for the chosen variant, or for any where the model does not have it', () => {
    const { client, store } = setUp();
    void store.getState().loadModel(demoModel, { device: 'wasm', variant: 'q4' });
    void store.getState().loadModel(demoModel, { device: 'wasm', variant: 'fp16' });
    expect(client.loads.map((load) => load.arguments[0])).toEqual([
      { location: demoModel.location, device: 'wasm', variant: 'q4' },
      { location: demoModel.location, device: 'wasm', variant: 'auto' },
    ]);
  });

  it('listens to the latest load only', async () => {
    const { client, frames, store, model } = setUp();
    const first = store.getState().loadModel(demoModel, auto);
    const second = store.getState().loadModel({ ...demoModel, id: 'other' }, auto);
    client.loads[0]!.arguments[1](progress);
    frames.draw();
    expect(model()).toMatchObject({ status: 'loading', progress: undefined, model: { id: 'other' } });
    client.loads[0]!.reject(new DOMException('overtaken', 'AbortError'));
    expect(await first).toBe(false);
    expect(model().status).toBe('loading');
    client.loads[1]!.resolve(demoInfo);
    expect(await second).toBe(true);
  });

  it('is given up at a signal, and a later one is not', async () => {
    const { client, store, model } = setUp();
    const [early, late] = [new AbortController(), new AbortController()];
    const first = store.getState().loadModel(demoModel, auto, early.signal);
    early.abort();
    client.loads[0]!.reject(new DOMException('unloaded', 'AbortError'));
    expect(await first).toBe(false);
    expect([model().status, client.unloads]).toEqual(['none', 1]);
    const second = store.getState().loadModel(demoModel, auto, late.signal);
    client.loads[1]!.resolve(demoInfo);
    expect(await second).toBe(true);
    late.abort();
    expect([model().status, client.unloads]).toEqual(['ready', 1]);
  });

  it('says why it failed', async () => {
    const { client, store, model } = setUp();
    const loaded = store.getState().loadModel(demoModel, auto);
    client.loads[0]!.reject(new AlignError('weights-corrupt', 'model.onnx has 3 bytes.'));
    expect(await loaded).toBe(false);
    expect(model()).toMatchObject({ status: 'failed', model: demoModel, error: { code: 'weights-corrupt' } });
  });

  it('is no failure when cancelled', async () => {
    const { client, store, model } = setUp();
    const loaded = store.getState().loadModel(demoModel, auto);
    await store.getState().unloadModel();
    client.loads[0]!.reject(new DOMException('unloaded', 'AbortError'));
    expect(await loaded).toBe(false);
    expect(client.unloads).toBe(1);
    expect(model()).toEqual({ status: 'none' });
  });

  it('keeps the name of a model whose engine crashed', async () => {
    const { client, store, model } = setUp();
    const loaded = store.getState().loadModel(demoModel, auto);
    client.loads[0]!.resolve(demoInfo);
    await loaded;
    client.crash(new AlignError('worker-crashed', 'The worker ended.'));
    expect(model()).toMatchObject({ status: 'failed', model: demoModel, error: { code: 'worker-crashed' } });
  });
});
