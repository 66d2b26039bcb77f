/** What of a Llama checkpoint's shape the converter and the engines need. Sizes are counts of elements. */
export interface LlamaConfig {
  vocabularySize: number;
  hiddenSize: number;
  intermediateSize: number;
  layerCount: number;
  headCount: number;
  /** Equals `headCount` without grouped-query attention; divides it. */
  kvHeadCount: number;
  /** Elements per head; a multiple of 16 (GroupQueryAttention with rotary embedding). */
  headDim: number;
  rmsNormEpsilon: number;
  ropeTheta: number;
  /** Tokens that prompt and edit may take together. */
  contextLength: number;
  /** The output projection is the embedding. */
  isEmbeddingTied: boolean;
  bosTokenId: number | undefined;
  /** At least one; generation stops at any of them. */
  eosTokenIds: readonly number[];
}
