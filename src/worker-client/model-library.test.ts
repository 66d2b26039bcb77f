import { describe, expect, it } from 'vitest';

import type { ModelManifest } from '../convert/manifest.ts';
import { createModelLibrary } from './model-library.ts';

const manifest: ModelManifest = {
  formatVersion: 1,
  name: 'Demo aligner',
  source: 'made for tests',
  family: 'imhi',
  config: {
    vocabularySize: 100,
    hiddenSize: 32,
    intermediateSize: 64,
    layerCount: 1,
    headCount: 2,
    kvHeadCount: 1,
    headDim: 16,
    rmsNormEpsilon: 1e-5,
    ropeTheta: 10_000,
    contextLength: 512,
    isEmbeddingTied: true,
    bosTokenId: 1,
    eosTokenIds: [2],
  },
  parameterCount: 1000,
  variants: {
    q4: [
      { path: 'onnx/model_q4.onnx', sizeBytes: 10 },
      { path: 'onnx/model_q4.onnx_data', sizeBytes: 990 },
    ],
    fp32: [{ path: 'onnx/model.onnx', sizeBytes: 4000 }],
  },
  sidecars: [{ path: 'config.json', sizeBytes: 5 }],
};

function libraryOf(body: BodyInit, status = 200) {
  return createModelLibrary('http://localhost:1/app/models/index.json', async () => new Response(body, { status }));
}

function picked(files: Record<string, string>) {
  return Object.entries(files).map(([path, text]) => ({ path, blob: new Blob([text]) }));
}

describe('the served models', () => {
  it('have an address below the list and one size per variant', async () => {
    const entry = { id: 'demo', baseUrl: 'demo-aligner/', manifest };
    const { models } = await libraryOf(JSON.stringify([entry])).list();
    expect(models).toEqual([
      {
        id: 'demo',
        name: 'Demo aligner',
        source: 'made for tests',
        family: 'imhi',
        parameterCount: 1000,
        contextLength: 512,
        variants: [
          { variant: 'fp32', sizeBytes: 4000 },
          { variant: 'q4', sizeBytes: 1000 },
        ],
        location: { kind: 'url', baseUrl: 'http://localhost:1/app/models/demo-aligner/' },
      },
    ]);
  });

  it('are listed without the damaged ones, which are named', async () => {
    const entries = [{ id: 'bad', baseUrl: 'bad/', manifest: {} }, null, { id: 'demo', baseUrl: '/demo', manifest }];
    const { models, problems } = await libraryOf(JSON.stringify(entries)).list();
    expect(models.map(({ location }) => location)).toEqual([{ kind: 'url', baseUrl: 'http://localhost:1/demo/' }]);
    expect(problems).toHaveLength(2);
    expect(problems[0]!.message).toContain('bad');
  });

  it.each([
    ['no such page', 404],
    ['<html>', 200],
    ['{}', 200],
  ])('cannot be listed from %s with %i', async (body, status) => {
    await expect(libraryOf(body, status).list()).rejects.toMatchObject({ code: 'weights-unreachable' });
  });
});

describe('a picked folder', () => {
  const library = libraryOf('[]');

  it('is a model, its paths without the name of the folder', async () => {
    const files = picked({ 'mine/metaaligner.json': JSON.stringify(manifest), 'mine/onnx/model.onnx': 'x' });
    const model = await library.open(files);
    expect(model).toMatchObject({ id: 'picked:mine', name: 'Demo aligner' });
    expect(model.location).toMatchObject({
      kind: 'files',
      name: 'mine',
      files: [{ path: 'metaaligner.json' }, { path: 'onnx/model.onnx' }],
    });
  });

  it.each([
    ['weights-missing', { 'mine/config.json': '{}' }],
    ['weights-missing', { 'mine/deep/metaaligner.json': '{}' }],
    ['weights-missing', {}],
    ['weights-missing', { 'mine/metaaligner.json': JSON.stringify({ ...manifest, variants: {} }) }],
    ['weights-corrupt', { 'mine/metaaligner.json': '{' }],
    ['weights-corrupt', { 'mine/metaaligner.json': ' '.repeat(2 << 20) }],
  ])('is refused as %s', async (code, files) => {
    await expect(library.open(picked(files as Record<string, string>))).rejects.toMatchObject({ code });
  });
});
