import { DecodeLoop } from '../../src/engines/decode-loop.ts';
import type { Decoder } from '../../src/engines/decoder.ts';
import { argmax } from '../../src/engines/sampling.ts';
import { lead } from '../../src/engines/scores.ts';
import { loadTrial, type LoadTrialOptions } from './load-trial.ts';

export interface StepsOptions extends LoadTrialOptions {
  /** Read at once to time them, and to compare their scores with those of one token at a time. */
  sizes: readonly number[];
  pastTokens: number;
  repetitions: number;
  /** What is read; the model's own tokens of it. */
  text: string;
}

export interface StepsResult {
  /** Least, by size. With the largest score of each read back, as greedy texts need it; of one, a step ahead. */
  ms: Record<string, number>;
  prefillMs: number;
  /** By size. */
  compared: Record<string, Comparison>;
}

/** The scores of several tokens at once beside those of one at a time. */
export interface Comparison {
  positions: number;
  /** Largest difference of a score. */
  farthest: number;
  /** Positions at which another token has the largest score, and the largest lead that it has at one of them. */
  flips: number;
  flipLead: number;
  /** Share of positions whose largest score leads by no more than 0.25, 0.5, 1 and 2. */
  close: number[];
}

const POSITIONS = 128;

/** See measure-webgpu-steps.ts. */
export async function measureSteps(options: StepsOptions): Promise<StepsResult> {
  const { sizes, pastTokens, repetitions, text } = options;
  let decoder: Decoder | undefined;
  const model = await loadTrial(options, (loaded, config) => {
    decoder = loaded;
    return new DecodeLoop(loaded, config);
  });
  const ids = model.tokenizer.encode(text);
  const most = Math.max(...sizes);
  const total = pastTokens + POSITIONS + most;
  if (ids.length < total) throw new Error(`The text has ${ids.length} tokens; ${total} are needed.`);
  const result: StepsResult = { ms: {}, prefillMs: 0, compared: {} };
  const read = async () => {
    decoder!.reserve(total, 0);
    await decoder!.step(ids.subarray(0, pastTokens), 0, 1, { type: 'largest' });
  };
  result.prefillMs = await leastMs(repetitions, read);
  for (const size of sizes) {
    const chunk = ids.subarray(pastTokens, pastTokens + size);
    result.ms[size] = await leastMs(repetitions, () => decoder!.step(chunk, pastTokens, size, { type: 'largest' }));
    if (size > 1) {
      result.ms[`${size}, two`] = await leastMs(repetitions, () =>
        decoder!.step(chunk, pastTokens, size, { type: 'top', count: 2 }),
      );
    }
  }
  result.ms['1 ahead'] = await aheadMs(decoder!, ids, pastTokens);
  const alone: Float32Array[] = [];
  for (let at = pastTokens; at < pastTokens + POSITIONS; at++) {
    alone.push(...(await allOf(decoder!, ids.subarray(at, at + 1), at)));
  }
  for (const size of sizes) {
    if (size === 1) continue;
    // The cache before each group is that of single tokens for the first alone, as in a text that is drafted throughout.
    const together: Float32Array[] = [];
    for (let at = pastTokens; at + size <= pastTokens + POSITIONS; at += size) {
      together.push(...(await allOf(decoder!, ids.subarray(at, at + size), at)));
    }
    result.compared[size] = compare(alone, together);
  }
  await model.engine.dispose();
  return result;
}

async function leastMs(repetitions: number, run: () => Promise<unknown>): Promise<number> {
  let least = Infinity;
  for (let i = 0; i <= repetitions; i++) {
    const startMs = performance.now();
    await run();
    if (i > 0) least = Math.min(least, performance.now() - startMs);
  }
  return least;
}

/** Of a step that is sent before the token of the one before it is known. */
async function aheadMs(decoder: Decoder, ids: Int32Array, pastTokens: number): Promise<number> {
  const steps = POSITIONS / 2;
  let next = decoder.step(ids.subarray(pastTokens, pastTokens + 1), pastTokens, 1, { type: 'largest' });
  await next;
  const startMs = performance.now();
  for (let i = 1; i <= steps; i++) {
    const following = decoder.follow!(pastTokens + i);
    await next;
    next = following;
  }
  await next;
  return (performance.now() - startMs) / steps;
}

async function allOf(decoder: Decoder, ids: Int32Array, pastTokens: number): Promise<Float32Array[]> {
  const rows = await decoder.step(ids, pastTokens, ids.length, { type: 'all' });
  return rows.flatMap((row) => (row.type === 'all' ? [row.logits.slice()] : []));
}

function compare(alone: readonly Float32Array[], together: readonly Float32Array[]): Comparison {
  let [farthest, flips, flipLead] = [0, 0, 0];
  const leads: number[] = [];
  for (const [i, logits] of together.entries()) {
    const expected = alone[i]!;
    logits.forEach((value, id) => (farthest = Math.max(farthest, Math.abs(value - (expected[id] ?? NaN)))));
    const ahead = lead({ type: 'all', logits });
    leads.push(ahead);
    if (argmax(logits) === argmax(expected)) continue;
    flips += 1;
    flipLead = Math.max(flipLead, ahead);
  }
  const close = [0.25, 0.5, 1, 2].map((margin) => leads.filter((each) => each <= margin).length / leads.length);
  return { positions: together.length, farthest, flips, flipLead, close };
}
