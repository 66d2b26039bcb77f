import { describe, expect, it } from 'vitest';
import type { AlignEvent } from '../align/edit.ts';
import { AlignError } from '../align/errors.ts';
import { type AlignRequest, GREEDY } from '../align/request.ts';
import type { LoadedModelInfo, LoadRequest } from '../../workers/protocol.ts';
import type { EngineRestart, LocalClient } from '../worker-client/engine-client.ts';
import { createRoutedClient } from './routed-client.ts';
import type { OfferedModel, ServerClient } from './server-client.ts';

const REQUEST: AlignRequest = {
  objectives: [{ key: 'length', label: 'Length', description: 'Length: short' }],
  context: '',
  answer: 'a',
  template: 'imhi',
  promptStyle: 'bare',
  maxNewTokens: 8,
  sampling: GREEDY,
};
const HERE: LoadRequest = { location: { kind: 'url', baseUrl: 'http://x/m/' }, device: 'auto', variant: 'auto' };
const THERE = {
  location: { kind: 'server', url: 'http://127.0.0.1:4320', modelId: 'big' },
  device: 'auto',
  variant: 'auto',
} as const;
const INFO = { device: 'wasm', variant: 'q8' } as LoadedModelInfo;
const END: AlignEvent = {
  type: 'edit-end',
  edit: '',
  tokenIds: [],
  finishReason: 'stop',
  usage: { promptTokens: 1, editTokens: 0, steps: 0 },
  timings: { timeToFirstTokenMs: undefined, totalMs: 0, tokensPerSecond: undefined },
};
const big: OfferedModel = { id: 'big', family: 'imhi', variant: 'q4', contextLength: 4096 };

/** A worker's and a server's client that write down what they are asked, in one list. */
function setUp() {
  const calls: string[] = [];
  let crash: (error: AlignError) => void = () => {};
  let restart: (restart: EngineRestart) => void = () => {};
  const parts = {
    models: async () => [big],
    load: async () => INFO,
    run: async (_signal: AbortSignal) => {},
  };
  const local: LocalClient = {
    probe: () => Promise.reject(new Error('not asked')),
    async load() {
      calls.push('load');
      return parts.load();
    },
    unload: async () => void calls.push('unload'),
    async align(_request, onEvent, signal) {
      calls.push('align here');
      await parts.run(signal);
      onEvent(END);
    },
    async ask() {
      calls.push('ask');
      return '7';
    },
    async countPromptTokens() {
      calls.push('count');
      return 7;
    },
    onCrash(listener) {
      crash = listener;
      return () => {};
    },
    onRestart(listener) {
      restart = listener;
      return () => {};
    },
  };
  const servers: ServerClient = {
    async models(url) {
      calls.push(`models ${url}`);
      return parts.models();
    },
    async align({ url, modelId }, _request, onEvent, signal) {
      calls.push(`align ${url} ${modelId}`);
      await parts.run(signal);
      onEvent(END);
    },
  };
  /** Of the folder: another when it is converted anew. */
  const folder = { stamp: async (): Promise<string | undefined> => 'first' };
  const client = createRoutedClient(local, servers, () => folder.stamp());
  const run = () => client.align(REQUEST, () => {}, new AbortController().signal);
  return {
    client,
    calls,
    parts,
    folder,
    run,
    crash: (error: AlignError) => crash(error),
    restart: (to: EngineRestart) => restart(to),
  };
}

