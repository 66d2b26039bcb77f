import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dequantize } from './checkpoint/dequantize.ts';
import { fromFloat16, toFloat16 } from './float16.ts';
import {
  BLOCK_SIZE,
  type Blocks,
  quantizeBlocks4,
  quantizeBlocks8,
  quantizeRows8,
  repackQ4Blocks,
  repackQ8Blocks,
  type ScaleType,
} from './quantize.ts';
import { normalValues } from './small-llama.fixture.ts';

/** Nibbles, low one first, less the zero point. */
function integersOf4({ data }: Blocks): number[] {
  return Array.from(data).flatMap((byte) => [(byte & 15) - 8, (byte >> 4) - 8]);
}

function integersOf8({ data }: Blocks): number[] {
  return Array.from(data, (byte) => byte - 128);
}

function valuesOf(integers: readonly number[], { scales }: Blocks): number[] {
  return integers.map((integer, i) => integer * scales[Math.floor(i / BLOCK_SIZE)]!);
}

function squaredError(expected: ArrayLike<number>, actual: readonly number[]): number {
  return actual.reduce((sum, value, i) => sum + (value - expected[i]!) ** 2, 0);
}

/** GGUF's Q4_0: the element of the largest magnitude becomes -8. */
function ruleOfQ4(block: Float32Array): number[] {
  const extreme = block.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
  const scale = Math.fround(extreme / -8);
  return Array.from(block, (value) => (scale === 0 ? 0 : scale * Math.min(7, Math.floor(value / scale + 0.5))));
}

/** Weights of any size that a scale can be made of; 1e-30 and 1e30 both occur in a block. */
const element = fc.float({ min: Math.fround(-1e30), max: Math.fround(1e30), noNaN: true });
const columns = fc.integer({ min: 1, max: 100 });
/** Rows of one width, in three kinds: anything, one size, and mostly zeros. */
const matrix = fc.tuple(columns, fc.integer({ min: 0, max: 4 })).chain(([width, rowCount]) => {
  const count = { minLength: width * rowCount, maxLength: width * rowCount };
  const values = fc.oneof(
    fc.array(element, count),
    fc.array(fc.float({ min: -1, max: 1, noNaN: true }), count),
    fc.array(fc.oneof(fc.constant(0), fc.float({ min: -4, max: 4, noNaN: true })), count),
  );
  return fc.record({ width: fc.constant(width), rows: values.map((list) => Float32Array.from(list)) });
});

/** Each row's last block filled with zeros. */
function padded(rows: Float32Array, width: number): Float32Array {
  const paddedWidth = Math.ceil(width / BLOCK_SIZE) * BLOCK_SIZE;
  const result = new Float32Array((rows.length / width) * paddedWidth);
  rows.forEach((value, i) => (result[Math.floor(i / width) * paddedWidth + (i % width)] = value));
  return result;
}

/** That no neighbouring integer would be nearer to the value, within float32's own precision. */
function expectNearest(
  rows: Float32Array,
  integers: readonly number[],
  scales: Float32Array,
  low: number,
  high: number,
) {
  expect(integers).toHaveLength(rows.length);
  integers.forEach((integer, i) => {
    const scale = scales[Math.floor(i / (rows.length / scales.length))]!;
    const distance = (candidate: number) => Math.abs(candidate * scale - rows[i]!);
    const slack = 1e-6 * Math.abs(rows[i]!);
    if (integer < low || integer > high) throw new Error(`${integer} is not in ${low} to ${high}`);
    for (const other of [integer - 1, integer + 1]) {
      if (other < low || other > high) continue;
      if (distance(integer) > distance(other) + slack) {
        throw new Error(`${rows[i]} became ${integer} x ${scale}; ${other} is nearer`);
      }
    }
  });
}

describe.each([
  ['quantizeBlocks4', quantizeBlocks4, integersOf4, -8, 7],
  ['quantizeBlocks8', quantizeBlocks8, integersOf8, -128, 127],
] as const)('%s', (_, quantize, integersOf, low, high) => {
  it.each<ScaleType>(['float32', 'float16'])('takes the nearest integer for every element, with %s scales', (type) => {
    const limit = type === 'float16' ? 1e4 : Infinity;
    fc.assert(
      fc.property(matrix, ({ width, rows }) => {
        const within = rows.map((value) => Math.max(-limit, Math.min(limit, value)));
        const blocks = quantize(within, width, type);
        expectNearest(padded(within, width), integersOf(blocks), blocks.scales, low, high);
      }),
    );
  });

  it('keeps scales that are float16 already, where they are stored as such', () => {
    const { scales } = quantize(normalValues(4096, 1), 64, 'float16');
    expect(Array.from(toFloat16(scales), fromFloat16)).toEqual(Array.from(scales));
  });

  it('quantizes each row and block for itself', () => {
    fc.assert(
      fc.property(matrix, ({ width, rows }) => {
        const whole = quantize(rows, width, 'float32');
        const parts = Array.from({ length: rows.length / width }, (_, row) =>
          quantize(rows.subarray(row * width, (row + 1) * width), width, 'float32'),
        );
        expect(Array.from(whole.data)).toEqual(parts.flatMap(({ data }) => Array.from(data)));
        expect(Array.from(whole.scales)).toEqual(parts.flatMap(({ scales }) => Array.from(scales)));
      }),
    );
  });

  it('turns zeros into zeros', () => {
    const blocks = quantize(new Float32Array(64), 64, 'float32');
    expect(valuesOf(integersOf(blocks), blocks)).toEqual(new Array(64).fill(0));
    expect(new Set(integersOf(blocks))).toEqual(new Set([0]));
  });

  it('turns elements too small for a float16 scale into zeros', () => {
    const blocks = quantize(
      normalValues(64, 1).map((value) => value * 1e-9),
      64,
      'float16',
    );
    expect(valuesOf(integersOf(blocks), blocks).map(Math.abs)).toEqual(new Array(64).fill(0));
  });
});

