import type { ModelManifest } from '../convert/manifest.ts';

/** A manifest of a model that does not exist, for tests that only move its files. */
export function tinyManifest(part: Partial<ModelManifest> = {}): ModelManifest {
  return {
    formatVersion: 1,
    name: 'Tiny',
    source: 'someone/tiny',
    family: 'hh-rlhf',
    config: {
      vocabularySize: 10,
      hiddenSize: 16,
      intermediateSize: 32,
      layerCount: 1,
      headCount: 1,
      kvHeadCount: 1,
      headDim: 16,
      rmsNormEpsilon: 1e-5,
      ropeTheta: 10000,
      contextLength: 64,
      isEmbeddingTied: true,
      bosTokenId: 1,
      eosTokenIds: [2],
    },
    parameterCount: 1,
    variants: { q4: [{ path: 'onnx/model_q4.onnx', sizeBytes: 10 }] },
    sidecars: [],
    ...part,
  };
}
