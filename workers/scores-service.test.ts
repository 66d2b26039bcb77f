import { describe, expect, it, vi } from 'vitest';
import type { Classifier } from '../src/engines/classifier.ts';
import type { ClassifierInfo, ClassifierRequest } from './scores-protocol.ts';
import { classifyTexts, type ScoresHost, ScoresService } from './scores-service.ts';

const INFO: ClassifierInfo = {
  source: 's',
  labels: ['one'],
  maxTokens: 4,
  parameterCount: 1,
  variant: 'fp32',
  device: 'wasm',
};
const request = (id: string, device: ClassifierRequest['device'] = 'wasm'): ClassifierRequest => ({
  id,
  location: { kind: 'url', baseUrl: `http://localhost/${id}/` },
  device,
});

/** Characters are tokens; the logit is their number. It reads four. */
function lengthClassifier() {
  const encode = (text: string, pair = '') => ({ ids: [...text, ...pair].map(() => 0), typeIds: [] });
  const dispose = vi.fn(async () => undefined);
  const classifier = {
    maxTokens: 4,
    encode,
    encodeStart: (text: string) => encode(text.slice(0, 4)),
    classify: async (inputs: { ids: number[] }[], { signal }: { signal: AbortSignal }) => {
      signal.throwIfAborted();
      return inputs.map(({ ids }) => Float32Array.of(ids.length));
    },
    dispose,
  } as unknown as Classifier;
  return { classifier, dispose };
}

function hostOf(load: ScoresHost['load']): ScoresHost {
  const unset = () => Promise.reject(new Error('not set up'));
  return { load, kept: unset, forget: unset };
}

describe('a text that is too long', () => {
  it('is read up to the limit where it stands alone, and not scored as a pair', async () => {
    const { classifier } = lengthClassifier();
    const texts = [
      { context: undefined, text: 'abcdef' },
      { context: 'ab', text: 'cdef' },
      { context: 'ab', text: 'cd' },
      { context: undefined, text: 'a' },
    ];
    expect(await classifyTexts(classifier, texts, new AbortController().signal)).toEqual([
      { type: 'logits', logits: [4], cutAtTokens: 4 },
      { type: 'too-long', tokens: 6, maxTokens: 4 },
      { type: 'logits', logits: [4], cutAtTokens: undefined },
      { type: 'logits', logits: [1], cutAtTokens: undefined },
    ]);
  });
});

describe('the service', () => {
  it('loads a classifier once, and anew where another device is asked for', async () => {
    const { classifier, dispose } = lengthClassifier();
    const load = vi.fn(async () => ({ classifier, info: INFO }));
    const service = new ScoresService(hostOf(load));
    expect(await service.open('1', request('a'), () => {})).toEqual(INFO);
    await service.open('2', request('a'), () => {});
    expect(load).toHaveBeenCalledTimes(1);
    await service.open('3', request('a', 'webgpu'), () => {});
    expect(load).toHaveBeenCalledTimes(2);
    expect(dispose).toHaveBeenCalledTimes(1);
    expect(await service.classify('4', 'a', [{ context: undefined, text: 'ab' }])).toEqual([
      { type: 'logits', logits: [2], cutAtTokens: undefined },
    ]);
  });

  it('loads anew a folder that was picked anew, whatever its name and its files’ names', async () => {
    const { classifier, dispose } = lengthClassifier();
    const load = vi.fn(async () => ({ classifier, info: INFO }));
    const service = new ScoresService(hostOf(load));
    const picked = (pick: number): ClassifierRequest => ({
      id: 'picked:mine',
      location: { kind: 'files', name: 'mine', pick, files: [{ path: 'config.json', blob: new Blob([`${pick}`]) }] },
      device: 'wasm',
    });
    await service.open('1', picked(1), () => {});
    await service.open('2', picked(1), () => {});
    expect(load).toHaveBeenCalledTimes(1);
    await service.open('3', picked(2), () => {});
    expect(load).toHaveBeenCalledTimes(2);
    expect(dispose).toHaveBeenCalledTimes(1);
  });

  it('frees what is not used any more', async () => {
    const { classifier, dispose } = lengthClassifier();
    const service = new ScoresService(hostOf(async () => ({ classifier, info: INFO })));
    await service.open('1', request('a'), () => {});
    await service.open('2', request('b'), () => {});
    await service.keepOnly(['b']);
    expect(dispose).toHaveBeenCalledTimes(1);
    await expect(service.classify('3', 'a', [])).rejects.toMatchObject({ code: 'invalid-request' });
  });

  it('cancels a load that is on its way and goes on with the next call', async () => {
    const { classifier } = lengthClassifier();
    let loads = 0;
    const service = new ScoresService(
      hostOf((_request, _onProgress, signal) => {
        loads += 1;
        if (loads > 1) return Promise.resolve({ classifier, info: INFO });
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
      }),
    );
    const first = service.open('1', request('a'), () => {});
    await vi.waitUntil(() => loads === 1);
    service.cancel('1');
    await expect(first).rejects.toMatchObject({ name: 'AbortError' });
    expect(await service.open('2', request('a'), () => {})).toEqual(INFO);
  });
});
