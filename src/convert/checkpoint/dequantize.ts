import type { StoredType } from './checkpoint.ts';

/**
 * How many elements and bytes a block takes; a row is whole blocks. All numbers are little-endian.
 *
 * @see ggml ggml-common.h, block_q4_0 and the structures after it
 */
export const BLOCK_FORMATS: Readonly<Record<StoredType, { elements: number; bytes: number }>> = {
  F32: { elements: 1, bytes: 4 },
  F16: { elements: 1, bytes: 2 },
  BF16: { elements: 1, bytes: 2 },
  Q4_0: { elements: 32, bytes: 18 },
  Q4_1: { elements: 32, bytes: 20 },
  Q5_0: { elements: 32, bytes: 22 },
  Q5_1: { elements: 32, bytes: 24 },
  Q8_0: { elements: 32, bytes: 34 },
  Q4_K: { elements: 256, bytes: 144 },
  Q5_K: { elements: 256, bytes: 176 },
  Q6_K: { elements: 256, bytes: 210 },
};

/**
 * Stored elements as float32, exact to the last bit: every product and sum below is exact in a double (a float16 scale
 * has 11 significant bits, a K-quant's second scale 8 at most, a quant 8 at most), so each element is rounded once, when
 * it is stored, as in ggml.
 *
 * @param bytes  whole blocks; the result may share their memory
 * @returns float32 [count]
 */
export function dequantize(storedType: StoredType, bytes: Uint8Array, count: number): Float32Array {
  const { elements, bytes: blockBytes } = BLOCK_FORMATS[storedType];
  if (bytes.length !== (count / elements) * blockBytes) {
    throw new Error(`${count} elements of ${storedType} are not ${bytes.length} bytes; this is a bug.`);
  }
  switch (storedType) {
    case 'F32':
      return bytes.byteOffset % 4 === 0
        ? new Float32Array(bytes.buffer, bytes.byteOffset, count)
        : new Float32Array(bytes.slice().buffer);
    case 'F16':
      return dequantizeF16(asUint16(bytes));
    case 'BF16':
      return dequantizeBf16(asUint16(bytes));
    case 'Q4_0':
      return dequantizeQ4(bytes, count, false);
    case 'Q4_1':
      return dequantizeQ4(bytes, count, true);
    case 'Q5_0':
      return dequantizeQ5(bytes, count, false);
    case 'Q5_1':
      return dequantizeQ5(bytes, count, true);
    case 'Q8_0':
      return dequantizeQ8(bytes, count);
    case 'Q4_K':
      return dequantizeQ4K(bytes, count);
    case 'Q5_K':
      return dequantizeQ5K(bytes, count);
    case 'Q6_K':
      return dequantizeQ6K(bytes, count);
    default:
      storedType satisfies never;
      throw new Error('Unreachable; this is a bug.');
  }
}

function asUint16(bytes: Uint8Array): Uint16Array {
  return bytes.byteOffset % 2 === 0
    ? new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)
    : new Uint16Array(bytes.slice().buffer);
}

function dequantizeBf16(stored: Uint16Array): Float32Array {
  const result = new Float32Array(stored.length);
  const bits = new Uint32Array(result.buffer);
  for (let i = 0; i < bits.length; i++) bits[i] = stored[i]! << 16;
  return result;
}

function dequantizeF16(stored: Uint16Array): Float32Array {
  const table = float16Table();
  const result = new Float32Array(stored.length);
  for (let i = 0; i < result.length; i++) result[i] = table[stored[i]!]!;
  return result;
}

let cachedFloat16Table: Float32Array | undefined;

/** The value of every float16 by its bits: 256 KiB, and twice as fast as taking each apart. */
export function float16Table(): Float32Array {
  if (cachedFloat16Table !== undefined) return cachedFloat16Table;
  const table = new Float32Array(1 << 16);
  for (let bits = 0; bits < table.length; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 31) table[bits] = fraction === 0 ? sign * Infinity : NaN;
    else if (exponent === 0) table[bits] = sign * fraction * 2 ** -24;
    else table[bits] = sign * (1024 + fraction) * 2 ** (exponent - 25);
  }
  return (cachedFloat16Table = table);
}