describe('models here and at a server', () => {
  it('run where they are, and going to and fro loads nothing again', async () => {
    const { client, calls, run } = setUp();
    expect(await client.load(HERE, () => {})).toBe(INFO);
    await run();
    expect(await client.load(THERE, () => {})).toEqual({
      device: 'server',
      host: '127.0.0.1:4320',
      variant: 'q4',
      contextLength: 4096,
    });
    await run();
    expect(await client.load(HERE, () => {})).toBe(INFO);
    await run();
    expect(calls).toEqual([
      'load',
      'align here',
      'models http://127.0.0.1:4320',
      'align http://127.0.0.1:4320 big',
      'align here',
    ]);
  });

  it('send nothing to a server to be counted, nor to judge', async () => {
    const { client, calls } = setUp();
    await client.load(THERE, () => {});
    await expect(client.countPromptTokens(REQUEST)).rejects.toMatchObject({ code: 'invalid-request' });
    await expect(
      client.ask({ messages: [], temperature: 0, seed: 1, maxNewTokens: 8 }, new AbortController().signal),
    ).rejects.toMatchObject({
      code: 'invalid-request',
    });
    expect(calls.filter((call) => call === 'count' || call === 'ask' || call.startsWith('align'))).toEqual([]);
  });

  it('load here anew after another device was asked for, a crash, or a device that did not come back', async () => {
    const { client, calls, parts, run, crash } = setUp();
    const loads = () => calls.filter((call) => call === 'load').length;
    await client.load(HERE, () => {});
    await client.load(THERE, () => {});
    await client.load({ ...HERE, device: 'wasm' }, () => {});
    expect(loads()).toBe(2);
    await client.load(THERE, () => {});
    crash(new AlignError('worker-crashed', 'gone'));
    await client.load({ ...HERE, device: 'wasm' }, () => {});
    expect(loads()).toBe(3);
    parts.run = () => Promise.reject(new AlignError('device-lost', 'gone'));
    await expect(run()).rejects.toMatchObject({ code: 'device-lost' });
    await client.load(THERE, () => {});
    await client.load({ ...HERE, device: 'wasm' }, () => {});
    expect(loads()).toBe(4);
  });

  it.each(['engine-failed', 'out-of-memory', 'device-lost'] as const)(
    'load here anew after a run that ended with %s, rather than go back to what broke',
    async (code) => {
      const { client, calls, parts, run } = setUp();
      await client.load(HERE, () => {});
      parts.run = () => Promise.reject(new AlignError(code, 'It broke.'));
      await expect(run()).rejects.toMatchObject({ code });
      await client.load(THERE, () => {});
      await client.load(HERE, () => {});
      expect(calls.filter((call) => call === 'load')).toHaveLength(2);
    },
  );

  it('load here anew where the same model is chosen again: its files may be others by now', async () => {
    const { client, calls } = setUp();
    await client.load(HERE, () => {});
    await client.load(HERE, () => {});
    expect(calls).toEqual(['load', 'load']);
  });

  it('load here anew what was converted anew meanwhile, and not where nothing tells', async () => {
    const { client, calls, folder } = setUp();
    const loads = () => calls.filter((call) => call === 'load').length;
    await client.load(HERE, () => {});
    for (const [stamp, expected] of [
      ['first', 1],
      [undefined, 1],
      ['second', 2],
      ['second', 2],
    ] as const) {
      folder.stamp = async () => stamp;
      await client.load(THERE, () => {});
      await client.load(HERE, () => {});
      expect(loads()).toBe(expected);
    }
  });

  it('bring back a device that the CPU took over from, or the CPU, as is asked', async () => {
    const { client, calls, parts, restart } = setUp();
    parts.load = async () => ({ ...INFO, device: 'webgpu' });
    await client.load(HERE, () => {});
    restart({ info: INFO, message: 'lost twice', lossesInARow: 2 });
    await client.load(THERE, () => {});
    expect(await client.load({ ...HERE, device: 'wasm' }, () => {})).toBe(INFO);
    await client.load(THERE, () => {});
    expect(await client.load(HERE, () => {})).toMatchObject({ device: 'webgpu' });
    expect(calls.filter((call) => call === 'load')).toHaveLength(2);
  });

  it('tell of a crash only where it matters', async () => {
    const { client, crash, restart } = setUp();
    const heard: string[] = [];
    client.onCrash(({ code }) => heard.push(code));
    client.onRestart(({ message }) => heard.push(message));
    await client.load(HERE, () => {});
    restart({ info: INFO, message: 'restarted', lossesInARow: 1 });
    await client.load(THERE, () => {});
    crash(new AlignError('worker-crashed', 'gone'));
    expect(heard).toEqual(['restarted']);
    await client.load(HERE, () => {});
    crash(new AlignError('worker-crashed', 'gone'));
    expect(heard).toEqual(['restarted', 'worker-crashed']);
  });

  it('end their runs when another is taken into use', async () => {
    for (const [first, second] of [
      [HERE, THERE],
      [THERE, HERE],
    ] as const) {
      const { client, parts, run } = setUp();
      await client.load(first, () => {});
      parts.run = (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
      const running = run();
      await client.load(second, () => {});
      await running;
    }
  });

  it('say which a server has where it has another by now', async () => {
    const { client, parts } = setUp();
    parts.models = async () => [{ ...big, id: 'other' }];
    await expect(client.load(THERE, () => {})).rejects.toMatchObject({
      code: 'unknown-name',
      message: '127.0.0.1:4320 does not offer big any more. It has other.',
    });
  });

  it('leave a model here in use where the server does not answer', async () => {
    const { client, calls, parts, run } = setUp();
    await client.load(HERE, () => {});
    parts.models = () => Promise.reject(new AlignError('server-unreachable', 'gone'));
    await expect(client.load(THERE, () => {})).rejects.toMatchObject({ code: 'server-unreachable' });
    await run();
    expect(calls).toEqual(['load', 'models http://127.0.0.1:4320', 'align here']);
  });

  it('give up a load that is overtaken, here and there', async () => {
    const { client, calls, parts } = setUp();
    let answer = (_models: OfferedModel[]) => {};
    parts.models = () => new Promise((resolve) => (answer = resolve));
    const overtaken = client.load(THERE, () => {});
    await Promise.resolve();
    const loaded = client.load(HERE, () => {});
    answer([big]);
    await expect(overtaken).rejects.toMatchObject({ name: 'AbortError' });
    expect(await loaded).toBe(INFO);
    parts.models = async () => [big];
    let arrive = (_info: LoadedModelInfo) => {};
    parts.load = () => new Promise((resolve) => (arrive = resolve));
    const slow = client.load({ ...HERE, device: 'wasm' }, () => {});
    calls.length = 0;
    await client.load(THERE, () => {});
    expect(calls).toEqual(['unload', 'models http://127.0.0.1:4320']);
    arrive(INFO);
    await expect(slow).rejects.toMatchObject({ name: 'AbortError' });
  });
});
