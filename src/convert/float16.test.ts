import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromFloat16, toFloat16 } from './float16.ts';

const INFINITY = 0x7c00;
const upTo = (count: number) => Array.from({ length: count }, (_, bits) => bits);
const round = (value: number) => toFloat16(Float32Array.of(value))[0]!;
/** The float32 next to a positive one, away from zero (1) or towards it (-1). */
const neighbour = (value: number, step: 1 | -1) => {
  const bits = new Uint32Array(Float32Array.of(value).buffer);
  bits[0]! += step;
  return new Float32Array(bits.buffer)[0]!;
};

describe('fromFloat16', () => {
  it.each([
    [0x0000, 0],
    [0x8000, -0],
    [0x3c00, 1],
    [0xc000, -2],
    [0x3555, 0.333251953125],
    [0x7bff, 65504],
    [0x0400, 2 ** -14],
    [0x03ff, 1023 * 2 ** -24],
    [0x0001, 2 ** -24],
    [0x8001, -(2 ** -24)],
    [0x7c00, Infinity],
    [0xfc00, -Infinity],
    [0x7e00, NaN],
    [0xfc01, NaN],
  ])('reads %i as %d', (bits, value) => {
    expect(fromFloat16(bits)).toBe(value);
  });

  it('grows with the bits', () => {
    expect(upTo(INFINITY).filter((bits) => !(fromFloat16(bits + 1) > fromFloat16(bits)))).toEqual([]);
  });
});

describe('toFloat16', () => {
  it('gives back every float16', () => {
    const wrong = upTo(1 << 16).filter((bits) => {
      const isNumber = (bits & 0x7fff) <= INFINITY;
      return isNumber ? round(fromFloat16(bits)) !== bits : !Number.isNaN(fromFloat16(round(fromFloat16(bits))));
    });
    expect(wrong).toEqual([]);
  });

  it('rounds to the nearest, and to the even one from the middle, at every float16', () => {
    const wrong = upTo(INFINITY).filter((bits) => {
      // The step above the largest finite value is as wide as the one below it.
      const next = bits + 1 === INFINITY ? 65536 : fromFloat16(bits + 1);
      const middle = (fromFloat16(bits) + next) / 2;
      const even = bits % 2 === 0 ? bits : bits + 1;
      const found = [neighbour(middle, -1), middle, neighbour(middle, 1), -middle].map(round);
      return String(found) !== String([bits, even, bits + 1, even | 0x8000]);
    });
    expect(wrong).toEqual([]);
  });

  it.each([
    [1e10, 0x7c00],
    [-3.4e38, 0xfc00],
    [Infinity, 0x7c00],
    [-Infinity, 0xfc00],
    [1e-30, 0x0000],
    [-1e-40, 0x8000],
    [-0, 0x8000],
  ])('turns %d into bits %i', (value, bits) => {
    expect(round(value)).toBe(bits);
  });

  it('reads a view that does not begin its buffer', () => {
    fc.assert(
      fc.property(fc.float32Array({ minLength: 1, maxLength: 20, noNaN: true }), fc.nat(9), (values, start) => {
        const from = Math.min(start, values.length);
        expect(toFloat16(values.subarray(from))).toEqual(toFloat16(values).subarray(from));
      }),
    );
  });
});