function float16At(table: Float32Array, bytes: Uint8Array, at: number): number {
  return table[bytes[at]! | (bytes[at + 1]! << 8)]!;
}

/** Q4_0: scale, 16 bytes of nibbles, value = scale * (q - 8). Q4_1: scale, minimum, nibbles, scale * q + minimum. */
function dequantizeQ4(bytes: Uint8Array, count: number, hasMinimum: boolean): Float32Array {
  const table = float16Table();
  const result = new Float32Array(count);
  const header = hasMinimum ? 4 : 2;
  for (let out = 0, at = 0; out < count; out += 32, at += header + 16) {
    const scale = float16At(table, bytes, at);
    // Adding -0 changes nothing; adding 0 would make 0 of a product that is -0.
    const minimum = hasMinimum ? float16At(table, bytes, at + 2) : -0;
    const zero = hasMinimum ? 0 : 8;
    for (let j = 0; j < 16; j++) {
      const pair = bytes[at + header + j]!;
      result[out + j] = scale * ((pair & 15) - zero) + minimum;
      result[out + 16 + j] = scale * ((pair >> 4) - zero) + minimum;
    }
  }
  return result;
}

/** As Q4 with zero point 16 and a fifth bit per element: 32 bits between the header and the nibbles. */
function dequantizeQ5(bytes: Uint8Array, count: number, hasMinimum: boolean): Float32Array {
  const table = float16Table();
  const result = new Float32Array(count);
  const header = hasMinimum ? 4 : 2;
  for (let out = 0, at = 0; out < count; out += 32, at += header + 20) {
    const scale = float16At(table, bytes, at);
    // Adding -0 changes nothing; adding 0 would make 0 of a product that is -0.
    const minimum = hasMinimum ? float16At(table, bytes, at + 2) : -0;
    const zero = hasMinimum ? 0 : 16;
    const bits = at + header;
    const low = bytes[bits]! | (bytes[bits + 1]! << 8);
    const high = bytes[bits + 2]! | (bytes[bits + 3]! << 8);
    for (let j = 0; j < 16; j++) {
      const pair = bytes[bits + 4 + j]!;
      result[out + j] = scale * (((pair & 15) | (((low >> j) & 1) << 4)) - zero) + minimum;
      result[out + 16 + j] = scale * (((pair >> 4) | (((high >> j) & 1) << 4)) - zero) + minimum;
    }
  }
  return result;
}

/** Scale, 32 signed bytes. */
function dequantizeQ8(bytes: Uint8Array, count: number): Float32Array {
  const table = float16Table();
  const result = new Float32Array(count);
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let out = 0, at = 0; out < count; out += 32, at += 34) {
    const scale = float16At(table, bytes, at);
    for (let j = 0; j < 32; j++) result[out + j] = scale * signed[at + 2 + j]!;
  }
  return result;
}

/**
 * The 6-bit scale of sub-block `i` (0 to 7) in the 12 bytes from `at`. The first four scales and minima take the low six
 * bits of a byte each; the other four are spread over the last four bytes and the top bits of the first eight.
 */
function subScale(bytes: Uint8Array, at: number, i: number): number {
  return i < 4 ? bytes[at + i]! & 63 : (bytes[at + i + 4]! & 15) | ((bytes[at + i - 4]! >> 6) << 4);
}

/** The 6-bit minimum that goes with {@link subScale}. */
function subMinimum(bytes: Uint8Array, at: number, i: number): number {
  return i < 4 ? bytes[at + i + 4]! & 63 : (bytes[at + i + 4]! >> 4) | ((bytes[at + i]! >> 6) << 4);
}

/**
 * Scale of the scales, scale of the minima, 12 bytes of both, 128 bytes of nibbles: each run of 32 bytes holds
 * one sub-block in its low nibbles and the next in its high ones.
 */
