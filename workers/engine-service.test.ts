import { describe, expect, it, vi } from 'vitest';
import type { AlignerModel } from '../src/align/align.ts';
import type { AlignEvent } from '../src/align/edit.ts';
import type { Engine } from '../src/align/engine.ts';
import { AlignError } from '../src/align/errors.ts';
import { type AlignRequest, GREEDY } from '../src/align/request.ts';
import { type EngineHost, EngineService, type HostedModel } from './engine-service.ts';
import type { LoadedModelInfo, LoadRequest, RunEvent } from './protocol.ts';

const REQUEST: AlignRequest = {
  objectives: [{ key: 'length', label: 'Length', description: 'Length: short' }],
  context: 'c',
  answer: 'a',
  template: 'imhi',
  promptStyle: 'bare',
  maxNewTokens: 8,
  sampling: GREEDY,
};

const INFO: LoadedModelInfo = {
  device: 'wasm',
  variant: 'q8',
  reason: 'asked for',
  contextLength: 512,
  vocabularySize: 128,
  threads: 1,
  sizeBytes: 1,
  loadMs: 1,
};

const encodeChat: HostedModel['encodeChat'] = (messages) =>
  Int32Array.from([1, ...new TextEncoder().encode(messages.map(({ content }) => content).join(''))]);

const load = (baseUrl: string): LoadRequest => ({ location: { kind: 'url', baseUrl }, device: 'wasm', variant: 'q8' });

/** Characters are tokens. A generation yields one letter per `step()` until it is stopped, aborted or disposed of. */
function manualModel(letter: string) {
  const log: string[] = [];
  let wake = () => {};
  let isStopped = false;
  let isDisposed = false;
  let isLost = false;
  const engine: Engine = {
    device: 'wasm',
    contextLength: 512,
    vocabularySize: 128,
    maxConcurrency: 1,
    async *generate(_promptIds, _options, signal) {
      signal.throwIfAborted();
      log.push('start');
      try {
        for (;;) {
          await new Promise<void>((resolve) => {
            wake = resolve;
            signal.addEventListener('abort', () => resolve());
          });
          signal.throwIfAborted();
          if (isLost) throw new AlignError('device-lost', 'The GPU device was lost: it hung.');
          if (isDisposed) throw new AlignError('engine-failed', 'disposed of');
          if (isStopped) return 'stop';
          yield [letter.charCodeAt(0)];
        }
      } finally {
        log.push('end');
      }
    },
    async dispose() {
      isDisposed = true;
      log.push('dispose');
      wake();
    },
  };
  const model: AlignerModel = {
    tokenizer: {
      vocabularySize: 128,
      bosTokenId: 1,
      eosTokenId: 2,
      encode: (text) => Int32Array.from([1, ...new TextEncoder().encode(text)]),
      decode: (ids) => String.fromCharCode(...ids),
    },
    engine,
    checkpointSampling: GREEDY,
  };
  return {
    model,
    log,
    step: () => wake(),
    lose: () => {
      isLost = true;
      wake();
    },
    stop: () => {
      isStopped = true;
      wake();
    },
  };
}

function hostOf(...models: (ReturnType<typeof manualModel> | Error)[]) {
  const loads: LoadRequest[] = [];
  const host: EngineHost = {
    probe: () => Promise.reject(new Error('not set up')),
    async load(request, onEvent) {
      loads.push(request);
      const next = models.shift();
      if (next === undefined) throw new Error('no model was set up for this load');
      if (next instanceof Error) throw next;
      onEvent({ type: 'load-note', message: request.device });
      return { model: next.model, info: INFO, encodeChat };
    },
  };
  return { service: new EngineService(host), loads };
}

const never = () => {
  throw new Error('no event was expected');
};

async function collect(service: EngineService, runId: string, events: RunEvent[]) {
  await service.align(runId, REQUEST, (event) => void events.push(event));
}

