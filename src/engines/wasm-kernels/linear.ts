// @ts-nocheck: AssemblyScript's decorators of functions
import { MODEL } from './model';
import { exp, floatMax, splat, sumsOf } from './numbers';
import { meet, takeTicket } from './threads';

/** Columns of an output that a thread takes at a time: enough to read on in memory, few enough to share evenly. */
const TICKET_COLUMNS = 32;

/**
 * The next tickets' first: threads that share the work of a product draw tickets until one is beyond its end, so each product
 * takes as many as it has and one for each thread. Every thread counts on by itself.
 */
let firstTicket: i32 = 0;

export function resetTickets(): void {
  firstTicket = 0;
}

/**
 * Rounds rows of floats to 8 bits, each with its largest magnitude as 127, and shares the rows out among the threads.
 * Stored as products want it: int16 by default; see `dot` for relaxed SIMD. A row with a NaN is NaN in what it is multiplied to.
 *
 * @param input  float32 [rows, columns]
 */
export function quantize(input: usize, rows: i32, columns: i32, thread: i32): void {
  for (let row = thread; row < rows; row += MODEL.threads) quantizeRow(input + 4 * row * columns, row, columns);
}

@inline
export function quantizeRow(input: usize, row: i32, columns: i32): void {
  const end = input + 4 * columns;
  let largest = splat(0);
  for (let at = input; at < end; at += 16) largest = f32x4.max(largest, f32x4.abs(v128.load(at)));
  const scale: f32 = max(floatMax(largest), <f32>1e-30) / <f32>127;
  store<f32>(MODEL.quantizedScales + 4 * row, scale);
  const divisor = splat(scale);
  let target = MODEL.quantized + 2 * row * columns;
  for (let at = input; at < end; at += 64) {
    const low = i16x8.narrow_i32x4_s(rounded(at, divisor), rounded(at + 16, divisor));
    const high = i16x8.narrow_i32x4_s(rounded(at + 32, divisor), rounded(at + 48, divisor));
    if (ASC_FEATURE_RELAXED_SIMD) {
      // 127 more, which is 0 to 254, in two parts of 7 bits.
      const bytes = i8x16.add(i8x16.narrow_i16x8_s(low, high), i8x16.splat(127));
      const first = i8x16.min_u(bytes, i8x16.splat(127));
      v128.store(target, first);
      v128.store(target, i8x16.sub(bytes, first), 16);
    } else {
      v128.store(target, low);
      v128.store(target, high, 16);
    }
    target += 32;
  }
}

@inline
function rounded(address: usize, divisor: v128): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.div(v128.load(address), divisor)));
}

/**
 * What was quantized last times a weight, whose rows the threads share out among them. No result depends on which thread made it
 * or on what other rows there are: sums are of integers.
 *
 * @param weight  int8 [outputs / 4, inputs / 16, 4, 16], then, for relaxed SIMD, int32 [outputs]: each row's sum times 127
 * @param scales  float32 [outputs]
 * @param target  float32 [rows, outputs]
 * @param isAdded  to what the target holds
 */
export function linear(
  weight: usize,
  scales: usize,
  inputs: i32,
  outputs: i32,
  rows: i32,
  target: usize,
  isAdded: bool,
): void {
  for (;;) {
    const first = (takeTicket() - firstTicket) * TICKET_COLUMNS;
    if (first >= outputs) break;
    multiply(weight, scales, inputs, outputs, rows, target, isAdded, first, min(first + TICKET_COLUMNS, outputs));
  }
  endTickets(outputs);
}

/** silu(gate) x up, into `MODEL.gate`. */
export function gateAndUp(
  gate: usize,
  gateScales: usize,
  up: usize,
  upScales: usize,
  inputs: i32,
  outputs: i32,
  rows: i32,
): void {
  for (;;) {
    const first = (takeTicket() - firstTicket) * TICKET_COLUMNS;
    if (first >= outputs) break;
    const end = min(first + TICKET_COLUMNS, outputs);
    multiply(gate, gateScales, inputs, outputs, rows, MODEL.gate, false, first, end);
    multiply(up, upScales, inputs, outputs, rows, MODEL.up, false, first, end);
    for (let row = 0; row < rows; row++) {
      for (let column = first; column < end; column += 4) {
        const offset = 4 * (row * outputs + column);
        const value = v128.load(MODEL.gate + offset);
        const silu = f32x4.div(value, f32x4.add(splat(1), exp(f32x4.neg(value))));
        v128.store(MODEL.gate + offset, f32x4.mul(silu, v128.load(MODEL.up + offset)));
      }
    }
  }
  endTickets(outputs);
}