function dequantizeQ4K(bytes: Uint8Array, count: number): Float32Array {
  const table = float16Table();
  const result = new Float32Array(count);
  for (let out = 0, at = 0; out < count; at += 144) {
    const scale = float16At(table, bytes, at);
    const minimum = float16At(table, bytes, at + 2);
    for (let i = 0; i < 8; i += 2, out += 64) {
      const lowScale = scale * subScale(bytes, at + 4, i);
      const lowMinimum = minimum * subMinimum(bytes, at + 4, i);
      const highScale = scale * subScale(bytes, at + 4, i + 1);
      const highMinimum = minimum * subMinimum(bytes, at + 4, i + 1);
      const quants = at + 16 + i * 16;
      for (let j = 0; j < 32; j++) {
        const pair = bytes[quants + j]!;
        result[out + j] = lowScale * (pair & 15) - lowMinimum;
        result[out + 32 + j] = highScale * (pair >> 4) - highMinimum;
      }
    }
  }
  return result;
}

/** As Q4_K, with 32 bytes of fifth bits before the nibbles: bit `i` of byte `j` is for element `j` of sub-block `i`. */
function dequantizeQ5K(bytes: Uint8Array, count: number): Float32Array {
  const table = float16Table();
  const result = new Float32Array(count);
  for (let out = 0, at = 0; out < count; at += 176) {
    const scale = float16At(table, bytes, at);
    const minimum = float16At(table, bytes, at + 2);
    const highBits = at + 16;
    for (let i = 0; i < 8; i += 2, out += 64) {
      const lowScale = scale * subScale(bytes, at + 4, i);
      const lowMinimum = minimum * subMinimum(bytes, at + 4, i);
      const highScale = scale * subScale(bytes, at + 4, i + 1);
      const highMinimum = minimum * subMinimum(bytes, at + 4, i + 1);
      const quants = at + 48 + i * 16;
      for (let j = 0; j < 32; j++) {
        const pair = bytes[quants + j]!;
        const fifth = bytes[highBits + j]! >> i;
        result[out + j] = lowScale * ((pair & 15) | ((fifth & 1) << 4)) - lowMinimum;
        result[out + 32 + j] = highScale * ((pair >> 4) | ((fifth & 2) << 3)) - highMinimum;
      }
    }
  }
  return result;
}

/**
 * 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 signed scales for 16 elements each, their scale.
 * Each half of a block is 128 elements: 64 bytes of nibbles, 32 bytes of pairs.
 */
function dequantizeQ6K(bytes: Uint8Array, count: number): Float32Array {
  const table = float16Table();
  const result = new Float32Array(count);
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let out = 0, at = 0; out < count; at += 210) {
    const scale = float16At(table, bytes, at + 208);
    for (let half = 0; half < 2; half++, out += 128) {
      const low = at + half * 64;
      const high = at + 128 + half * 32;
      const scales = at + 192 + half * 8;
      for (let run = 0; run < 2; run++) {
        const scale0 = scale * signed[scales + run]!;
        const scale1 = scale * signed[scales + run + 2]!;
        const scale2 = scale * signed[scales + run + 4]!;
        const scale3 = scale * signed[scales + run + 6]!;
        for (let j = run * 16; j < run * 16 + 16; j++) {
          const first = bytes[low + j]!;
          const second = bytes[low + 32 + j]!;
          const pairs = bytes[high + j]!;
          result[out + j] = scale0 * (((first & 15) | ((pairs & 3) << 4)) - 32);
          result[out + 32 + j] = scale1 * (((second & 15) | ((pairs & 12) << 2)) - 32);
          result[out + 64 + j] = scale2 * (((first >> 4) | (pairs & 48)) - 32);
          result[out + 96 + j] = scale3 * (((second >> 4) | ((pairs & 192) >> 2)) - 32);
        }
      }
    }
  }
  return result;
}
