import type { Decoder } from './decoder.ts';
import type { SlotStep } from './node-decoder.ts';
import { allScores, type RowScores } from './scores.ts';

/** Few tokens, so that texts repeat. */
export const ROW_SENSITIVE_VOCABULARY = 8;

/** A token of the cache. */
interface ReadToken {
  tokenId: number;
  /** In a step that had this row alone. */
  isAlone: boolean;
}

/**
 * A decoder whose steps of one row add up in another order, at its worst: each score depends on how every token before was
 * read. Half the time it goes on as the text did before, so that guesses are right now and then. It has one sequence.
 */
export class RowSensitiveDecoder implements Decoder {
  readonly device = 'cpu';
  readonly prefillChunkTokens = 8;
  readonly minStepTokens = 2;
  readonly slotCount = 1;
  /** Read at last, wrong drafts excluded where a step came after them. */
  cache: ReadToken[] = [];

  reserve(_tokens: number, keepTokens: number): number {
    return keepTokens;
  }

  step(tokenIds: Int32Array, pastTokens: number, logitRows: number): Promise<RowScores[]> {
    return Promise.resolve(this.#read([...tokenIds], pastTokens, { logitRows, isAlone: false }));
  }

  stepAlone(tokenId: number, pastTokens: number): Promise<RowScores[]> {
    return Promise.resolve(this.#read([tokenId], pastTokens, { logitRows: 1, isAlone: true }));
  }

  async read(_slot: number, tokenIds: Int32Array, pastTokens: number, logitRows: number): Promise<Float32Array> {
    const [row] = await this.step(tokenIds, pastTokens, logitRows);
    return row?.type === 'all' ? row.logits : new Float32Array();
  }

  stepTogether(_steps: readonly SlotStep[]): Promise<Float32Array> {
    throw new Error('There is one sequence.');
  }

  copySlot(): void {}

  dispose(): Promise<void> {
    return Promise.resolve();
  }

  #read(
    tokenIds: readonly number[],
    pastTokens: number,
    { logitRows, isAlone }: { logitRows: number; isAlone: boolean },
  ): RowScores[] {
    if (pastTokens > this.cache.length) throw new Error(`${pastTokens} past tokens, but fewer are cached`);
    this.cache = [...this.cache.slice(0, pastTokens), ...tokenIds.map((tokenId) => ({ tokenId, isAlone }))];
    const end = this.cache.length;
    const rows = Array.from({ length: logitRows }, (_, row) =>
      scoresAfter(this.cache.slice(0, end - logitRows + row + 1)),
    );
    return allScores(Float32Array.from(rows.flat()), logitRows);
  }
}

function scoresAfter(read: readonly ReadToken[]): number[] {
  let hash = 17;
  for (const { tokenId, isAlone } of read) hash = (Math.imul(hash, 31) + 2 * tokenId + (isAlone ? 1 : 0)) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 0;
  const last = read.at(-1)?.tokenId;
  const before = read.findLastIndex(({ tokenId }, at) => tokenId === last && at < read.length - 1);
  const next = hash % 2 === 0 && before >= 0 ? read[before + 1]!.tokenId : (hash >>> 8) % ROW_SENSITIVE_VOCABULARY;
  return Array.from({ length: ROW_SENSITIVE_VOCABULARY }, (_, id) => (id === next ? 4 : ((hash >>> id) % 7) / 3));
}
