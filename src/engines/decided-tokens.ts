import type { Sampler } from './sampling.ts';
import { lead, type RowScores } from './scores.ts';

/**
 * The tokens that a step decides: the drafted ones as long as they are what the model writes, then the one that it
 * writes in place of the next. Each is chosen from the model's own scores, so that the text is that without drafts, drawn
 * texts included.
 *
 * @param scores  of draft + 1 positions
 * @param draft   token ids
 * @param margin  logits: where the largest of a position's scores leads by no more, the step does not decide it. 0 for scores that
 *   are those of steps over one token
 * @returns `isDoubtful` if the step ended at such a position, which has to be scored alone
 */
export function decidedTokens(
  scores: readonly RowScores[],
  draft: readonly number[],
  sampler: Sampler,
  eosTokenIds: ReadonlySet<number>,
  margin = 0,
): { tokenIds: number[]; isEnd: boolean; isDoubtful: boolean } {
  const tokenIds: number[] = [];
  for (const [row, rowScores] of scores.entries()) {
    if (margin > 0 && draft.length > 0 && lead(rowScores) <= margin)
      return { tokenIds, isEnd: false, isDoubtful: true };
    const tokenId = sampler.sample(rowScores);
    if (eosTokenIds.has(tokenId)) return { tokenIds, isEnd: true, isDoubtful: false };
    tokenIds.push(tokenId);
    if (tokenId !== draft[row]) break;
  }
  return { tokenIds, isEnd: false, isDoubtful: false };
}
