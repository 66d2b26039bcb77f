import { fromFloat16, toFloat16 } from './float16.ts';

/** Elements that share a scale in the block formats. */
export const BLOCK_SIZE = 32;

/** What scales are stored as, which decides what a quantized value is divided by. */
export type ScaleType = 'float32' | 'float16';

export interface Blocks {
  /** uint8 [rows, blocksPerRow, bytesPerBlock] */
  data: Uint8Array;
  /** float32 [rows, blocksPerRow], already rounded to the scale type */
  scales: Float32Array;
}

export interface Blocks4 extends Blocks {
  /** uint8 [rows, ceil(blocksPerRow / 2)]: the nibble that means 0 in each block, two blocks to a byte, low one first */
  zeroPoints: Uint8Array;
}

/**
 * 4-bit blocks as onnxruntime's MatMulNBits reads them: value = (nibble - zero point) * scale, low nibble first. Scales
 * and zero points are chosen for a small error, see {@link chooseSteps4}. A last block that is not full is filled with
 * zeros.
 *
 * @param rows  float32 [rowCount, columns]
 */
export function quantizeBlocks4(rows: Float32Array, columns: number, scaleType: ScaleType): Blocks4 {
  const padded = padRows(rows, columns);
  const { scales, zeros } = chooseSteps4(padded);
  roundScales(scales, scaleType);
  const data = new Uint8Array(padded.length / 2);
  for (let block = 0, out = 0; block < scales.length; block++) {
    const inverse = inverseOf(scales[block] as number);
    // Cutting rounds to the nearest where a half was added.
    const shift = (zeros[block] as number) + 0.5;
    const end = (block + 1) * BLOCK_SIZE;
    for (let i = block * BLOCK_SIZE; i < end; i += 2) {
      let low = ((padded[i] as number) * inverse + shift) | 0;
      let high = ((padded[i + 1] as number) * inverse + shift) | 0;
      if (((low | high) & ~15) !== 0) {
        low = clamp(low, 0, 15);
        high = clamp(high, 0, 15);
      }
      data[out++] = low | (high << 4);
    }
  }
  return { data, scales, zeroPoints: packNibbles(zeros, Math.ceil(columns / BLOCK_SIZE)) };
}

/**
 * How many steps a block's range from its least to its most element (0 included) is cut into. 15 meets values that lie on
 * a grid of 16 already; a little more cuts the outermost elements and makes the steps of all others finer.
 */
const STEPS_OF_4 = [15, 15.8] as const;

/**
 * Scale and zero point of each 4-bit block. The elements are rounded once for each of two step counts, then the scale is
 * the least squares one for what they became, and the better of the two is kept. An element's error counts as much as
 * its magnitude: large weights often meet large activations, and plain least squares, which cuts them, took a smaller
 * squared error to a larger divergence (docs/decisions/2026-11-25-four-bit-scales.md).
 */
