import { afterEach, expect, it, vi } from 'vitest';
import type { RowScores } from '../../src/engines/scores.ts';
import { ScriptedDecoder } from '../../src/engines/scripted-engine.ts';
import { ourRunner } from './our-runner.ts';

const config = { vocabularySize: 50, contextLength: 256, eosTokenIds: [] };
const promptIds = [1, 10, 11, 12, 10, 11, 12, 10, 11];
const forcedIds = Array.from({ length: 60 }, (_, i) => 10 + ((i + 2) % 3));

/** Would write 30 throughout; its other scores are less by a step for each id away. */
class ClockedDecoder extends ScriptedDecoder {
  clockMs = 0;
  readonly #rival: number;

  /** @param rival  score of token 40, where 30 has 4 */
  constructor(rival: number) {
    super(() => 30, { vocabularySize: 50 });
    this.#rival = rival;
  }

  override async step(tokenIds: Int32Array, pastTokens: number, logitRows: number): Promise<RowScores[]> {
    const rows = await super.step(tokenIds, pastTokens, logitRows);
    // Whatever its size, so that drafts pay.
    this.clockMs += 10;
    for (const row of rows) if (row.type === 'all') row.logits[40] = this.#rival;
    return rows;
  }
}

afterEach(() => void vi.restoreAllMocks());

/** @returns how many tokens each step read, those of the prompt aside */
async function replay(rival: number, draftMargin: number): Promise<number[]> {
  const decoder = new ClockedDecoder(rival);
  vi.spyOn(performance, 'now').mockImplementation(() => decoder.clockMs);
  const runner = ourRunner(decoder, { ...config, draftMargin });
  const { tokenIds } = await runner.generate({ promptIds, forcedIds, newTokens: forcedIds.length });
  expect(tokenIds).toEqual(forcedIds);
  return decoder.calls.filter(({ pastTokens }) => pastTokens >= promptIds.length).map((call) => call.tokenIds.length);
}

it('replays a text in longer steps where drafts are right', async () => {
  expect((await replay(1, 0.5)).length).toBeLessThan(30);
  // Equal ones are nothing to one who believes the scores.
  expect((await replay(4, 0)).length).toBeLessThan(30);
});

it('scores alone in a replay, too, what the model’s own scores leave in doubt', async () => {
  const sizes = await replay(3.8, 0.5);
  expect(sizes.filter((size) => size === 1).length).toBe(forcedIds.length - 1);
});
