import type { Engine } from '../../src/align/engine.ts';
import { GREEDY } from '../../src/align/request.ts';
import { DecodeLoop, type DecoderConfig } from '../../src/engines/decode-loop.ts';
import type { Decoder } from '../../src/engines/decoder.ts';
import { lead, type RowScores } from '../../src/engines/scores.ts';
import { FORCED_SCORE, type Runner } from './measurement.ts';

interface Forced {
  tokenIds: readonly number[];
  promptTokens: number;
}

/** Runs in Node and in the browser. All loops are over one decoder: what one reads, the others forget. */
export function ourRunner(decoder: Decoder, config: DecoderConfig): Runner & { engine: Engine } {
  let forced: Forced | undefined;
  const replaying = replayingDecoder(decoder, () => forced, { keepsLead: (config.draftMargin ?? 0) > 0 });
  const loopsOver = (each: Decoder) => ({
    drafting: new DecodeLoop(each, config),
    plain: new DecodeLoop(each, { ...config, mayDraft: false }),
  });
  const [own, replay] = [loopsOver(decoder), loopsOver(replaying)];
  return {
    engine: own.drafting,
    async generate({ promptIds, newTokens, answerRange, forcedIds, isAgain = false, isPlain = false }) {
      const engine = (forcedIds === undefined ? own : replay)[isPlain ? 'plain' : 'drafting'];
      if (!isAgain) await forgetPrompt(engine, promptIds);
      forced = forcedIds && { tokenIds: forcedIds, promptTokens: promptIds.length };
      try {
        return await measure(engine, Int32Array.from(promptIds), { newTokens, answerRange });
      } finally {
        forced = undefined;
      }
    },
    dispose: () => own.drafting.dispose(),
  };
}

/** Of any engine, the whole of a greedy generation. */
export async function measure(
  engine: Engine,
  promptIds: Int32Array,
  { newTokens, answerRange }: { newTokens: number; answerRange?: readonly [number, number] | undefined },
) {
  const startMs = performance.now();
  let firstTokenMs = 0;
  let steps = 0;
  const tokenIds: number[] = [];
  const options = { ...GREEDY, maxNewTokens: newTokens, ...(answerRange && { answerRange }) };
  for await (const step of engine.generate(promptIds, options, new AbortController().signal)) {
    if (tokenIds.length === 0) firstTokenMs = performance.now() - startMs;
    else steps += 1;
    tokenIds.push(...step);
  }
  return { tokenIds, firstTokenMs, totalMs: performance.now() - startMs, steps };
}

/** A prompt that begins otherwise takes the place of the last one. */
async function forgetPrompt(engine: Engine, promptIds: readonly number[]): Promise<void> {
  await measure(engine, Int32Array.of((promptIds[0] ?? 0) + 1), { newTokens: 1 });
}

/** Of a forced token at least, so that it is the only largest. */
const LEAST_LEAD = 1e-3;

/**
 * Computes all that the decoder computes, then lets the wanted token of each position have the highest score.
 *
 * @param options.keepsLead  by as much as the model's own token had, so that what is in doubt is scored again as ever
 */
function replayingDecoder(
  decoder: Decoder,
  forced: () => Forced | undefined,
  { keepsLead }: { keepsLead: boolean },
): Decoder {
  /** @param readTokens  by this step and those before it */
  const force = (rows: readonly RowScores[], readTokens: number) => {
    const { tokenIds: wanted, promptTokens } = forced() ?? { tokenIds: [], promptTokens: 0 };
    // The last row scores what follows the last of these positions.
    const first = readTokens - rows.length + 1 - promptTokens;
    for (const [row, scores] of rows.entries()) {
      const id = wanted[first + row];
      if (id === undefined) continue;
      if (scores.type !== 'all') throw new Error('Only where all scores are on the host can another be the highest.');
      scores.logits[id] = keepsLead ? scoreThatLeads(scores.logits, id) : FORCED_SCORE;
    }
    return rows;
  };
  return {
    device: decoder.device,
    prefillChunkTokens: decoder.prefillChunkTokens,
    ...(decoder.minStepTokens !== undefined && { minStepTokens: decoder.minStepTokens }),
    reserve: (tokens, keepTokens) => decoder.reserve(tokens, keepTokens),
    // Nothing that `follow`s: the device would write its own token into the next step.
    async step(tokenIds, pastTokens, logitRows) {
      const rows = await decoder.step(tokenIds, pastTokens, logitRows, { type: 'all' });
      return force(rows, pastTokens + tokenIds.length);
    },
    ...(decoder.stepAlone !== undefined && {
      stepAlone: async (tokenId: number, pastTokens: number) =>
        force(await decoder.stepAlone!(tokenId, pastTokens), pastTokens + 1),
    }),
    dispose: () => decoder.dispose(),
  };
}

function scoreThatLeads(logits: Float32Array, wantedId: number): number {
  const ownLead = lead({ type: 'all', logits });
  let others = -Infinity;
  for (let id = 0; id < logits.length; id++) if (id !== wantedId) others = Math.max(others, logits[id]!);
  return others + Math.max(ownLead, LEAST_LEAD);
}