/** A little of the work of a step, to be timed: four rows of whatever was quantized last, by the embedding's first columns. */
export function probe(): void {
  const outputs = MODEL.vocabularyColumns;
  const end = min(TICKET_COLUMNS, outputs);
  multiply(MODEL.embedding, MODEL.embeddingScales, MODEL.hiddenColumns, outputs, 4, MODEL.logits, false, 0, end);
}

function endTickets(outputs: i32): void {
  firstTicket += (outputs + TICKET_COLUMNS - 1) / TICKET_COLUMNS + MODEL.threads;
  meet();
}

/** Rows outside, so that a few rows of inputs stay in the nearest cache while the columns' weights go by. */
function multiply(
  weight: usize,
  scales: usize,
  inputs: i32,
  outputs: i32,
  rows: i32,
  target: usize,
  isAdded: bool,
  first: i32,
  end: i32,
): void {
  const corrections = weight + <usize>inputs * outputs;
  for (let row = 0; row < rows; row += 4) {
    const count = min(rows - row, 4);
    for (let column = first; column < end; column += 4) {
      const block = weight + <usize>column * inputs;
      const correction = ASC_FEATURE_RELAXED_SIMD ? v128.load(corrections + 4 * column) : i32x4.splat(0);
      const scale = v128.load(scales + 4 * column);
      const at = target + 4 * (row * outputs + column);
      if (count == 1) multiplyOne(block, inputs, row, correction, scale, at, isAdded);
      else if (count == 2) multiplyTwo(block, inputs, row, correction, scale, at, 4 * outputs, isAdded);
      else multiplyFour(block, inputs, row, count, correction, scale, at, 4 * outputs, isAdded);
    }
  }
}

@inline
function multiplyOne(
  block: usize,
  inputs: i32,
  row: i32,
  correction: v128,
  scale: v128,
  target: usize,
  isAdded: bool,
): void {
  let a = i32x4.splat(0), b = a, c = a, d = a;
  let at = MODEL.quantized + 2 * row * inputs;
  const end = at + 2 * inputs;
  for (; at < end; at += 32, block += 64) {
    const low = v128.load(at), high = v128.load(at, 16);
    a = dot(a, v128.load(block), low, high);
    b = dot(b, v128.load(block, 16), low, high);
    c = dot(c, v128.load(block, 32), low, high);
    d = dot(d, v128.load(block, 48), low, high);
  }
  write(sumsOf(a, b, c, d), row, correction, scale, target, isAdded);
}

@inline
function multiplyTwo(
  block: usize,
  inputs: i32,
  row: i32,
  correction: v128,
  scale: v128,
  target: usize,
  rowBytes: i32,
  isAdded: bool,
): void {
  let a = i32x4.splat(0), b = a, c = a, d = a, e = a, f = a, g = a, h = a;
  let at = MODEL.quantized + 2 * row * inputs;
  let next = at + 2 * inputs;
  const end = next;
  for (; at < end; at += 32, next += 32, block += 64) {
    const low = v128.load(at), high = v128.load(at, 16);
    const nextLow = v128.load(next), nextHigh = v128.load(next, 16);
    let weights = v128.load(block);
    a = dot(a, weights, low, high);
    e = dot(e, weights, nextLow, nextHigh);
    weights = v128.load(block, 16);
    b = dot(b, weights, low, high);
    f = dot(f, weights, nextLow, nextHigh);
    weights = v128.load(block, 32);
    c = dot(c, weights, low, high);
    g = dot(g, weights, nextLow, nextHigh);
    weights = v128.load(block, 48);
    d = dot(d, weights, low, high);
    h = dot(h, weights, nextLow, nextHigh);
  }
  write(sumsOf(a, b, c, d), row, correction, scale, target, isAdded);
  write(sumsOf(e, f, g, h), row + 1, correction, scale, target + rowBytes, isAdded);
}

