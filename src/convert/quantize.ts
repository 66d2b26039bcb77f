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

/**
 * 4-bit blocks as onnxruntime's MatMulNBits reads them: value = (nibble - 8) * scale, low nibble first. The scale is
 * the element of the largest magnitude, with its sign, over -8, so that this element is met exactly (GGUF's Q4_0).
 * A last block that is not full is filled with zeros.
 *
 * @param rows  float32 [rowCount, columns]
 */
export function quantizeBlocks4(rows: Float32Array, columns: number, scaleType: ScaleType): Blocks {
  const rowCount = rows.length / columns;
  const blocksPerRow = Math.ceil(columns / BLOCK_SIZE);
  const data = new Uint8Array(rowCount * blocksPerRow * 16);
  const scales = blockScales(rows, columns, -8, scaleType);
  let out = 0;
  for (let row = 0, block = 0; row < rowCount; row++) {
    const rowEnd = (row + 1) * columns;
    for (let start = row * columns; start < rowEnd; start += BLOCK_SIZE, block++) {
      const scale = scales[block] as number;
      const inverse = scale === 0 ? 0 : 1 / scale;
      const end = Math.min(start + BLOCK_SIZE, rowEnd);
      const blockOut = out;
      let i = start;
      // Adding 8.5 and cutting rounds half up; the range is clamped at 15 only, for 0 is never passed.
      for (; i + 1 < end; i += 2) {
        let low = ((rows[i] as number) * inverse + 8.5) | 0;
        let high = ((rows[i + 1] as number) * inverse + 8.5) | 0;
        if (low > 15) low = 15;
        else if (low < 0) low = 0;
        if (high > 15) high = 15;
        else if (high < 0) high = 0;
        data[out++] = low | (high << 4);
      }
      if (i < end) data[out++] = clamp(((rows[i] as number) * inverse + 8.5) | 0, 0, 15) | 0x80;
      while (out < blockOut + 16) data[out++] = 0x88;
    }
  }
  return { data, scales };
}

/**
 * 8-bit blocks: value = (byte - 128) * scale, scale = largest magnitude / 127.
 *
 * @param rows  float32 [rowCount, columns]
 */
export function quantizeBlocks8(rows: Float32Array, columns: number, scaleType: ScaleType): Blocks {
  const rowCount = rows.length / columns;
  const blocksPerRow = Math.ceil(columns / BLOCK_SIZE);
  const data = new Uint8Array(rowCount * blocksPerRow * BLOCK_SIZE).fill(128);
  const scales = blockScales(rows, columns, 127, scaleType);
  for (let row = 0, block = 0; row < rowCount; row++) {
    const rowEnd = (row + 1) * columns;
    for (let start = row * columns; start < rowEnd; start += BLOCK_SIZE, block++) {
      const scale = scales[block] as number;
      const inverse = scale === 0 ? 0 : 1 / scale;
      const end = Math.min(start + BLOCK_SIZE, rowEnd);
      for (let i = start, out = block * BLOCK_SIZE; i < end; i++, out++) {
        data[out] = clamp(Math.round((rows[i] as number) * inverse) + 128, 0, 255);
      }
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
  const data = new Int8Array(rows.length);
  const scales = new Float32Array(rows.length / columns);
  for (let row = 0; row < scales.length; row++) {
    const start = row * columns;
    const end = start + columns;
    let largest = 0;
    for (let i = start; i < end; i++) {
      const magnitude = Math.abs(rows[i] as number);
      if (magnitude > largest) largest = magnitude;
    }
    scales[row] = largest / 127;
    const inverse = largest === 0 ? 0 : 1 / (scales[row] as number);
    for (let i = start; i < end; i++) data[i] = clamp(Math.round((rows[i] as number) * inverse), -127, 127);
  }
  return { data, scales };
}

/**
 * GGUF's Q4_0 blocks in MatMulNBits' layout: the same nibbles and scales, so nothing is rounded again. Q4_0 keeps
 * elements 0..15 in the low nibbles and 16..31 in the high ones; MatMulNBits keeps neighbours together.
 *
 * @param raw  uint8 [rowCount, columns / 32, 18]: float16 scale, 16 bytes of nibbles
 */
export function repackQ4Blocks(raw: Uint8Array): Blocks {
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
  return { data, scales };
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

/** @param levels  what the element of the largest magnitude becomes: -8 keeps its sign, 127 its magnitude */
function blockScales(rows: Float32Array, columns: number, levels: -8 | 127, scaleType: ScaleType): Float32Array {
  const rowCount = rows.length / columns;
  const scales = new Float32Array(rowCount * Math.ceil(columns / BLOCK_SIZE));
  for (let row = 0, block = 0; row < rowCount; row++) {
    const rowEnd = (row + 1) * columns;
    for (let start = row * columns; start < rowEnd; start += BLOCK_SIZE, block++) {
      const end = Math.min(start + BLOCK_SIZE, rowEnd);
      let most = 0;
      let least = 0;
      for (let i = start; i < end; i++) {
        const value = rows[i] as number;
        if (value > most) most = value;
        else if (value < least) least = value;
      }
      const extreme = most >= -least ? most : least;
      scales[block] = levels === -8 ? extreme / -8 : Math.abs(extreme) / 127;
    }
  }
  if (scaleType === 'float16') {
    const rounded = toFloat16(scales);
    for (let block = 0; block < scales.length; block++) scales[block] = fromFloat16(rounded[block] as number);
  }
  return scales;
}

function clamp(value: number, low: number, high: number): number {
  return value < low ? low : value > high ? high : value;
}
