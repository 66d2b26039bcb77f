import type { Decoder } from './decoder.ts';
import type { RowScores } from './scores.ts';

/**
 * A decoder on the host that keeps what it gave.
 *
 * @returns `scores` of what follows each token, by its position, as bits: the last that were given; `calls`, in order
 */
export function recordScores(inner: Decoder) {
  const scores: (Int32Array | undefined)[] = [];
  const calls: { tokens: number; isAlone: boolean }[] = [];
  const keep = (rows: readonly RowScores[], readTokens: number) => {
    for (const [i, row] of rows.entries()) {
      if (row.type !== 'all') throw new Error('Of a decoder on the host all scores are there.');
      scores[readTokens - rows.length + i] = new Int32Array(Float32Array.from(row.logits).buffer);
    }
    return rows;
  };
  const decoder: Decoder = {
    device: inner.device,
    prefillChunkTokens: inner.prefillChunkTokens,
    ...(inner.minStepTokens !== undefined && { minStepTokens: inner.minStepTokens }),
    reserve: (tokens, keepTokens) => inner.reserve(tokens, keepTokens),
    async step(tokenIds, pastTokens, logitRows, needed) {
      calls.push({ tokens: tokenIds.length, isAlone: false });
      return keep(await inner.step(tokenIds, pastTokens, logitRows, needed), pastTokens + tokenIds.length);
    },
    ...(inner.stepAlone !== undefined && {
      stepAlone: async (tokenId: number, pastTokens: number) => {
        calls.push({ tokens: 1, isAlone: true });
        return keep(await inner.stepAlone!(tokenId, pastTokens), pastTokens + 1);
      },
    }),
    dispose: () => inner.dispose(),
  };
  return { decoder, scores, calls };
}
