// @ts-nocheck: AssemblyScript's decorators of functions

/**
 * Lays 16 inputs of a weight out as products read them.
 *
 * @param source  int8 [16, outputs], zeros for inputs beyond the last; read up to 15 bytes beyond its end
 * @param weight  int8 [outputs / 4, inputs / 16, 4, 16]
 * @param inputs  a multiple of 16
 * @param first   of the 16
 */
export function packColumns(source: usize, outputs: i32, weight: usize, inputs: i32, first: i32): void {
  for (let output = 0; output < outputs; output += 16) {
    for (let i = 0; i < 16; i++) v128.store(SQUARE + 16 * i, v128.load(source + output + i * outputs));
    transpose();
    const count = min(outputs - output, 16);
    for (let i = 0; i < count; i++) {
      v128.store(rowOf(weight, inputs, output + i) + 4 * first, v128.load(SQUARE + 16 * i));
    }
  }
}

/** Where 16 times 16 bytes are transposed, and what they become on the way: behind the model's description. */
const SQUARE: usize = 2048;
const NEXT: usize = SQUARE + 256;

/** Four times, rows of the first half and of the second are merged byte by byte: their indices turn by one bit each time. */
function transpose(): void {
  for (let time = 0; time < 4; time++) {
    const from = time % 2 == 0 ? SQUARE : NEXT;
    const to = time % 2 == 0 ? NEXT : SQUARE;
    for (let i = 0; i < 8; i++) {
      const a = v128.load(from + 16 * i);
      const b = v128.load(from + 16 * (i + 8));
      v128.store(to + 32 * i, i8x16.shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
      v128.store(to + 32 * i + 16, i8x16.shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31));
    }
  }
}

/** Lays one row of a weight out as products read it. @param source  int8 [inputs] */
export function packRow(source: usize, weight: usize, inputs: i32, output: i32): void {
  const target = rowOf(weight, inputs, output);
  for (let input = 0; input < inputs; input += 16) v128.store(target + 4 * input, v128.load(source + input));
}

/** Where a row's first 16 weights are; the next 16 are 64 bytes on. */
@inline
export function rowOf(weight: usize, inputs: i32, row: i32): usize {
  return weight + <usize>(row & ~3) * inputs + 16 * (row & 3);
}

/** Of a weight that is laid out, for relaxed SIMD: each row's sum times 127, behind it. */
export function sumRows(weight: usize, inputs: i32, outputs: i32): void {
  const target = weight + <usize>inputs * outputs;
  for (let output = 0; output < outputs; output++) {
    let at = rowOf(weight, inputs, output);
    let sum = 0;
    for (let input = 0; input < inputs; input += 16, at += 64) for (let i = 0; i < 16; i++) sum += load<i8>(at + i);
    store<i32>(target + 4 * output, 127 * sum);
  }
}