/** Three or four rows; of three, the last is computed twice. */
@inline
function multiplyFour(
  block: usize,
  inputs: i32,
  row: i32,
  count: i32,
  correction: v128,
  scale: v128,
  target: usize,
  rowBytes: i32,
  isAdded: bool,
): void {
  let a0 = i32x4.splat(0), b0 = a0, c0 = a0, d0 = a0;
  let a1 = a0, b1 = a0, c1 = a0, d1 = a0;
  let a2 = a0, b2 = a0, c2 = a0, d2 = a0;
  let a3 = a0, b3 = a0, c3 = a0, d3 = a0;
  const columnBytes = 2 * inputs;
  let at = MODEL.quantized + row * columnBytes;
  const end = at + columnBytes;
  const last = (count - 1) * columnBytes;
  for (; at < end; at += 32, block += 64) {
    const low0 = v128.load(at), high0 = v128.load(at, 16);
    const low1 = v128.load(at + columnBytes), high1 = v128.load(at + columnBytes, 16);
    const low2 = v128.load(at + 2 * columnBytes), high2 = v128.load(at + 2 * columnBytes, 16);
    const low3 = v128.load(at + last), high3 = v128.load(at + last, 16);
    let weights = v128.load(block);
    a0 = dot(a0, weights, low0, high0);
    a1 = dot(a1, weights, low1, high1);
    a2 = dot(a2, weights, low2, high2);
    a3 = dot(a3, weights, low3, high3);
    weights = v128.load(block, 16);
    b0 = dot(b0, weights, low0, high0);
    b1 = dot(b1, weights, low1, high1);
    b2 = dot(b2, weights, low2, high2);
    b3 = dot(b3, weights, low3, high3);
    weights = v128.load(block, 32);
    c0 = dot(c0, weights, low0, high0);
    c1 = dot(c1, weights, low1, high1);
    c2 = dot(c2, weights, low2, high2);
    c3 = dot(c3, weights, low3, high3);
    weights = v128.load(block, 48);
    d0 = dot(d0, weights, low0, high0);
    d1 = dot(d1, weights, low1, high1);
    d2 = dot(d2, weights, low2, high2);
    d3 = dot(d3, weights, low3, high3);
  }
  write(sumsOf(a0, b0, c0, d0), row, correction, scale, target, isAdded);
  write(sumsOf(a1, b1, c1, d1), row + 1, correction, scale, target + rowBytes, isAdded);
  write(sumsOf(a2, b2, c2, d2), row + 2, correction, scale, target + 2 * rowBytes, isAdded);
  if (count == 4) write(sumsOf(a3, b3, c3, d3), row + 3, correction, scale, target + 3 * rowBytes, isAdded);
}

/**
 * Adds the products of 16 weights and 16 inputs to four sums. With relaxed SIMD the inputs come as two parts of 7 bits that
 * together are 127 too large, which the products of a row then are by the row's sum times 127: the same sums, in two
 * instructions where the processor has them.
 */
@inline
function dot(sums: v128, weights: v128, low: v128, high: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) {
    return i32x4.relaxed_dot_i8x16_i7x16_add_s(weights, high, i32x4.relaxed_dot_i8x16_i7x16_add_s(weights, low, sums));
  }
  const first = i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(weights), low);
  return i32x4.add(sums, i32x4.add(first, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(weights), high)));
}

@inline
function write(
  sums: v128,
  row: i32,
  correction: v128,
  scale: v128,
  target: usize,
  isAdded: bool,
): void {
  const exact = ASC_FEATURE_RELAXED_SIMD ? i32x4.sub(sums, correction) : sums;
  const byRow = f32x4.mul(f32x4.convert_i32x4_s(exact), v128.load32_splat(MODEL.quantizedScales + 4 * row));
  const product = f32x4.mul(byRow, scale);
  v128.store(target, isAdded ? f32x4.add(v128.load(target), product) : product);
}
