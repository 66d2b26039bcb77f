import { AlignError } from '../../src/align/errors.ts';
import type { ChatContent } from '../../src/batch/chat-endpoint.ts';
import { isOfOneCall } from '../../src/batch/post-with-back-off.ts';
import type { Judge } from './judge.ts';
import { digestOf, type VerdictCache } from './verdict-cache.ts';

/** One question to a judge. */
export interface JudgeCall {
  key: string;
  content: ChatContent;
  /** From 0: the same question may be asked several times. */
  repeat: number;
}

export interface Prices {
  /** US dollars for a million tokens. */
  prompt: number;
  reply: number;
}

export interface AskOptions {
  judge: Judge;
  cache: VerdictCache;
  concurrency: number;
  prices: Prices | undefined;
  /** US dollars. */
  maxCost: number | undefined;
  signal: AbortSignal;
  onProgress: (done: number) => void;
}

/** So many failures one after the other are no matter of the rows. */
const MAX_FAILURES_IN_A_ROW = 10;

/** Beside prompt and reply, what a chat's wrapping takes. */
const REPLY_TOKENS = 4;

/** @param url  the judge's address, or what stands for it */
export function callOf(url: string, content: ChatContent, repeat = 0): JudgeCall {
  return { key: digestOf({ url, content, ...(repeat > 0 && { repeat }) }), content, repeat };
}

/** A guess from four characters a token, before anything is sent. */
export function estimateTokens(calls: readonly JudgeCall[]): { promptTokens: number; replyTokens: number } {
  const characters = calls.reduce(
    (sum, { content }) => sum + content.messages.reduce((length, message) => length + message.content.length, 0),
    0,
  );
  return { promptTokens: Math.ceil(characters / 4), replyTokens: calls.length * REPLY_TOKENS };
}

/** @returns US dollars */
export function costOf({ promptTokens, replyTokens }: { promptTokens: number; replyTokens: number }, prices: Prices) {
  return (promptTokens * prices.prompt + replyTokens * prices.reply) / 1e6;
}

/**
 * Puts the calls to the judge, several at a time, and keeps each reply in the cache as it comes.
 *
 * @param calls  not in the cache, each once
 * @returns how many failed: the judge refused the prompt or cannot hold it, or its server went on failing. Their rows are invalid, and a later run
 *   asks again
 * @throws AlignError when the address or key cannot work, after failures in a row, or when the replies have cost
 *   more than `maxCost`; the signal's reason
 */
export async function askJudge(calls: readonly JudgeCall[], options: AskOptions): Promise<number> {
  const { judge, cache, concurrency, prices, maxCost, signal, onProgress } = options;
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  let [next, done, failed, failuresInARow, spent] = [0, 0, 0, 0, 0];

  const askOne = async (call: JudgeCall) => {
    try {
      const reply = await judge.ask(call, either);
      await cache.add(call.key, reply);
      failuresInARow = 0;
      if (prices !== undefined) spent += costOf(reply, prices);
    } catch (error) {
      if (!isOfOneCall(error)) throw error;
      failed += 1;
      failuresInARow += 1;
      if (failuresInARow >= MAX_FAILURES_IN_A_ROW) throw error;
    }
    if (maxCost !== undefined && spent > maxCost) {
      throw new AlignError(
        'invalid-request',
        `The replies so far cost $${spent.toFixed(2)}; --max-cost is $${maxCost.toFixed(2)}. They are kept.`,
        { details: { spent, maxCost } },
      );
    }
    done += 1;
    onProgress(done);
  };
  const worker = async () => {
    while (next < calls.length) {
      either.throwIfAborted();
      await askOne(calls[next++]!);
    }
  };
  await Promise.allSettled(
    Array.from({ length: Math.min(concurrency, calls.length) }, () =>
      worker().catch((error: unknown) => stop.abort(error)),
    ),
  );
  either.throwIfAborted();
  return failed;
}
