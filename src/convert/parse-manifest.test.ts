import { describe, expect, it } from 'vitest';
import { isInsidePath, parseManifest } from './parse-manifest.ts';
import type { ModelManifest } from './manifest.ts';

const manifest: ModelManifest = {
  formatVersion: 1,
  name: 'Tiny',
  source: 'tiny.gguf',
  family: 'imhi',
  config: {
    vocabularySize: 32000,
    hiddenSize: 64,
    intermediateSize: 128,
    layerCount: 2,
    headCount: 4,
    kvHeadCount: 2,
    headDim: 16,
    rmsNormEpsilon: 1e-5,
    ropeTheta: 10000,
    contextLength: 256,
    isEmbeddingTied: false,
    bosTokenId: 1,
    eosTokenIds: [2],
  },
  parameterCount: 1234,
  variants: {
    q8: [
      { path: 'onnx/model_quantized.onnx', sizeBytes: 10 },
      { path: 'onnx/model_quantized.onnx_data', sizeBytes: 20 },
    ],
  },
  sidecars: [{ path: 'config.json', sizeBytes: 30 }],
};

function withField(path: string, value: unknown): string {
  const copy = structuredClone(manifest) as unknown as Record<string, unknown>;
  const keys = path.split('.');
  let target = copy;
  for (const key of keys.slice(0, -1)) target = target[key] as Record<string, unknown>;
  target[keys.at(-1) as string] = value;
  return JSON.stringify(copy);
}

describe('parseManifest', () => {
  it('gives back what was written', () => {
    expect(parseManifest(JSON.stringify(manifest), 'tiny')).toEqual(manifest);
  });

  it('gives back a manifest without family and without BOS', () => {
    const bare = { ...manifest, family: undefined, config: { ...manifest.config, bosTokenId: undefined } };
    expect(parseManifest(JSON.stringify(bare), 'tiny')).toEqual(bare);
  });

  it('keeps the checksums of a folder that has them', () => {
    const sidecars = [{ path: 'config.json', sizeBytes: 30, sha256: 'ab'.repeat(32) }];
    expect(parseManifest(withField('sidecars', sidecars), 'tiny').sidecars).toEqual(sidecars);
  });

  it.each([
    ['sidecars.0.sha256', 'AB'.repeat(32)],
    ['sidecars.0.sha256', 7],
    ['variants.q8.0.path', '../../etc/passwd'],
    ['variants.q8.1.path', '/etc/passwd'],
    ['sidecars.0.path', 'https://elsewhere.example/config.json'],
    ['sidecars.0.sizeBytes', -1],
    ['sidecars.0.sizeBytes', 1.5],
    ['variants.q8', []],
    ['variants', null],
    ['config.headDim', 0],
    ['config.eosTokenIds', 2],
    ['config.rmsNormEpsilon', '1e-5'],
    ['family', 'llama'],
    ['name', undefined],
  ])('refuses %s = %j and names the field', (path, value) => {
    const field = path.replace(/\.(\d)/g, '[$1]');
    expect(() => parseManifest(withField(path, value), 'tiny')).toThrow(
      expect.objectContaining({ code: 'weights-corrupt', message: expect.stringContaining(field) as string }),
    );
  });

  it('says which version it cannot read', () => {
    expect(() => parseManifest(withField('formatVersion', 2), 'tiny')).toThrow(
      expect.objectContaining({ code: 'unsupported-model', message: expect.stringContaining('version 2') as string }),
    );
  });

  it('leaves out a variant that it does not know and keeps the others', () => {
    expect(parseManifest(withField('variants.q2', [{ path: 'x', sizeBytes: 1 }]), 'tiny').variants).toEqual(
      manifest.variants,
    );
  });

  it('names the folder of a file that is not JSON', () => {
    expect(() => parseManifest('<!doctype html>', 'models/tiny')).toThrow(
      /models\/tiny is damaged: the file is not JSON/,
    );
  });
});

describe('isInsidePath', () => {
  it.each(['config.json', 'onnx/model_q4.onnx_data_1', 'a..b/c', '.hidden'])('takes %s', (path) => {
    expect(isInsidePath(path)).toBe(true);
  });
  it.each(['', '..', 'a/../b', './a', 'a//b', 'a/', '/a', 'a\\..\\b', 'C:/a', 'data:x', 'a%2e', 'a\0'])(
    'refuses %j',
    (path) => {
      expect(isInsidePath(path)).toBe(false);
    },
  );
});
