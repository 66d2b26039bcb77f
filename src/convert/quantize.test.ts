import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dequantize } from './checkpoint/dequantize.ts';
import { fromFloat16, toFloat16 } from './float16.ts';
import {
  BLOCK_SIZE,
  type Blocks,
  type Blocks4,
  quantizeBlocks4,
  quantizeBlocks8,
  quantizeRows8,
  repackQ4Blocks,
  repackQ8Blocks,
  type ScaleType,
} from './quantize.ts';
import { normalValues } from './small-llama.fixture.ts';

/** Two to a byte, low one first. */
function nibblesOf(bytes: Uint8Array): number[] {
  return Array.from(bytes).flatMap((byte) => [byte & 15, byte >> 4]);
}

/** The zero point of each block: rows begin with a byte of their own. */
function zerosOf4({ zeroPoints }: Blocks4, width: number): number[] {
  const perRow = Math.ceil(width / BLOCK_SIZE);
  const bytesPerRow = Math.ceil(perRow / 2);
  return Array.from({ length: zeroPoints.length / bytesPerRow }, (_, row) =>
    nibblesOf(zeroPoints.subarray(row * bytesPerRow, (row + 1) * bytesPerRow)).slice(0, perRow),
  ).flat();
}

/** What the scale is multiplied by. */
function integersOf4(blocks: Blocks4, width: number): number[] {
  const zeros = zerosOf4(blocks, width);
  return nibblesOf(blocks.data).map((nibble, i) => nibble - zeros[Math.floor(i / BLOCK_SIZE)]!);
}

function integersOf8({ data }: Blocks): number[] {
  return Array.from(data, (byte) => byte - 128);
}

function valuesOf(integers: readonly number[], { scales }: Blocks): number[] {
  return integers.map((integer, i) => integer * scales[Math.floor(i / BLOCK_SIZE)]!);
}

/** Each element's squared error counts as much as its magnitude. */
function weightedError(expected: ArrayLike<number>, actual: readonly number[]): number {
  return actual.reduce((sum, value, i) => sum + Math.abs(expected[i]!) * (value - expected[i]!) ** 2, 0);
}

/** GGUF's Q4_0: the element of the largest magnitude becomes -8. */
function roundByQ4(block: Float32Array): number[] {
  const extreme = block.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
  const scale = Math.fround(extreme / -8);
  return Array.from(block, (value) => (scale === 0 ? 0 : scale * Math.min(7, Math.floor(value / scale + 0.5))));
}