function chooseSteps4(rows: Float32Array): { scales: Float32Array; zeros: Uint8Array } {
  const bits = bitsOf(rows);
  const scales = new Float32Array(rows.length / BLOCK_SIZE);
  const zeros = new Uint8Array(scales.length).fill(8);
  const [firstSteps, secondSteps] = STEPS_OF_4;
  for (let block = 0; block < scales.length; block++) {
    const start = block * BLOCK_SIZE;
    const end = start + BLOCK_SIZE;
    // Both as magnitudes, in bits, which are ordered as floats are; branches would be mispredicted too often.
    let mostBits = 0;
    let leastBits = 0;
    for (let i = start; i < end; i++) {
      const element = bits[i] as number;
      const magnitude = element & 0x7fffffff;
      const isNegative = element >> 31;
      const above = (magnitude & ~isNegative) - mostBits;
      const below = (magnitude & isNegative) - leastBits;
      mostBits += above & ~(above >> 31);
      leastBits += below & ~(below >> 31);
    }
    const least = -floatOf(leastBits);
    const range = floatOf(mostBits) - least;
    if (range === 0) continue;
    const firstInverse = firstSteps / range;
    const secondInverse = secondSteps / range;
    // The nibble of 0 if the range lay in the middle of the 15 steps.
    const firstZero = clamp(Math.round(-least * firstInverse + (15 - firstSteps) / 2), 0, 15);
    const secondZero = clamp(Math.round(-least * secondInverse + (15 - secondSteps) / 2), 0, 15);
    const firstShift = firstZero + 0.5;
    const secondShift = secondZero + 0.5;
    // Of each step count: the weighted sums of value * q and of q * q.
    let firstProduct = 0;
    let firstSquares = 0;
    let secondProduct = 0;
    let secondSquares = 0;
    for (let i = start; i < end; i++) {
      const value = rows[i] as number;
      const weight = Math.abs(value);
      // Neither falls below 0: the least element comes to within half a step of it.
      let first = (value * firstInverse + firstShift) | 0;
      let second = (value * secondInverse + secondShift) | 0;
      if (first > 15) first = 15;
      if (second > 15) second = 15;
      first -= firstZero;
      second -= secondZero;
      firstProduct += weight * value * first;
      firstSquares += weight * first * first;
      secondProduct += weight * value * second;
      secondSquares += weight * second * second;
    }
    // The weighted squared error is sum(weight * value^2) - product^2 / squares.
    if (firstProduct * firstProduct * secondSquares >= secondProduct * secondProduct * firstSquares) {
      scales[block] = firstProduct / firstSquares;
      zeros[block] = firstZero;
    } else {
      scales[block] = secondProduct / secondSquares;
      zeros[block] = secondZero;
    }
  }
  return { scales, zeros };
}

/** Two to a byte, low one first; each row begins with a byte of its own. */
function packNibbles(nibbles: Uint8Array, perRow: number): Uint8Array {
  const bytesPerRow = Math.ceil(perRow / 2);
  const packed = new Uint8Array((nibbles.length / perRow) * bytesPerRow);
  for (let i = 0; i < nibbles.length; i++) {
    const column = i % perRow;
    const at = ((i - column) / perRow) * bytesPerRow + (column >> 1);
    packed[at] = (packed[at] as number) | ((nibbles[i] as number) << (4 * (column & 1)));
  }
  return packed;
}

/**
 * 8-bit blocks: value = (byte - 128) * scale, scale = largest magnitude / 127.
 *
 * @param rows  float32 [rowCount, columns]
 */
export function quantizeBlocks8(rows: Float32Array, columns: number, scaleType: ScaleType): Blocks {
  const padded = padRows(rows, columns);
  const bits = bitsOf(padded);
  const scales = new Float32Array(padded.length / BLOCK_SIZE);
  for (let block = 0; block < scales.length; block++) {
    scales[block] = magnitudeOf(bits, block * BLOCK_SIZE, (block + 1) * BLOCK_SIZE) / 127;
  }
  roundScales(scales, scaleType);
  const data = new Uint8Array(padded.length);
  for (let block = 0; block < scales.length; block++) {
    const inverse = inverseOf(scales[block] as number);
    const end = (block + 1) * BLOCK_SIZE;
    for (let i = block * BLOCK_SIZE; i < end; i++) {
      data[i] = clamp(((padded[i] as number) * inverse + 128.5) | 0, 0, 255);
    }
  }
  return { data, scales };
}

/**
 * int8 rows: value = byte * scale with one scale per row, largest magnitude / 127.
 *
 * @param rows  float32 [rowCount, columns]
 * @returns data int8 [rowCount, columns], scales float32 [rowCount]
 */
export function quantizeRows8(rows: Float32Array, columns: number): { data: Int8Array; scales: Float32Array } {
  const bits = bitsOf(rows);
  const data = new Int8Array(rows.length);
  const scales = new Float32Array(rows.length / columns);
  for (let row = 0; row < scales.length; row++) {
    const start = row * columns;
    const end = start + columns;
    scales[row] = magnitudeOf(bits, start, end) / 127;
    const inverse = inverseOf(scales[row] as number);
    for (let i = start; i < end; i++) {
      data[i] = clamp((((rows[i] as number) * inverse + 128.5) | 0) - 128, -127, 127);
    }
  }
  return { data, scales };
}

