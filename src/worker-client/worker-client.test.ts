import { expose } from 'comlink';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AlignEvent } from '../align/edit.ts';
import { AlignError } from '../align/errors.ts';
import { type AlignRequest, GREEDY } from '../align/request.ts';
import { type EngineWorkerApi, installErrorTransfer } from '../../workers/protocol.ts';
import { createWorkerClient } from './worker-client.ts';

const REQUEST: AlignRequest = {
  objectives: [{ key: 'length', label: 'Length', description: 'Length: short' }],
  context: '',
  answer: 'a',
  template: 'imhi',
  promptStyle: 'bare',
  maxNewTokens: 8,
  sampling: GREEDY,
};
const LOAD = { location: { kind: 'url', baseUrl: 'x/' }, device: 'auto', variant: 'auto' } as const;
const END: AlignEvent = {
  type: 'edit-end',
  edit: '',
  tokenIds: [],
  finishReason: 'stop',
  usage: { promptTokens: 1, editTokens: 0, steps: 0 },
  timings: { timeToFirstTokenMs: undefined, totalMs: 0, tokensPerSecond: undefined },
};

/** Both ends in this thread, joined by a real MessageChannel: Comlink copies and transfers as between threads. */
class PortWorker extends EventTarget {
  readonly #port: MessagePort;
  isTerminated = false;

  constructor(port: MessagePort) {
    super();
    this.#port = port;
    port.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (!this.isTerminated) this.dispatchEvent(new MessageEvent('message', { data }));
    };
  }

  postMessage(message: unknown, transfer: Transferable[]) {
    this.#port.postMessage(message, transfer);
  }

  terminate() {
    this.isTerminated = true;
    this.#port.close();
  }
}

/** Locks by name: held until released by the test, then granted to whoever waits. */
class FakeLocks {
  readonly #queues = new Map<string, (() => void)[]>();
  readonly #held = new Set<string>();

  async request(name: string, use: () => unknown): Promise<void> {
    if (this.#held.has(name)) {
      await new Promise<void>((resolve) => {
        this.#queues.set(name, [...(this.#queues.get(name) ?? []), resolve]);
      });
    }
    this.#held.add(name);
    await use();
  }

  isWaitedFor(): boolean {
    return this.#queues.size > 0;
  }