/** The range of the block, 0 included, in 15 equal steps. */
function roundByRange(block: Float32Array): number[] {
  const least = Math.min(0, ...block);
  const scale = (Math.max(0, ...block) - least) / 15;
  const zero = scale === 0 ? 0 : Math.round(-least / scale);
  const nibble = (value: number) => Math.max(0, Math.min(15, Math.floor(value / scale + zero + 0.5)));
  return Array.from(block, (value) => (scale === 0 ? 0 : scale * (nibble(value) - zero)));
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

/** That no neighbouring integer from `low` to `high` of its block would be nearer to a value, by more than float32's error. */
function expectNearest(
  rows: Float32Array,
  integers: readonly number[],
  scales: Float32Array,
  range: (block: number) => readonly [low: number, high: number],
) {
  expect(integers).toHaveLength(rows.length);
  integers.forEach((integer, i) => {
    const block = Math.floor(i / (rows.length / scales.length));
    const [low, high] = range(block);
    const distance = (candidate: number) => Math.abs(candidate * scales[block]! - rows[i]!);
    const slack = 1e-6 * Math.abs(rows[i]!);
    if (integer < low || integer > high) throw new Error(`${integer} is not in ${low} to ${high}`);
    for (const other of [integer - 1, integer + 1]) {
      if (other >= low && other <= high && distance(integer) > distance(other) + slack) {
        throw new Error(`${rows[i]} became ${integer} x ${scales[block]}; ${other} is nearer`);
      }
    }
  });
}

const QUANTIZERS = [
  {
    name: 'quantizeBlocks4',
    quantize: (rows: Float32Array, width: number, type: ScaleType) => {
      const blocks = quantizeBlocks4(rows, width, type);
      const zeros = zerosOf4(blocks, width);
      const range = (block: number) => [-zeros[block]!, 15 - zeros[block]!] as const;
      return { ...blocks, integers: integersOf4(blocks, width), range };
    },
  },
  {
    name: 'quantizeBlocks8',
    quantize: (rows: Float32Array, width: number, type: ScaleType) => {
      const blocks = quantizeBlocks8(rows, width, type);
      return { ...blocks, integers: integersOf8(blocks), range: () => [-128, 127] as const };
    },
  },
];

describe.each(QUANTIZERS)('$name', ({ quantize }) => {
  it.each<ScaleType>(['float32', 'float16'])('takes the nearest integer for every element, with %s scales', (type) => {
    const limit = type === 'float16' ? 1e4 : Infinity;
    fc.assert(
      fc.property(matrix, ({ width, rows }) => {
        const within = rows.map((value) => Math.max(-limit, Math.min(limit, value)));
        const { integers, scales, range } = quantize(within, width, type);
        expectNearest(padded(within, width), integers, scales, range);
      }),
    );
  });

  it('keeps scales that are float16 already, where they are stored as such', () => {
    const { scales } = quantize(normalValues(4096, 1), 64, 'float16');
    expect(Array.from(toFloat16(scales), fromFloat16)).toEqual(Array.from(scales));
  });

  it('quantizes each row for itself', () => {
    fc.assert(
      fc.property(matrix, ({ width, rows }) => {
        const whole = quantize(rows, width, 'float32');
        const parts = Array.from({ length: rows.length / width }, (_, row) =>
          quantize(rows.subarray(row * width, (row + 1) * width), width, 'float32'),
        );
        expect(Array.from(whole.data)).toEqual(parts.flatMap(({ data }) => Array.from(data)));
        expect(Array.from(whole.scales)).toEqual(parts.flatMap(({ scales }) => Array.from(scales)));
        expect(whole.integers).toEqual(parts.flatMap(({ integers }) => integers));
      }),
    );
  });

  it('turns zeros into zeros', () => {
    const { integers, scales } = quantize(new Float32Array(64), 64, 'float32');
    expect(integers).toEqual(new Array(64).fill(0));
    expect(scales).toEqual(new Float32Array(2));
  });

  it('turns elements too small for a float16 scale into zeros', () => {
    const blocks = quantize(
      normalValues(64, 1).map((value) => value * 1e-9),
      64,
      'float16',
    );
    expect(valuesOf(blocks.integers, blocks).map(Math.abs)).toEqual(new Array(64).fill(0));
  });
});

describe('quantizeBlocks4', () => {
  const error = (values: Float32Array) => {
    const blocks = quantizeBlocks4(values, values.length, 'float32');
    return weightedError(values, valuesOf(integersOf4(blocks, values.length), blocks));
  };

  it('is never further from a block than 15 equal steps over its range', () => {
    const block = fc.array(element, { minLength: BLOCK_SIZE, maxLength: BLOCK_SIZE });
    fc.assert(
      fc.property(block, (list) => {
        const values = Float32Array.from(list);
        // A float32 scale is off by 6e-8 of the values where the range's own is exact.
        const slack = 1e-13 * weightedError(values, new Array<number>(BLOCK_SIZE).fill(0));
        expect(error(values)).toBeLessThanOrEqual(weightedError(values, roundByRange(values)) * (1 + 1e-5) + slack);
      }),
    );
  });

  it('takes 15 % off the weighted error of GGUF’s Q4_0 on normal values', () => {
    const values = normalValues(1 << 15, 1);
    const byRule = Array.from({ length: values.length / BLOCK_SIZE }, (_, block) =>
      roundByQ4(values.subarray(block * BLOCK_SIZE, (block + 1) * BLOCK_SIZE)),
    ).flat();
    expect(error(values) / weightedError(values, byRule)).toBeLessThan(0.85);
  });

  it('meets blocks that lie on a grid of 16 with a zero exactly', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 15 }), fc.integer({ min: 1, max: 1000 }), (zero, step) => {
        const values = Float32Array.from({ length: BLOCK_SIZE }, (_, i) => (((i * 7) % 16) - zero) * (step / 64));
        expect(error(values)).toBe(0);
      }),
    );
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
        if (rows.length > 0) expectNearest(rows, Array.from(data), scales, () => [-127, 127]);
        scales.forEach((scale, row) => {
          const magnitudes = Array.from(rows.subarray(row * width, (row + 1) * width), Math.abs);
          expect(scale).toBe(Math.fround(Math.max(...magnitudes) / 127));
        });
      }),
    );
  });
});

describe.each([
  {
    name: 'repackQ4Blocks',
    storedType: 'Q4_0',
    blockBytes: 18,
    repack: (raw: Uint8Array, width: number) => {
      const blocks = repackQ4Blocks(raw, width);
      return valuesOf(integersOf4(blocks, width), blocks);
    },
  },
  {
    name: 'repackQ8Blocks',
    storedType: 'Q8_0',
    blockBytes: 34,
    repack: (raw: Uint8Array) => valuesOf(integersOf8(repackQ8Blocks(raw)), repackQ8Blocks(raw)),
  },
] as const)('$name', ({ storedType, blockBytes, repack }) => {
  it(`means the values of ${storedType}, to the bit`, () => {
    const integers = { minLength: blockBytes - 2, maxLength: blockBytes - 2 };
    const block = fc.tuple(fc.integer({ min: 0, max: 0x7bff }), fc.uint8Array(integers));
    const rowsOf = (perRow: number) =>
      fc.array(fc.array(block, { minLength: perRow, maxLength: perRow }), { maxLength: 3 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }).chain(rowsOf), (rows) => {
        const width = (rows[0]?.length ?? 1) * BLOCK_SIZE;
        const raw = Uint8Array.from(rows.flat().flatMap(([scale, bytes]) => [scale & 255, scale >> 8, ...bytes]));
        const expected = Array.from(dequantize(storedType, raw, rows.length * width));
        // 0 and -0 are one value here.
        expect(repack(raw, width).map((value) => value + 0)).toEqual(expected.map((value) => value + 0));
      }),
    );
  });
});