/**
 * GGUF's Q4_0 blocks in MatMulNBits' layout: the same nibbles and scales, so nothing is rounded again. Q4_0 keeps
 * elements 0..15 in the low nibbles and 16..31 in the high ones; MatMulNBits keeps neighbours together.
 *
 * @param raw  uint8 [rowCount, columns / 32, 18]: float16 scale, 16 bytes of nibbles
 */
export function repackQ4Blocks(raw: Uint8Array, columns: number): Blocks4 {
  const blockCount = raw.length / 18;
  const data = new Uint8Array(blockCount * 16);
  const scales = new Float32Array(blockCount);
  for (let block = 0; block < blockCount; block++) {
    const source = block * 18;
    scales[block] = fromFloat16((raw[source] as number) | ((raw[source + 1] as number) << 8));
    for (let half = 0; half < 2; half++) {
      for (let j = 0; j < 8; j++) {
        const first = ((raw[source + 2 + 2 * j] as number) >> (4 * half)) & 15;
        const second = ((raw[source + 3 + 2 * j] as number) >> (4 * half)) & 15;
        data[block * 16 + half * 8 + j] = first | (second << 4);
      }
    }
  }
  const blocksPerRow = columns / BLOCK_SIZE;
  return { data, scales, zeroPoints: packNibbles(new Uint8Array(blockCount).fill(8), blocksPerRow) };
}

/**
 * GGUF's Q8_0 blocks as 8-bit blocks: the same values, offset by 128.
 *
 * @param raw  uint8 [rowCount, columns / 32, 34]: float16 scale, 32 int8
 */
export function repackQ8Blocks(raw: Uint8Array): Blocks {
  const blockCount = raw.length / 34;
  const data = new Uint8Array(blockCount * BLOCK_SIZE);
  const scales = new Float32Array(blockCount);
  for (let block = 0; block < blockCount; block++) {
    const source = block * 34;
    scales[block] = fromFloat16((raw[source] as number) | ((raw[source + 1] as number) << 8));
    for (let i = 0; i < BLOCK_SIZE; i++) data[block * BLOCK_SIZE + i] = (raw[source + 2 + i] as number) ^ 0x80;
  }
  return { data, scales };
}

/** Rows whose last block is filled with zeros; the rows themselves if it is full. */
function padRows(rows: Float32Array, columns: number): Float32Array {
  if (columns % BLOCK_SIZE === 0) return rows;
  const paddedColumns = Math.ceil(columns / BLOCK_SIZE) * BLOCK_SIZE;
  const rowCount = rows.length / columns;
  const padded = new Float32Array(rowCount * paddedColumns);
  for (let row = 0; row < rowCount; row++) {
    padded.set(rows.subarray(row * columns, (row + 1) * columns), row * paddedColumns);
  }
  return padded;
}

/** What quantized values will be multiplied by, in place: they must be divided by the very same. */
function roundScales(scales: Float32Array, scaleType: ScaleType): Float32Array {
  if (scaleType === 'float16') {
    const rounded = toFloat16(scales);
    for (let block = 0; block < scales.length; block++) scales[block] = fromFloat16(rounded[block] as number);
  }
  return scales;
}

function inverseOf(scale: number): number {
  return scale === 0 ? 0 : 1 / scale;
}

function bitsOf(values: Float32Array): Int32Array {
  return new Int32Array(values.buffer, values.byteOffset, values.length);
}

const scratchBits = new Int32Array(1);
const scratchFloat = new Float32Array(scratchBits.buffer);

function floatOf(bits: number): number {
  scratchBits[0] = bits;
  return scratchFloat[0] as number;
}

/** The largest magnitude. Magnitudes are ordered as their bits are; a branch on them is mispredicted too often. */
function magnitudeOf(bits: Int32Array, start: number, end: number): number {
  let most = 0;
  for (let i = start; i < end; i++) {
    const difference = ((bits[i] as number) & 0x7fffffff) - most;
    most += difference & ~(difference >> 31);
  }
  return floatOf(most);
}

function clamp(value: number, low: number, high: number): number {
  return value < low ? low : value > high ? high : value;
}