  releaseAll() {
    for (const waiting of this.#queues.values()) for (const grant of waiting) grant();
  }
}

let workers: PortWorker[] = [];
let locks: FakeLocks;
beforeEach(() => {
  locks = new FakeLocks();
  vi.stubGlobal('navigator', { locks });
});
afterEach(() => {
  for (const worker of workers) worker.terminate();
  workers = [];
  vi.unstubAllGlobals();
});

function clientOf(api: Partial<EngineWorkerApi>) {
  installErrorTransfer();
  const notSetUp = () => {
    throw new Error('not set up');
  };
  const full: EngineWorkerApi = {
    holdLock: (name) =>
      new Promise((resolve) => {
        void locks.request(name, () => {
          resolve();
          return new Promise(() => {});
        });
      }),
    probe: notSetUp,
    load: notSetUp,
    unload: notSetUp,
    align: notSetUp,
    countPromptTokens: notSetUp,
    ask: notSetUp,
    cancel: notSetUp,
    ...api,
  };
  return createWorkerClient(() => {
    const { port1, port2 } = new MessageChannel();
    expose(full, port2);
    const worker = new PortWorker(port1);
    workers.push(worker);
    return worker as unknown as Worker;
  });
}

const forever = () => new Promise<never>(() => {});

describe('createWorkerClient', () => {
  it('starts one worker, at the first call', async () => {
    const client = clientOf({ countPromptTokens: async () => 7 });
    expect(workers).toHaveLength(0);
    expect(await client.countPromptTokens(REQUEST)).toBe(7);
    expect(await client.countPromptTokens(REQUEST)).toBe(7);
    expect(workers).toHaveLength(1);
  });

  it('does not start a worker to unload nothing', async () => {
    await clientOf({}).unload();
    expect(workers).toHaveLength(0);
  });

  it('gets an AlignError with its code, message, details and remedy', async () => {
    const error = new AlignError('prompt-too-long', '5 tokens too many', { details: { tooManyTokens: 5 } });
    const client = clientOf({ load: () => Promise.reject(error) });
    const got: unknown = await client.load(LOAD, () => {}).catch((thrown: unknown) => thrown);
    expect(got).toBeInstanceOf(AlignError);
    expect((got as AlignError).toJSON()).toEqual(error.toJSON());
  });

  it('gets an AbortError as one', async () => {
    const client = clientOf({ load: () => Promise.reject(new DOMException('overtaken', 'AbortError')) });
    await expect(client.load(LOAD, () => {})).rejects.toMatchObject({ name: 'AbortError', message: 'overtaken' });
  });

  it('gets any other error with its name and message', async () => {
    const client = clientOf({ probe: () => Promise.reject(new RangeError('a bug')) });
    await expect(client.probe()).rejects.toMatchObject({ name: 'RangeError', message: 'a bug' });
  });

  it('passes events in order', async () => {
    const client = clientOf({
      align: async (_runId, _request, onEvent) => {
        const send = onEvent as unknown as (event: AlignEvent) => Promise<void>;
        await send({ type: 'edit-delta', text: 'a', editTokens: 1, elapsedMs: 1 });
        await send(END);
      },
    });
    const events: AlignEvent[] = [];
    await client.align(REQUEST, (event) => events.push(event), new AbortController().signal);
    expect(events.map((event) => event.type)).toEqual(['edit-delta', 'edit-end']);
  });

  it.each(['before', 'during'])('cancels the run when the signal aborts %s it', async (when) => {
    const aborter = new AbortController();
    if (when === 'before') aborter.abort();
    const cancelled: string[] = [];
    let end = () => {};
    const started: string[] = [];
    const client = clientOf({
      align: async (runId) => {
        started.push(runId);
        if (when === 'during') aborter.abort();
        await new Promise<void>((resolve) => (end = resolve));
      },
      cancel: (runId) => {
        cancelled.push(runId);
        end();
      },
    });
    await client.align(REQUEST, () => {}, aborter.signal);
    expect(cancelled).toEqual(started);
  });

  it('gives every run another id', async () => {
    const ids: string[] = [];
    const client = clientOf({ align: async (runId) => void ids.push(runId) });
    for (let i = 0; i < 3; i += 1) await client.align(REQUEST, () => {}, new AbortController().signal);
    expect(new Set(ids).size).toBe(3);
  });

  it.each([
    ['an error', new Event('error')],
    ['a message that cannot be read', new Event('messageerror')],
  ])('rejects what is pending after %s, and tells who listens', async (_name, event) => {
    const client = clientOf({ load: forever, countPromptTokens: forever });
    const crashes: AlignError[] = [];
    const stop = client.onCrash((error) => crashes.push(error));
    const calls = [client.load(LOAD, () => {}), client.countPromptTokens(REQUEST)];
    workers[0]?.dispatchEvent(event);
    for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'worker-crashed' });
    expect(crashes).toHaveLength(1);
    expect(workers[0]?.isTerminated).toBe(true);
    stop();
    const later = client.load(LOAD, () => {});
    workers[1]?.dispatchEvent(event);
    await expect(later).rejects.toMatchObject({ code: 'worker-crashed' });
    expect(crashes).toHaveLength(1);
  });

  it('notices a worker that goes away without a word', async () => {
    const client = clientOf({ load: forever });
    const load = client.load(LOAD, () => {});
    await vi.waitUntil(() => locks.isWaitedFor());
    locks.releaseAll();
    await expect(load).rejects.toMatchObject({ code: 'worker-crashed' });
  });

  it('starts another worker after a crash', async () => {
    const client = clientOf({ countPromptTokens: async () => 7 });
    await client.countPromptTokens(REQUEST);
    workers[0]?.dispatchEvent(new Event('error'));
    expect(await client.countPromptTokens(REQUEST)).toBe(7);
    expect(workers).toHaveLength(2);
  });

  it('lets nothing of a run through after it failed', async () => {
    let late = () => {};
    const client = clientOf({
      align: (_runId, _request, onEvent) => {
        late = () => onEvent(END);
        return Promise.reject(new AlignError('device-lost', 'gone'));
      },
    });
    const events: AlignEvent[] = [];
    const run = client.align(REQUEST, (event) => events.push(event), new AbortController().signal);
    await expect(run).rejects.toMatchObject({ code: 'device-lost' });
    late();
    await client.countPromptTokens(REQUEST).catch(() => {});
    expect(events).toEqual([]);
  });
});
