import { describe, expect, it } from 'vitest';
import { PacedFrames } from './paced-frames.ts';

/** A clock that goes when it is told to; frames and timers are run by hand. */
function setUp() {
  const clock = { ms: 0, isHidden: false, frames: [] as (() => void)[], timers: [] as [() => void, number][] };
  const paced = new PacedFrames({
    now: () => clock.ms,
    requestFrame: (callback) => clock.frames.push(callback),
    setTimer: (callback, ms) => clock.timers.push([callback, ms]),
    isHidden: () => clock.isHidden,
  });
  /** Draws what is asked for next, which takes so long, React's part in a microtask included. */
  const draw = async (ms: number) => {
    paced.schedule(() => queueMicrotask(() => (clock.ms += ms)));
    clock.frames.shift()!();
    await Promise.resolve();
    await Promise.resolve();
  };
  return { clock, paced, draw };
}

describe('PacedFrames', () => {
  it('takes the next frame where drawing takes no time', async () => {
    const { clock, draw } = setUp();
    await draw(0);
    await draw(0);
    expect(clock.timers).toEqual([]);
  });

  it('rests three times as long as drawing took, from its end on', async () => {
    const { clock, paced, draw } = setUp();
    await draw(20);
    clock.ms += 15;
    paced.schedule(() => {});
    expect(clock.frames).toEqual([]);
    expect(clock.timers.map(([, ms]) => ms)).toEqual([45]);
    clock.ms += 45;
    clock.timers[0]![0]();
    expect(clock.frames).toHaveLength(1);
  });

  it('asks at once for what comes after the rest', async () => {
    const { clock, paced, draw } = setUp();
    await draw(20);
    clock.ms += 60;
    paced.schedule(() => {});
    expect(clock.timers).toEqual([]);
    expect(clock.frames).toHaveLength(1);
  });

  it('never lets a text stand still for more than a fifth of a second', async () => {
    const { clock, paced, draw } = setUp();
    await draw(900);
    paced.schedule(() => {});
    expect(clock.timers.map(([, ms]) => ms)).toEqual([200]);
  });

  it('waits for no frame where the tab was hidden while it rested', async () => {
    const { clock, paced, draw } = setUp();
    await draw(20);
    paced.schedule(() => {});
    clock.ms += 60;
    clock.isHidden = true;
    clock.timers[0]![0]();
    expect(clock.frames).toEqual([]);
    expect(clock.timers.map(([, ms]) => ms)).toEqual([60, 1000]);
  });

  it('goes on once a second in a hidden tab', () => {
    const { clock, paced } = setUp();
    let runs = 0;
    clock.isHidden = true;
    paced.schedule(() => (runs += 1));
    expect(clock.timers.map(([, ms]) => ms)).toEqual([1000]);
    clock.timers[0]![0]();
    expect(runs).toBe(1);
  });
});
