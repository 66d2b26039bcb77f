import { describe, expect, it } from 'vitest';

import { AlignError } from '../align/errors.ts';
import { RowPlaces } from './row-places.ts';

const settle = () => new Promise((resolve) => setImmediate(resolve));
const busy = (retryAfterMs?: number) =>
  new AlignError('server-busy', 'Busy.', { details: retryAfterMs === undefined ? {} : { retryAfterMs } });
const late = new AlignError('server-failed', 'Late.', { details: { isAnswer: true, isDeadline: true } });

/** A server that lets in `limit.most` rows at a time; waiting moves the clock at once. */
function setUp(limit = { most: 4 }) {
  const clock = { ms: 0 };
  const waits: number[] = [];
  const seen = { running: 0, most: 0, refusals: 0 };
  const places = new RowPlaces({
    most: 4,
    now: () => clock.ms,
    wait: async (ms) => {
      waits.push(ms);
      clock.ms += ms;
      await settle();
    },
  });
  const { signal } = new AbortController();
  const row = () =>
    places.run(async () => {
      if (seen.running >= limit.most) {
        seen.refusals += 1;
        throw busy(1000);
      }
      seen.most = Math.max(seen.most, (seen.running += 1));
      for (let i = 0; i < 5; i += 1) await settle();
      seen.running -= 1;
      return 'done';
    }, signal);
  return { places, clock, waits, seen, row, signal };
}

describe('rows at a server', () => {
  it.each([1, 2, 3])('go on with a key for %i at a time, and are seldom refused', async (most) => {
    const { row, seen } = setUp({ most });
    // As a batch does: four workers that take the next row when one is done.
    let rows = 0;
    const worker = async () => {
      while (rows++ < 40) expect(await row()).toBe('done');
    };
    await Promise.all([worker(), worker(), worker(), worker()]);
    expect(seen.most).toBe(most);
    expect(seen.refusals).toBeLessThanOrEqual(4 - most + 40 / 16 + 1);
  });

  it('come to four at a time again when the server has room', async () => {
    const limit = { most: 1 };
    const { row, seen } = setUp(limit);
    await Promise.all(Array.from({ length: 8 }, row));
    limit.most = 4;
    await Promise.all(Array.from({ length: 80 }, row));
    expect(seen.most).toBe(4);
  });

  it('wait a minute at most, and five seconds where it does not say', async () => {
    const { places, waits, signal } = setUp();
    const answers = [busy(2 ** 40), busy(), busy(700)];
    await places.run(async () => {
      const answer = answers.shift();
      if (answer !== undefined) throw answer;
    }, signal);
    expect(waits).toEqual([60_000, 5000, 700]);
  });

  it('give up a server that has finished none for a quarter of an hour', async () => {
    const { places, clock, signal } = setUp();
    const error: unknown = await places
      .run(() => Promise.reject(busy(10_000)), signal)
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'server-busy' });
    expect(clock.ms).toBe(910_000);
  });

  it('are tried again at a deadline, which held the queue as well, and fail at the third', async () => {
    const { places, signal } = setUp();
    const answers = [late, late];
    const patient = places.run(async () => {
      const answer = answers.shift();
      if (answer !== undefined) throw answer;
      return 'done';
    }, signal);
    expect(await patient).toBe('done');
    await expect(places.run(() => Promise.reject(late), signal)).rejects.toBe(late);
  });

  it('leave the line when they are stopped, and the line goes on', async () => {
    const { places, signal } = setUp();
    const ends: (() => void)[] = [];
    const work = () => new Promise<void>((resolve) => ends.push(resolve));
    const first = Array.from({ length: 4 }, () => places.run(work, signal));
    const stopper = new AbortController();
    const stopped = places.run(work, stopper.signal);
    const last = places.run(work, signal);
    stopper.abort();
    await expect(stopped).rejects.toMatchObject({ name: 'AbortError' });
    for (let i = 0; i < 5; i += 1) {
      ends[i]!();
      await settle();
    }
    await Promise.all([...first, last]);
    expect(ends).toHaveLength(5);
  });
});