describe('a device that is lost', () => {
  it('is replaced: the model is loaded again and the run goes on from its tokens', async () => {
    const [a, b] = [manualModel('a'), manualModel('b')];
    const { service, loads } = hostOf(a, b);
    await service.load(load('x/'), () => {});
    const events: RunEvent[] = [];
    const run = collect(service, '1', events);
    await vi.waitUntil(() => a.log.includes('start'));
    a.step();
    await vi.waitUntil(() => events.length === 2);
    a.lose();
    await vi.waitUntil(() => b.log.includes('start'));
    b.step();
    await vi.waitUntil(() => events.length === 4);
    b.stop();
    await run;
    expect(loads).toEqual([load('x/'), load('x/')]);
    expect(a.log.at(-1)).toBe('dispose');
    expect(events[2]).toMatchObject({
      type: 'engine-restarted',
      message: expect.stringContaining('it hung') as string,
    });
    expect(events.at(-1)).toMatchObject({ type: 'edit-end', edit: 'ab', finishReason: 'stop' });
  });

  it('is given up for the CPU after two losses in a row, and the model that came last is the one unloaded', async () => {
    const models = [manualModel('a'), manualModel('b'), manualModel('c')] as const;
    const { service, loads } = hostOf(...models);
    await service.load({ ...load('x/'), device: 'webgpu', variant: 'q4' }, () => {});
    const events: RunEvent[] = [];
    const run = collect(service, '1', events);
    for (const model of models.slice(0, 2)) {
      await vi.waitUntil(() => model.log.includes('start'));
      model.lose();
    }
    await vi.waitUntil(() => models[2].log.includes('start'));
    models[2].stop();
    await run;
    expect(loads.at(-1)).toMatchObject({ device: 'wasm', variant: 'auto' });
    expect(events.filter(({ type }) => type === 'engine-restarted').at(-1)).toMatchObject({
      message: expect.stringContaining('2 times in a row, so the CPU takes over') as string,
    });
    await service.unload();
    expect(models[2].log.at(-1)).toBe('dispose');
  });

  it('ends the run with the reason when the model cannot be loaded again, and the next load starts afresh', async () => {
    const [a, b] = [manualModel('a'), manualModel('b')];
    const { service } = hostOf(a, new AlignError('out-of-memory', 'It needed 9 GB.'), b);
    await service.load(load('x/'), () => {});
    const run = collect(service, '1', []);
    await vi.waitUntil(() => a.log.includes('start'));
    a.lose();
    await expect(run).rejects.toMatchObject({
      code: 'device-lost',
      message: expect.stringContaining('could not start again: It needed 9 GB.') as string,
    });
    await expect(service.countPromptTokens(REQUEST)).rejects.toMatchObject({ code: 'invalid-request' });
    expect(await service.load(load('y/'), () => {})).toEqual(INFO);
  });
});

