import { describe, expect, it } from 'vitest';
import { chooseSource, estimateCost } from './choose-source.ts';
import { tinyManifest } from './tiny-manifest.fixture.ts';

const SIDECARS = ['config.json', 'tokenizer.json'];
const files = (...paths: string[]) =>
  paths.map((path) => ({ path, url: `https://hub/${path}`, sizeBytes: 100, digest: undefined }));
const choose = (paths: string[], manifest = undefined as ReturnType<typeof tinyManifest> | undefined) =>
  chooseSource({ name: 'a/b', files: files(...paths) }, 'q4', manifest);
const pathsOf = (paths: string[], manifest?: ReturnType<typeof tinyManifest>) =>
  choose(paths, manifest).files.map((file) => file.path);

const READY = tinyManifest({
  variants: {
    q4: [
      { path: 'onnx/model_q4.onnx', sizeBytes: 1 },
      { path: 'onnx/model_q4.onnx_data', sizeBytes: 2 },
    ],
  },
  sidecars: [{ path: 'config.json', sizeBytes: 3 }],
});

describe('chooseSource', () => {
  it('takes a folder of ours before anything else, small files first', () => {
    const paths = ['model.safetensors', 'onnx/model_q4.onnx_data', 'onnx/model_q4.onnx', ...SIDECARS];
    expect(choose(paths, READY).kind).toBe('ready');
    expect(pathsOf(paths, READY)).toEqual(['config.json', 'onnx/model_q4.onnx', 'onnx/model_q4.onnx_data']);
  });

  it.each([
    ['the variant is not in it', tinyManifest({ variants: {} })],
    ['a file of it is missing', tinyManifest({ variants: { q4: [{ path: 'gone', sizeBytes: 1 }] } })],
  ])('takes the checkpoint beside a folder of ours when %s', (_name, manifest) => {
    expect(choose([...SIDECARS, 'model.safetensors'], manifest)).toMatchObject({ format: 'safetensors' });
  });

  it.each([
    [['model.safetensors', 'x.gguf', 'pytorch_model.bin'], 'safetensors', ['model.safetensors']],
    [['x.gguf', 'pytorch_model.bin'], 'gguf', ['x.gguf']],
    [['pytorch_model.bin', 'training_args.bin'], 'torch', ['pytorch_model.bin']],
    [
      ['pytorch_model.bin.index.json', 'pytorch_model-00001-of-00002.bin', 'pytorch_model-00002-of-00002.bin'],
      'torch',
      ['pytorch_model.bin.index.json', 'pytorch_model-00001-of-00002.bin', 'pytorch_model-00002-of-00002.bin'],
    ],
    [
      ['model.safetensors.index.json', 'model-00001-of-00001.safetensors', 'pytorch_model.bin'],
      'safetensors',
      ['model.safetensors.index.json', 'model-00001-of-00001.safetensors'],
    ],
  ])('among %j takes %s', (paths, format, weights) => {
    expect(choose([...SIDECARS, ...paths])).toMatchObject({ kind: 'checkpoint', format });
    expect(pathsOf([...SIDECARS, ...paths])).toEqual([...SIDECARS, ...weights]);
  });

  it.each([
    [['m.Q4_K_M.gguf', 'm.Q8_0.gguf', 'm.f16.gguf'], ['m.Q8_0.gguf']],
    [['m-Q2_K.gguf', 'm-IQ4_XS.gguf', 'm-Q4_K_S.gguf', 'm-Q3_K_L.gguf'], ['m-Q4_K_S.gguf']],
    [['m-f16.gguf', 'm-Q4_0.gguf'], ['m-f16.gguf']],
    [
      ['m-00002-of-00002.gguf', 'm-00001-of-00002.gguf'],
      ['m-00001-of-00002.gguf', 'm-00002-of-00002.gguf'],
    ],
    [['sub/m-Q8_0.gguf', 'other.gguf'], ['other.gguf']],
  ])('of the GGUF files %j takes %j', (paths, expected) => {
    expect(pathsOf(paths)).toEqual(expected);
  });

  it.each([[[]], [['README.md', 'tf_model.h5']], [['onnx/model_q4.onnx']], [['m-Q2_K.gguf']], [['adapter_model.bin']]])(
    'says what it looked for where there are no weights: %j',
    (paths: string[]) => {
      expect(() => choose(paths)).toThrow(/no Llama weights that can be read: looked for metaaligner.json, model.safe/);
    },
  );

  it('says which variants a folder of ours has', () => {
    const manifest = tinyManifest({ variants: { q8: [{ path: 'x', sizeBytes: 1 }] } });
    expect(() => choose(['x'], manifest)).toThrow('has q8 and not q4');
  });
});

describe('estimateCost', () => {
  const ready = { kind: 'ready', files: files('a', 'b') } as const;
  const checkpoint = { kind: 'checkpoint', format: 'torch', files: files('a', 'b') } as const;

  it('counts what is still to come', () => {
    expect(estimateCost(ready, 200, {})).toEqual({
      downloadBytes: 200,
      keepBytes: 200,
      expectedSeconds: undefined,
      missingBytes: undefined,
    });
    expect(estimateCost(ready, 200, { alreadyBytes: 150, bytesPerSecond: 10 })).toMatchObject({
      downloadBytes: 50,
      expectedSeconds: 5,
    });
  });

  it('waits for the slower of download and conversion', () => {
    expect(estimateCost(checkpoint, 50, { bytesPerSecond: 100, convertPerSecond: 20 }).expectedSeconds).toBe(10);
    expect(estimateCost(ready, 50, { bytesPerSecond: 100, convertPerSecond: 20 }).expectedSeconds).toBe(2);
  });

  it('says how much must be freed', () => {
    expect(estimateCost(checkpoint, 50, { freeBytes: 20 }).missingBytes).toBe(30);
    expect(estimateCost(checkpoint, 50, { freeBytes: 60 }).missingBytes).toBe(0);
  });
});
