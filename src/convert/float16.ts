/**
 * float32 to float16 bits, rounded to nearest even; too large becomes infinity. Node 20 has no Float16Array.
 *
 * @see Jeroen van der Zijp, "Fast Half Float Conversions" (the layout of the two formats)
 */
export function toFloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const result = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const x = bits[i] as number;
    const sign = (x >>> 16) & 0x8000;
    const magnitude = x & 0x7fffffff;
    if (magnitude >= 0x38800000) {
      // Normal in float16, or too large. Adding rounds; the carry moves into the exponent as it should.
      const rounded = (magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13;
      result[i] = sign | (magnitude > 0x7f800000 ? 0x7e00 : Math.min(rounded, 0x7c00));
    } else if (magnitude > 0x33000000) {
      // Subnormal in float16: the mantissa with its hidden one, shifted to units of 2^-24.
      const shift = 126 - (magnitude >>> 23);
      const mantissa = (magnitude & 0x7fffff) | 0x800000;
      const half = 1 << (shift - 1);
      const floor = mantissa >>> shift;
      const rest = mantissa & ((1 << shift) - 1);
      result[i] = sign | (floor + (rest > half || (rest === half && (floor & 1) === 1) ? 1 : 0));
    } else {
      result[i] = sign;
    }
  }
  return result;
}

const scratchBits = new Int32Array(1);
const scratchFloat = new Float32Array(scratchBits.buffer);

/** The float32 that a float16's bits mean. */
export function fromFloat16(bits: number): number {
  const exponent = (bits >>> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0) return (bits & 0x8000 ? -1 : 1) * mantissa * 2 ** -24;
  // The exponent's bias goes from 15 to 127; that of infinity and NaN is all ones in both.
  const wideExponent = exponent === 31 ? 255 : exponent + 112;
  scratchBits[0] = ((bits & 0x8000) << 16) | (wideExponent << 23) | (mantissa << 13);
  return scratchFloat[0] as number;
}