describe('EngineService', () => {
  it('loads, reports, aligns and ends after the last event', async () => {
    const a = manualModel('a');
    const { service } = hostOf(a);
    const notes: unknown[] = [];
    expect(await service.load(load('x/'), (event) => notes.push(event))).toEqual(INFO);
    expect(notes).toEqual([{ type: 'load-note', message: 'wasm' }]);
    const events: AlignEvent[] = [];
    const run = collect(service, '1', events);
    await vi.waitUntil(() => a.log.includes('start'));
    a.step();
    await vi.waitUntil(() => events.length === 2);
    a.stop();
    await run;
    expect(events.map((event) => event.type)).toEqual(['edit-start', 'edit-delta', 'edit-end']);
    expect(events.at(-1)).toMatchObject({ edit: 'a', finishReason: 'stop' });
  });

  it('waits for a slow listener before it answers', async () => {
    const a = manualModel('a');
    const { service } = hostOf(a);
    await service.load(load('x/'), () => {});
    let release = () => {};
    const slow = new Promise<void>((resolve) => (release = resolve));
    let isOver = false;
    // Comlink's proxied callbacks return a promise where the type says void.
    const onEvent = ((event: AlignEvent) => (event.type === 'edit-end' ? slow : undefined)) as () => void;
    const run = service.align('1', REQUEST, onEvent).then(() => (isOver = true));
    await vi.waitUntil(() => a.log.includes('start'));
    a.stop();
    await vi.waitUntil(() => a.log.includes('end'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isOver).toBe(false);
    release();
    await run;
  });

  it('refuses a run and a count without a model', async () => {
    const { service } = hostOf();
    await expect(service.align('1', REQUEST, never)).rejects.toMatchObject({ code: 'invalid-request' });
    await expect(service.countPromptTokens(REQUEST)).rejects.toMatchObject({ code: 'invalid-request' });
  });

  it('counts the prompt’s tokens while a run is going on', async () => {
    const a = manualModel('a');
    const { service } = hostOf(a);
    await service.load(load('x/'), () => {});
    const run = collect(service, '1', []);
    await vi.waitUntil(() => a.log.includes('start'));
    expect(await service.countPromptTokens(REQUEST)).toBeGreaterThan(100);
    service.cancel('1');
    await run;
  });

  it('runs one at a time, in order, on the model that was loaded once', async () => {
    const a = manualModel('a');
    const { service, loads } = hostOf(a);
    await service.load(load('x/'), () => {});
    const first = collect(service, '1', []);
    const secondEvents: AlignEvent[] = [];
    const second = collect(service, '2', secondEvents);
    await vi.waitUntil(() => a.log.includes('start'));
    expect(secondEvents).toEqual([]);
    service.cancel('1');
    await first;
    await vi.waitUntil(() => a.log.length === 3);
    a.stop();
    await second;
    expect(a.log).toEqual(['start', 'end', 'start', 'end']);
    expect(loads).toHaveLength(1);
  });

  it('cancels the run of that id only, and ignores ids that it does not know', async () => {
    const a = manualModel('a');
    const { service } = hostOf(a);
    await service.load(load('x/'), () => {});
    const events: AlignEvent[] = [];
    const run = collect(service, '1', events);
    await vi.waitUntil(() => a.log.includes('start'));
    service.cancel('2');
    a.step();
    await vi.waitUntil(() => events.length === 2);
    service.cancel('1');
    await run;
    expect(events.at(-1)).toMatchObject({ type: 'edit-end', edit: 'a', finishReason: 'cancelled' });
  });

  it('ends a queued run at once when it is cancelled, and leaves the running one alone', async () => {
    const a = manualModel('a');
    const { service } = hostOf(a);
    await service.load(load('x/'), () => {});
    const first = collect(service, '1', []);
    const queued: AlignEvent[] = [];
    const second = collect(service, '2', queued);
    await vi.waitUntil(() => a.log.includes('start'));
    service.cancel('2');
    await second;
    expect(queued.at(-1)).toMatchObject({ finishReason: 'cancelled', edit: '' });
    expect(a.log).toEqual(['start']);
    a.stop();
    await first;
  });

  it('answers a question after the run before it, and none that is cancelled', async () => {
    const a = manualModel('7');
    const { service } = hostOf(a);
    await service.load(load('x/'), () => {});
    const question = { messages: [{ role: 'user' as const, content: 'q' }], temperature: 0, seed: 0, maxNewTokens: 4 };
    const run = collect(service, '1', []);
    const cancelled = service.ask('2', question);
    const asked = service.ask('3', question);
    await vi.waitUntil(() => a.log.includes('start'));
    service.cancel('2');
    await expect(cancelled).rejects.toMatchObject({ name: 'AbortError' });
    expect(a.log).toEqual(['start']);
    service.cancel('1');
    await run;
    await vi.waitUntil(() => a.log.filter((one) => one === 'start').length === 2);
    a.stop();
    expect(await asked).toBe('');
  });

  it('goes on with the next run after one failed', async () => {
    const a = manualModel('a');
    const { service } = hostOf(a);
    await service.load(load('x/'), () => {});
    await expect(service.align('1', { ...REQUEST, answer: ' ' }, never)).rejects.toMatchObject({
      code: 'invalid-request',
    });
    const run = collect(service, '2', []);
    await vi.waitUntil(() => a.log.includes('start'));
    a.stop();
    await run;
  });

  it('ends the runs of a model that is replaced as cancelled, and frees it before the next one loads', async () => {
    const [a, b] = [manualModel('a'), manualModel('b')];
    const { service, loads } = hostOf(a, b);
    await service.load(load('a/'), () => {});
    const events: AlignEvent[] = [];
    const run = collect(service, '1', events);
    await vi.waitUntil(() => a.log.includes('start'));
    const disposed = vi.spyOn(a.model.engine, 'dispose').mockImplementation(async () => {
      expect(loads).toHaveLength(1);
    });
    await service.load(load('b/'), () => {});
    await run;
    expect(disposed).toHaveBeenCalledOnce();
    expect(events.at(-1)).toMatchObject({ finishReason: 'cancelled' });
  });

  it('rejects a load that is overtaken, and keeps the later one', async () => {
    const [a, b] = [manualModel('a'), manualModel('b')];
    const { service } = hostOf(a, b);
    const first = service.load(load('a/'), () => {});
    const second = service.load(load('b/'), () => {});
    await expect(first).rejects.toMatchObject({ name: 'AbortError' });
    expect(await second).toEqual(INFO);
    expect(b.log).toEqual([]);
    const run = collect(service, '1', []);
    await vi.waitUntil(() => [...a.log, ...b.log].includes('start'));
    service.cancel('1');
    await run;
  });

  it('tells a load’s host that it is overtaken, and hides what the host made of it', async () => {
    const b = manualModel('b');
    const signals: AbortSignal[] = [];
    const host: EngineHost = {
      probe: () => Promise.reject(new Error('not set up')),
      load: (_request, _onEvent, signal) => {
        signals.push(signal);
        if (signals.length === 2) return Promise.resolve({ model: b.model, info: INFO, encodeChat });
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new AlignError('weights-unreachable', 'cut off')));
        });
      },
    };
    const service = new EngineService(host);
    const first = service.load(load('a/'), () => {});
    await vi.waitUntil(() => signals.length === 1);
    const second = service.load(load('b/'), () => {});
    await expect(first).rejects.toMatchObject({ name: 'AbortError' });
    await second;
    expect(signals.map((signal) => signal.aborted)).toEqual([true, false]);
  });

  it('forgets a load that failed', async () => {
    const a = manualModel('a');
    const { service } = hostOf(new AlignError('weights-unreachable', 'offline'), a);
    await expect(service.load(load('a/'), () => {})).rejects.toMatchObject({ code: 'weights-unreachable' });
    expect(await service.load(load('a/'), () => {})).toEqual(INFO);
  });

  it('unloads: the model is freed and runs are refused', async () => {
    const a = manualModel('a');
    const { service } = hostOf(a);
    await service.load(load('a/'), () => {});
    await service.unload();
    await service.unload();
    expect(a.log).toEqual(['dispose']);
    await expect(collect(service, '1', [])).rejects.toMatchObject({ code: 'invalid-request' });
  });

  it('reports a model that cannot be freed once, then loads again', async () => {
    const [a, b] = [manualModel('a'), manualModel('b')];
    const { service } = hostOf(a, b);
    await service.load(load('a/'), () => {});
    vi.spyOn(a.model.engine, 'dispose').mockRejectedValue(new AlignError('device-lost', 'gone'));
    await expect(service.load(load('b/'), () => {})).rejects.toMatchObject({ code: 'device-lost' });
    expect(await service.load(load('b/'), () => {})).toEqual(INFO);
  });
});
