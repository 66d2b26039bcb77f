/**
 * What a step computes with, written by src/engines/wasm-memory.ts; wasm-layout.ts lists these fields in this order. Addresses are of
 * bytes in the memory that all threads share. Inputs and outputs of products are filled up with zeros to multiples of 16;
 * `hiddenColumns` and the like are the filled counts.
 */
@unmanaged
export class Model {
  threads: i32;
  layerCount: i32;
  headCount: i32;
  kvHeadCount: i32;
  headDim: i32;
  hiddenSize: i32;
  hiddenColumns: i32;
  intermediateColumns: i32;
  vocabularyColumns: i32;
  epsilon: f32;
  attentionScale: f32;
  /** int8 blocks and float32 [vocabularyColumns]. */
  embedding: usize;
  embeddingScales: usize;
  /** `Layer` by layer. */
  layers: usize;
  finalNorm: usize;
  head: usize;
  headScales: usize;
  /** float32 [contextLength, headDim / 2] */
  cos: usize;
  sin: usize;
  /** float32 [layers, 2, kvHeads, cacheTokens, headDim] */
  cache: usize;
  cacheTokens: i32;
  /** int32 [tokens] */
  tokenIds: usize;
  /** float32 [tokens, hiddenColumns] */
  residual: usize;
  /** A product's input, see `quantize`: 2 bytes a column, [tokens, columns]. */
  quantized: usize;
  /** float32 [tokens] */
  quantizedScales: usize;
  /** float32 [tokens, (heads + 2 kvHeads) headDim] */
  qkv: usize;
  /** float32 [tokens, heads headDim] */
  attended: usize;
  /** float32 [tokens, intermediateColumns], twice */
  gate: usize;
  up: usize;
  /** float32 [contextLength + 2, 4] for each thread. */
  scores: usize;
  scoresBytes: i32;
  /** float32 [rows, vocabularyColumns] */
  logits: usize;
  /** Of this step. */
  tokens: i32;
  pastTokens: i32;
  logitRows: i32;
  // What threads meet at; see threads.ts.
  stepNumber: i32;
  arrived: i32;
  meeting: i32;
  ticket: i32;
}

/** Addresses: of each weight's int8 blocks and float32 scales, and of norms, float32 [hiddenColumns]. */
@unmanaged
export class Layer {
  inputNorm: usize;
  qkv: usize;
  qkvScales: usize;
  attentionOutput: usize;
  attentionOutputScales: usize;
  postNorm: usize;
  gate: usize;
  gateScales: usize;
  up: usize;
  upScales: usize;
  down: usize;
  downScales: usize;
}

/** Where the model is described. */
// @ts-ignore: a decorator of AssemblyScript
@lazy
export const MODEL: Model = changetype<Model>(1024);
