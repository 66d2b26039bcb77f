import { describe, expect, it } from 'vitest';
import { AlignError } from '../align/errors.ts';
import type { RowResult } from './journal.ts';
import { type BatchItem, type EditOutcome, runBatch } from './run-batch.ts';

type Work = { row: number };

async function* items(count: number): AsyncGenerator<BatchItem<Work>, void, void> {
  for (let row = 0; row < count; row++) yield { row, set: 0, work: { row } };
}

function edit(row: number): EditOutcome {
  return { edit: `edit ${row}`, finishReason: 'stop', promptTokens: 1, editTokens: 1 };
}

async function collect(
  count: number,
  concurrency: number,
  run: (work: Work, signal: AbortSignal) => Promise<EditOutcome>,
  signal = new AbortController().signal,
) {
  const results: RowResult[] = [];
  const record = async (result: RowResult) => void results.push(result);
  const error: unknown = await runBatch(items(count), { run, record, concurrency, signal }).catch((e: unknown) => e);
  return { results, error };
}

describe('runBatch', () => {
  it.each([0, 1, 2, 3, 10])('records each of %i rows once, at most three at a time', async (count) => {
    let running = 0;
    let most = 0;
    const { results } = await collect(count, 3, async ({ row }) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return edit(row);
    });
    expect(results.map(({ row }) => row).sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
    expect(most).toBe(Math.min(count, 3));
  });

  it('records a row that fails and goes on', async () => {
    const { results, error } = await collect(3, 1, async ({ row }) => {
      if (row === 1) throw new AlignError('prompt-too-long', 'Too long.');
      return edit(row);
    });
    expect(error).toBeUndefined();
    expect(results[1]).toEqual({ row: 1, set: 0, error: { code: 'prompt-too-long', message: 'Too long.' } });
    expect(results).toHaveLength(3);
  });

  it('ends at what no row is to blame for, stops the other runs, and records neither', async () => {
    const lost = new AlignError('server-unreachable', 'Gone.');
    const { results, error } = await collect(9, 2, async ({ row }, signal) => {
      if (row === 0) return edit(row);
      if (row === 2) throw lost;
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
    });
    expect(error).toBe(lost);
    expect(results.map(({ row }) => row)).toEqual([0]);
  });

  it.each([
    ['the engine fails', new AlignError('engine-failed', 'No.')],
    ['a server answers that it failed', new AlignError('server-failed', 'No.', { details: { isAnswer: true } })],
  ])('ends when %s ten times in a row', async (_what, failure) => {
    const { results, error } = await collect(30, 1, () => Promise.reject(failure));
    expect(error).toBe(failure);
    expect(results).toHaveLength(9);
  });

  it('records a row that a server cannot do, and goes on with those beside it', async () => {
    const { results, error } = await collect(6, 2, async ({ row }) => {
      if (row === 0) throw new AlignError('server-failed', 'It broke.', { details: { isAnswer: true } });
      return edit(row);
    });
    expect(error).toBeUndefined();
    expect(results).toHaveLength(6);
    expect(results.find(({ row }) => row === 0)).toMatchObject({ error: { code: 'server-failed' } });
  });

  it('ends where a server broke off without a word', async () => {
    const { error } = await collect(6, 1, () => Promise.reject(new AlignError('server-failed', 'It broke off.')));
    expect(error).toMatchObject({ code: 'server-failed' });
  });

  it('throws the signal’s reason and records nothing that was under way', async () => {
    const aborter = new AbortController();
    const { results, error } = await collect(
      5,
      1,
      async ({ row }, signal) => {
        if (row === 2) aborter.abort(new Error('stopped'));
        signal.throwIfAborted();
        return edit(row);
      },
      aborter.signal,
    );
    expect(error).toMatchObject({ message: 'stopped' });
    expect(results.map(({ row }) => row)).toEqual([0, 1]);
  });
});