describe('quantizeBlocks4', () => {
  it('is never further from a block than GGUF’s Q4_0', () => {
    const block = fc.array(element, { minLength: BLOCK_SIZE, maxLength: BLOCK_SIZE });
    fc.assert(
      fc.property(block, (list) => {
        const values = Float32Array.from(list);
        const blocks = quantizeBlocks4(values, BLOCK_SIZE, 'float32');
        const ours = squaredError(values, valuesOf(integersOf4(blocks), blocks));
        expect(ours).toBeLessThanOrEqual(squaredError(values, ruleOfQ4(values)) * (1 + 1e-5));
      }),
    );
  });

  it('takes 8 % off the squared error of Q4_0 on normal values', () => {
    const values = normalValues(1 << 15, 1);
    const blocks = quantizeBlocks4(values, values.length, 'float32');
    const ofRule = Array.from({ length: values.length / BLOCK_SIZE }, (_, block) =>
      ruleOfQ4(values.subarray(block * BLOCK_SIZE, (block + 1) * BLOCK_SIZE)),
    ).flat();
    const fraction = squaredError(values, valuesOf(integersOf4(blocks), blocks)) / squaredError(values, ofRule);
    expect(fraction).toBeLessThan(0.92);
  });

  it('meets a block that lies on its grid exactly', () => {
    const values = Float32Array.from({ length: BLOCK_SIZE }, (_, i) => ((i % 16) - 8) * 0.375);
    const blocks = quantizeBlocks4(values, BLOCK_SIZE, 'float32');
    expect(valuesOf(integersOf4(blocks), blocks)).toEqual(Array.from(values));
  });
});

describe('quantizeBlocks8', () => {
  it('gives the element of the largest magnitude 127 of either sign', () => {
    const values = new Float32Array(2 * BLOCK_SIZE).fill(0.25);
    values[5] = 3;
    values[BLOCK_SIZE + 7] = -5;
    const blocks = quantizeBlocks8(values, BLOCK_SIZE, 'float32');
    expect(blocks.scales).toEqual(Float32Array.of(3 / 127, 5 / 127));
    expect([integersOf8(blocks)[5], integersOf8(blocks)[BLOCK_SIZE + 7]]).toEqual([127, -127]);
  });
});

describe('quantizeRows8', () => {
  it('takes the nearest integer from -127 to 127 for every element, with one scale per row', () => {
    fc.assert(
      fc.property(matrix, ({ width, rows }) => {
        const { data, scales } = quantizeRows8(rows, width);
        expect(scales).toHaveLength(rows.length / width);
        if (rows.length > 0) expectNearest(rows, Array.from(data), scales, -127, 127);
        scales.forEach((scale, row) => {
          const magnitudes = Array.from(rows.subarray(row * width, (row + 1) * width), Math.abs);
          expect(scale).toBe(Math.fround(Math.max(...magnitudes) / 127));
        });
      }),
    );
  });
});

describe.each([
  ['repackQ4Blocks', repackQ4Blocks, 'Q4_0', 18, integersOf4],
  ['repackQ8Blocks', repackQ8Blocks, 'Q8_0', 34, integersOf8],
] as const)('%s', (_, repack, storedType, bytesPerBlock, integersOf) => {
  it(`means the values of ${storedType}, to the bit`, () => {
    const block = fc.tuple(
      fc.integer({ min: 0, max: 0x7bff }),
      fc.uint8Array({ minLength: bytesPerBlock - 2, maxLength: bytesPerBlock - 2 }),
    );
    fc.assert(
      fc.property(fc.array(block, { maxLength: 4 }), (list) => {
        const raw = Uint8Array.from(list.flatMap(([scale, bytes]) => [scale & 255, scale >> 8, ...bytes]));
        const blocks = repack(raw);
        const expected = Array.from(dequantize(storedType, raw, list.length * BLOCK_SIZE));
        // 0 and -0 are one value here.
        expect(valuesOf(integersOf(blocks), blocks).map((value) => value + 0)).toEqual(
          expected.map((value) => value + 0),
        );
      }),
    );
  });
});
