import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ByteSource, ForwardReader } from './byte-source.ts';

const BYTES = Uint8Array.from({ length: 200 }, (_, i) => i);

/** @param pieceSizes  of its stream; without them it has ranges only */
function sourceOf(pieceSizes?: readonly number[], onEnd?: () => void): ByteSource {
  const source: ByteSource = {
    name: 'weights',
    sizeBytes: BYTES.length,
    read: async (offset, length) => BYTES.slice(offset, offset + length),
  };
  if (pieceSizes === undefined) return source;
  return {
    ...source,
    async *stream() {
      try {
        let at = 0;
        for (const size of pieceSizes) yield BYTES.slice(at, (at += size));
        yield BYTES.slice(at);
      } finally {
        onEnd?.();
      }
    },
  };
}

describe('ForwardReader', () => {
  it('gives any ranges in order, however the source is cut', async () => {
    const cuts = fc.array(fc.nat(60), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(fc.option(cuts, { nil: undefined }), cuts, async (pieceSizes, steps) => {
        const reader = new ForwardReader(sourceOf(pieceSizes));
        let at = 0;
        for (const [i, step] of steps.entries()) {
          const offset = Math.min(at + (i % 3 === 0 ? step : 0), BYTES.length);
          const length = Math.min(step, BYTES.length - offset);
          expect(await reader.read(offset, length)).toEqual(BYTES.slice(offset, offset + length));
          at = offset + length;
        }
      }),
    );
  });

  it('tells how far it has come, piece by piece', async () => {
    const told: number[] = [];
    const reader = new ForwardReader(sourceOf([50, 100]), { onProgress: (bytes) => told.push(bytes) });
    await reader.read(10, 5);
    await reader.read(60, 100);
    expect(told).toEqual([0, 50, 150, 200]);
  });

  it('says where the file ends', async () => {
    const reader = new ForwardReader(sourceOf());
    await expect(reader.read(190, 20)).rejects.toMatchObject({
      code: 'checkpoint-corrupt',
      message: 'weights ends at byte 200; byte 210 was needed.',
    });
  });

  it('lets the source look at its end when all was read', async () => {
    const source = sourceOf();
    const tooLong: ByteSource = {
      ...source,
      async *stream() {
        yield BYTES;
        throw new Error('it goes on');
      },
    };
    const reader = new ForwardReader(tooLong);
    await reader.read(150, 50);
    await expect(reader.close()).rejects.toThrow('it goes on');
  });

  it('ends the stream when it is closed, and when the signal aborts', async () => {
    let ends = 0;
    const reader = new ForwardReader(sourceOf([20], () => (ends += 1)));
    await reader.read(0, 10);
    await reader.close();
    expect(ends).toBe(1);
    const reason = new Error('enough');
    await expect(new ForwardReader(sourceOf(), { signal: AbortSignal.abort(reason) }).read(0, 1)).rejects.toBe(reason);
  });
});
