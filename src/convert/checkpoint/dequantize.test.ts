import { describe, expect, it } from 'vitest';
import { fromBase64, readFixture } from './checkpoint.fixture.ts';
import type { StoredType } from './checkpoint.ts';
import { BLOCK_FORMATS, dequantize, float16Table } from './dequantize.ts';

const { types } = readFixture<{ types: Record<StoredType, { blocks: string; float32: string }> }>('blocks.json');

describe('dequantize', () => {
  it.each(Object.keys(BLOCK_FORMATS) as StoredType[])(
    'gives the reference’s numbers for %s, to the last bit',
    (type) => {
      const expected = new Float32Array(fromBase64(types[type].float32).buffer);
      expect(bits(dequantize(type, fromBase64(types[type].blocks), expected.length))).toEqual(bits(expected));
    },
  );

  it.each(Object.keys(BLOCK_FORMATS) as StoredType[])('reads %s from an odd position of a larger buffer', (type) => {
    const blocks = fromBase64(types[type].blocks);
    const shifted = new Uint8Array(blocks.length + 3);
    shifted.set(blocks, 1);
    const expected = new Float32Array(fromBase64(types[type].float32).buffer);
    expect(bits(dequantize(type, shifted.subarray(1, 1 + blocks.length), expected.length))).toEqual(bits(expected));
  });

  it('knows every float16', () => {
    const table = float16Table();
    expect(table[0x0001]).toBe(2 ** -24);
    expect(table[0x03ff]).toBe(1023 * 2 ** -24);
    expect(table[0x0400]).toBe(2 ** -14);
    expect(table[0x3c01]).toBe(1 + 2 ** -10);
    expect(table[0x7bff]).toBe(65504);
    expect(table[0xfc00]).toBe(-Infinity);
    expect(table[0x8000]).toBe(-0);
    expect(table[0x7e00]).toBe(NaN);
  });

  it('keeps the bits of a bfloat16', () => {
    const stored = Uint16Array.of(0x0001, 0x8000, 0x7f80, 0x3f80, 0xff7f);
    expect(bits(dequantize('BF16', new Uint8Array(stored.buffer), 5))).toEqual([
      0x00010000, 0x80000000, 0x7f800000, 0x3f800000, 0xff7f0000,
    ]);
  });
});

function bits(values: Float32Array): number[] {
  return [...new Uint32Array(values.slice().buffer)];
}
