import type { RowsModel } from './rows-model.ts';

/** `Model` in src/engines/wasm-kernels/model.ts, field by field. */
export const MODEL_FIELDS = [
  'threads',
  'layerCount',
  'headCount',
  'kvHeadCount',
  'headDim',
  'hiddenSize',
  'hiddenColumns',
  'intermediateColumns',
  'vocabularyColumns',
  'epsilon',
  'attentionScale',
  'embedding',
  'embeddingScales',
  'layers',
  'finalNorm',
  'head',
  'headScales',
  'cos',
  'sin',
  'cache',
  'cacheTokens',
  'tokenIds',
  'residual',
  'quantized',
  'quantizedScales',
  'qkv',
  'attended',
  'gate',
  'up',
  'scores',
  'scoresBytes',
  'logits',
  'tokens',
  'pastTokens',
  'logitRows',
] as const;
export type ModelField = (typeof MODEL_FIELDS)[number];
export const FLOAT_FIELDS: readonly ModelField[] = ['epsilon', 'attentionScale'];
/** `Layer` there; a product stands for its weight's address and its scales'. */
const LAYER_FIELDS = ['input_norm', 'qkv', 'attention_output', 'post_norm', 'gate', 'up', 'down'] as const;
const LAYER_BYTES = 4 * 12;

/** Behind the model's description, and what packing needs beside it. */
const FIRST_FREE = 4096;
/** Tensors begin where lines of the processor's cache do. */
const ALIGNMENT = 64;

export interface PlacedWeight {
  /** Of its data in the graph. */
  name: string;
  address: number;
  inputs: number;
  outputs: number;
  /** Stored as [outputs, inputs], as an embedding is; else as [inputs, outputs]. */
  isByRow: boolean;
}

export interface Layout {
  fields: Record<ModelField, number>;
  /** `Layer` by layer. */
  layers: number[];
  /** Norms and scales, taken over as they are. */
  vectors: { name: string; address: number; size: number }[];
  weights: PlacedWeight[];
  /** From `residual` on, of what each step computes anew. */
  stepBytes: number;
}

/** Where everything that kernels compute with is in their memory; the cache is the last, as it grows. */
export function layOut(model: RowsModel, threads: number, maxStepTokens: number): Layout {
  const { hiddenSize, intermediateSize, vocabularySize, layerCount, headCount, kvHeadCount, headDim } = model;
  let end = FIRST_FREE;
  const place = (bytes: number) => {
    const address = end;
    end = roundUp(end + bytes, ALIGNMENT);
    return address;
  };
  const vectors: Layout['vectors'] = [];
  const weights: PlacedWeight[] = [];
  const placeVector = (name: string, size: number, columns: number) => {
    const address = place(4 * columns);
    vectors.push({ name, address, size });
    return address;
  };
  const placeWeight = (name: string, outputs: number, inputs: number, isByRow = false) => {
    const columns = filled(outputs);
    // Each row's sum is behind its weights.
    const address = place(filled(inputs) * columns + 4 * columns);
    weights.push({ name: `${name}.data`, address, inputs, outputs, isByRow });
    return [address, placeVector(`${name}.scales`, outputs, columns)] as const;
  };

  const hiddenColumns = filled(hiddenSize);
  const intermediateColumns = filled(intermediateSize);
  const vocabularyColumns = filled(vocabularySize);
  const attended = headCount * headDim;
  const qkv = attended + 2 * kvHeadCount * headDim;
  const sizes = {
    qkv: [qkv, hiddenSize],
    attention_output: [hiddenSize, attended],
    gate: [intermediateSize, hiddenSize],
    up: [intermediateSize, hiddenSize],
    down: [hiddenSize, intermediateSize],
  } as const;
  const layersAddress = place(LAYER_BYTES * layerCount);
  const [embedding, embeddingScales] = placeWeight('embedding', vocabularySize, hiddenSize, true);
  const layers = Array.from({ length: layerCount }, (_, layer) =>
    LAYER_FIELDS.flatMap((field) => {
      const name = `layer.${layer}.${field}`;
      const isNorm = field === 'input_norm' || field === 'post_norm';
      return isNorm ? [placeVector(`${name}.data`, hiddenSize, hiddenColumns)] : placeWeight(name, ...sizes[field]);
    }),
  ).flat();
  const finalNorm = placeVector('final_norm.data', hiddenSize, hiddenColumns);
  const [head, headScales] = model.isEmbeddingTied
    ? [embedding, embeddingScales]
    : placeWeight('head', vocabularySize, hiddenSize);

  const rotaryBytes = 2 * headDim * model.contextLength;
  const [cos, sin] = [place(rotaryBytes), place(rotaryBytes)];
  const step = end;
  const floats = (columns: number) => place(4 * maxStepTokens * columns);
  const scoresBytes = 16 * (model.contextLength + 2);
  const fields = {
    threads,
    layerCount,
    headCount,
    kvHeadCount,
    headDim,
    hiddenSize,
    hiddenColumns,
    intermediateColumns,
    vocabularyColumns,
    epsilon: model.rmsNormEpsilon,
    attentionScale: model.attentionScale,
    embedding,
    embeddingScales,
    layers: layersAddress,
    finalNorm,
    head,
    headScales,
    cos,
    sin,
    residual: floats(hiddenColumns),
    tokenIds: place(4 * maxStepTokens),
    quantized: place(2 * maxStepTokens * Math.max(hiddenColumns, intermediateColumns, attended)),
    quantizedScales: place(4 * maxStepTokens),
    qkv: floats(qkv),
    attended: floats(attended),
    gate: floats(intermediateColumns),
    up: floats(Math.max(hiddenColumns, intermediateColumns)),
    scores: place(threads * scoresBytes),
    scoresBytes,
    logits: floats(vocabularyColumns),
    cacheTokens: 0,
    tokens: 0,
    pastTokens: 0,
    logitRows: 0,
  };
  // A piece of a weight that is laid out is there as well; the last 16 of each row's bytes are read at once.
  const pieces = weights.map(({ inputs, outputs, isByRow }) => (isByRow ? filled(inputs) : 16 * outputs + 16));
  end = Math.max(end, step + roundUp(Math.max(...pieces), ALIGNMENT));
  return { fields: { ...fields, cache: end }, layers, vectors, weights, stepBytes: end - step };
}

export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

/** A product's columns are filled up to whole vectors of 16 bytes, its rows likewise. */
export function filled(columns: number): number {
  return roundUp(columns, 16);
}
