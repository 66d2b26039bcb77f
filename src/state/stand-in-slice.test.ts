import { describe, expect, it } from 'vitest';

import { AlignError } from '../align/errors.ts';
import { type AlignRequest, GREEDY } from '../align/request.ts';
import { createAppStore } from './app-store.ts';
import {
  demoInfo,
  demoModel,
  FakeClient,
  fakeDependencies,
  knownServer,
  servedInfo,
  servedModel,
} from './fake-client.fixture.ts';
import { standInFacts, substituteFor } from './stand-in-slice.ts';

const URL = 'http://127.0.0.1:4320';
const AGREED = { device: 'auto', variant: 'auto', fallbackServer: URL } as const;
const NOT_AGREED = { ...AGREED, fallbackServer: undefined };
const OUT_OF_MEMORY = new AlignError('out-of-memory', 'Memory ran out while loading the model on wasm.');
const REQUEST: AlignRequest = {
  objectives: [{ key: 'length', label: 'Length', description: 'Length: short' }],
  context: '',
  answer: 'An answer.',
  template: 'hh-rlhf',
  promptStyle: 'bare',
  maxNewTokens: 16,
  sampling: GREEDY,
};

/** A page that knows one server; each load is answered by the next of `answers`. */
function setUp(servers = [knownServer()]) {
  const client = new FakeClient();
  const clock = { ms: 0 };
  const app = createAppStore(fakeDependencies({ client, now: () => clock.ms }));
  app.setState({ servers });
  const answer = async (call: Promise<boolean>, ...answers: (typeof demoInfo | typeof servedInfo | AlignError)[]) => {
    const from = client.loads.length - 1;
    for (const [i, one] of answers.entries()) {
      const load = client.loads[from + i]!;
      if (one instanceof AlignError) load.reject(one);
      else load.resolve(one);
      // The next load follows from this one's end.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return call;
  };
  const locations = () => client.loads.map(({ arguments: [{ location }] }) => location.kind);
  return { app, client, clock, answer, locations, state: () => app.getState() };
}

describe('a model that this device cannot run', () => {
  it('stays failed without consent, and nothing goes to the server', async () => {
    const { state, answer, locations } = setUp();
    expect(await answer(state().chooseModel(demoModel, NOT_AGREED), OUT_OF_MEMORY)).toBe(false);
    expect(state().model).toMatchObject({ status: 'failed', error: { code: 'out-of-memory' } });
    expect(locations()).toEqual(['url']);
    expect(standInFacts(state())).toBeUndefined();
  });

  it('is stood in for by the server that the visitor agreed to, and by no other', async () => {
    const { state, answer, locations } = setUp();
    expect(await answer(state().chooseModel(demoModel, AGREED), OUT_OF_MEMORY, servedInfo)).toBe(true);
    expect(locations()).toEqual(['url', 'server']);
    expect(state().model).toMatchObject({ status: 'ready', model: servedModel });
    expect(standInFacts(state())).toMatchObject({ model: demoModel, error: { code: 'out-of-memory' } });

    const elsewhere = setUp();
    const wish = { ...AGREED, fallbackServer: 'http://127.0.0.1:9' };
    expect(await elsewhere.answer(elsewhere.state().chooseModel(demoModel, wish), OUT_OF_MEMORY)).toBe(false);
    expect(elsewhere.locations()).toEqual(['url']);
  });

  it.each(['weights-missing', 'weights-unreachable', 'weights-corrupt', 'storage-full'] as const)(
    'is not what %s says, so no server is asked',
    async (code) => {
      const { state, answer, locations } = setUp();
      expect(await answer(state().chooseModel(demoModel, AGREED), new AlignError(code, 'Not there.'))).toBe(false);
      expect(locations()).toEqual(['url']);
    },
  );

  it('says why neither runs where the server does not answer', async () => {
    const { state, answer } = setUp();
    const gone = new AlignError('server-unreachable', '127.0.0.1:4320 cannot be reached.');
    expect(await answer(state().chooseModel(demoModel, AGREED), OUT_OF_MEMORY, gone)).toBe(false);
    expect(state().model).toMatchObject({ status: 'failed', model: demoModel, error: { code: 'server-unreachable' } });
    expect(state().standIn).toBeUndefined();
  });

  it('is tried here again once it is time, later and later, and runs here as soon as it can', async () => {
    const { state, answer, clock, locations } = setUp();
    await answer(state().chooseModel(demoModel, AGREED), OUT_OF_MEMORY, servedInfo);
    clock.ms = 119_999;
    expect(await state().readyModel(servedModel, AGREED)).toBe(true);
    expect(locations()).toHaveLength(2);
    clock.ms = 120_000;
    expect(await answer(state().readyModel(servedModel, AGREED), OUT_OF_MEMORY, servedInfo)).toBe(true);
    expect(state().standIn).toMatchObject({ tries: 2, nextTryMs: 360_000 });
    clock.ms = 359_999;
    await state().readyModel(servedModel, AGREED);
    expect(locations()).toHaveLength(4);
    clock.ms = 360_000;
    expect(await answer(state().readyModel(servedModel, AGREED), demoInfo)).toBe(true);
    expect(state().model).toMatchObject({ status: 'ready', model: demoModel });
    expect(state().standIn).toBeUndefined();
  });

  it('is left alone once the visitor has chosen another', async () => {
    const { state, answer, clock, locations } = setUp();
    await answer(state().chooseModel(demoModel, AGREED), OUT_OF_MEMORY, servedInfo);
    await answer(state().chooseModel(servedModel, AGREED), servedInfo);
    clock.ms = 10_000_000;
    await state().readyModel(servedModel, AGREED);
    expect(locations()).toEqual(['url', 'server', 'server']);
  });
});

describe('a device that goes away', () => {
  async function running() {
    const page = setUp();
    await page.answer(page.state().chooseModel(demoModel, AGREED), demoInfo);
    return page;
  }
  const restart = (client: FakeClient, lossesInARow: number) =>
    client.restart({ info: demoInfo, message: 'The GPU device was lost.', lossesInARow });

  it('is forgiven once; the second time the server takes the next run', async () => {
    const { state, client, answer, locations } = await running();
    restart(client, 1);
    await state().readyModel(demoModel, AGREED);
    expect(locations()).toEqual(['url']);
    restart(client, 2);
    expect(state().model).toMatchObject({ status: 'ready', losses: 2, lossError: { code: 'device-lost' } });
    await state().readyModel(demoModel, NOT_AGREED);
    expect(locations()).toEqual(['url']);
    const ready = state().readyModel(demoModel, AGREED);
    await Promise.resolve();
    expect(await answer(ready, servedInfo)).toBe(true);
    expect(locations()).toEqual(['url', 'server']);
    expect(standInFacts(state())).toMatchObject({ model: demoModel, error: { code: 'device-lost' } });
  });

  it('goes on where it runs, however slowly, when the server does not answer', async () => {
    const { state, client, answer, locations } = await running();
    restart(client, 2);
    const ready = state().readyModel(demoModel, AGREED);
    await Promise.resolve();
    expect(await answer(ready, new AlignError('server-unreachable', 'Gone.'), demoInfo)).toBe(true);
    expect(locations()).toEqual(['url', 'server', 'url']);
    expect(state().model).toMatchObject({ status: 'ready', model: demoModel, losses: 0 });
    // As it runs already: nothing is loaded for that.
    expect(client.loads[2]!.arguments[0]).toMatchObject({ device: 'wasm', variant: 'auto' });
  });

  it('does not override what the visitor chose while the server was asked', async () => {
    const { state, client, locations } = await running();
    restart(client, 2);
    const ready = state().readyModel(demoModel, AGREED);
    await Promise.resolve();
    const other = { ...demoModel, id: 'other' };
    const chosen = state().chooseModel(other, AGREED);
    client.loads[1]!.reject(new DOMException('overtaken', 'AbortError'));
    await ready;
    expect(locations()).toEqual(['url', 'server', 'url']);
    client.loads[2]!.resolve(demoInfo);
    expect(await chosen).toBe(true);
    expect(state().model).toMatchObject({ status: 'ready', model: other });
  });

  it('hands a run that failed of it to the server', async () => {
    const { state, client, answer } = await running();
    const run = state().startRun(REQUEST);
    client.aligns[0]!.reject(new AlignError('device-lost', 'The GPU device was lost, and it could not start again.'));
    await run;
    const standsIn = state().standInAfterRun(AGREED);
    await Promise.resolve();
    expect(await answer(standsIn, servedInfo)).toBe(true);
    expect(state().model).toMatchObject({ status: 'ready', model: servedModel });
  });

  it('hands over a run whose engine failed while its model seems to be there', async () => {
    const { state, client, answer } = await running();
    const run = state().startRun(REQUEST);
    client.aligns[0]!.reject(new AlignError('engine-failed', 'It broke.'));
    await run;
    const standsIn = state().standInAfterRun(AGREED);
    await Promise.resolve();
    expect(await answer(standsIn, servedInfo)).toBe(true);
    expect(standInFacts(state())).toMatchObject({ model: demoModel, error: { code: 'engine-failed' } });
  });

  it('hands over no run that failed of its request, nor one of a visitor who did not agree', async () => {
    const { state, client, locations } = await running();
    const tooLong = state().startRun(REQUEST);
    client.aligns[0]!.reject(new AlignError('prompt-too-long', 'Too long.'));
    await tooLong;
    expect(await state().standInAfterRun(AGREED)).toBe(false);
    const failed = state().startRun(REQUEST);
    client.aligns[1]!.reject(new AlignError('engine-failed', 'It broke.'));
    await failed;
    expect(await state().standInAfterRun(NOT_AGREED)).toBe(false);
    expect(state().model.status).toBe('ready');
    expect(locations()).toEqual(['url']);
  });
});

describe('what stands in for a model', () => {
  const offer = (source: string, family: 'hh-rlhf' | 'imhi' | undefined) => ({
    ...servedModel,
    id: source,
    source,
    family,
  });

  it('is the same by its name, else one of its family, else none', () => {
    const local = { ...demoModel, source: 'MetaAligner/MetaAligner-HH-RLHF-1.1B' };
    const same = offer('metaaligner/MetaAligner-HH-RLHF-1.1B', undefined);
    const larger = offer('MetaAligner/MetaAligner-HH-RLHF-7B', 'hh-rlhf');
    const other = offer('MetaAligner/MetaAligner-IMHI-7B', 'imhi');
    const of = (...models: (typeof servedModel)[]) => substituteFor(local, [knownServer({ models })]);
    expect(of(other, larger, same)).toBe(same);
    expect(of(other, larger)).toBe(larger);
    expect(of(other)).toBeUndefined();
    expect(substituteFor({ ...local, family: undefined }, [knownServer({ models: [other, larger] })])).toBeUndefined();
  });

  it('is nothing for a model that runs at a server itself', () => {
    expect(substituteFor(servedModel, [knownServer()])).toBeUndefined();
  });
});
