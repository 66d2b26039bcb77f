import type { Sampler } from './sampling.ts';
import type { RowScores } from './scores.ts';

/**
 * The tokens that a step decides: the drafted ones as long as they are what the model writes, then the one that it
 * writes in place of the next. Each is chosen from the model's own scores, so that the text is that without drafts, drawn
 * texts included.
 *
 * @param scores  of draft + 1 positions
 * @param draft   token ids
 */
export function decidedTokens(
  scores: readonly RowScores[],
  draft: readonly number[],
  sampler: Sampler,
  eosTokenIds: ReadonlySet<number>,
): { tokenIds: number[]; isEnd: boolean } {
  const tokenIds: number[] = [];
  for (const [row, rowScores] of scores.entries()) {
    const tokenId = sampler.sample(rowScores);
    if (eosTokenIds.has(tokenId)) return { tokenIds, isEnd: true };
    tokenIds.push(tokenId);
    if (tokenId !== draft[row]) break;
  }
  return { tokenIds, isEnd: false };
}
