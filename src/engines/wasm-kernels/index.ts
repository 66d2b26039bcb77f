import { attend } from './attention';
import { gateAndUp, linear, quantize, quantizeRow, resetTickets } from './linear';
import { Layer, MODEL } from './model';
import { floatSum, splat } from './numbers';
import { rowOf } from './pack';
import { beginStep, meet, waitForStep } from './threads';

export { probe } from './linear';
export { packColumns, packRow, sumRows } from './pack';

/** A step as the model describes it, with all threads. */
export function step(): void {
  MODEL.ticket = 0;
  beginStep();
  run(0);
}

/** Computes a thread's share of every step from now on. Does not return. */
export function serve(thread: i32): void {
  let number = 0;
  for (;;) {
    number = waitForStep(number);
    run(thread);
  }
}

function run(thread: i32): void {
  const hidden = MODEL.hiddenColumns;
  const attended = MODEL.headCount * MODEL.headDim;
  const qkv = attended + 2 * MODEL.kvHeadCount * MODEL.headDim;
  const intermediate = MODEL.intermediateColumns;
  const tokens = MODEL.tokens;
  // Read now: after the last meeting the first thread may describe the next step already.
  const rows = MODEL.logitRows;
  resetTickets();
  embed(thread);
  for (let i = 0; i < MODEL.layerCount; i++) {
    const layer = changetype<Layer>(MODEL.layers + offsetof<Layer>() * i);
    normalize(layer.inputNorm, 0, tokens, thread);
    linear(layer.qkv, layer.qkvScales, hidden, qkv, tokens, MODEL.qkv, false);
    attend(i, thread);
    quantize(MODEL.attended, tokens, attended, thread);
    meet();
    linear(layer.attentionOutput, layer.attentionOutputScales, attended, hidden, tokens, MODEL.residual, true);
    normalize(layer.postNorm, 0, tokens, thread);
    gateAndUp(layer.gate, layer.gateScales, layer.up, layer.upScales, hidden, intermediate, tokens);
    quantize(MODEL.gate, tokens, intermediate, thread);
    meet();
    linear(layer.down, layer.downScales, intermediate, hidden, tokens, MODEL.residual, true);
  }
  if (rows == 0) return;
  normalize(MODEL.finalNorm, tokens - rows, rows, thread);
  linear(MODEL.head, MODEL.headScales, hidden, MODEL.vocabularyColumns, rows, MODEL.logits, false);
}

/** The tokens' rows of the embedding. */
function embed(thread: i32): void {
  const columns = MODEL.hiddenColumns;
  for (let token = thread; token < MODEL.tokens; token += MODEL.threads) {
    const id = load<i32>(MODEL.tokenIds + 4 * token);
    const scale = splat(load<f32>(MODEL.embeddingScales + 4 * id));
    let source = rowOf(MODEL.embedding, columns, id);
    let target = MODEL.residual + 4 * token * columns;
    for (let column = 0; column < columns; column += 16, source += 64, target += 64) {
      const bytes = v128.load(source);
      const low = i16x8.extend_low_i8x16_s(bytes);
      const high = i16x8.extend_high_i8x16_s(bytes);
      v128.store(target, scaled(i32x4.extend_low_i16x8_s(low), scale));
      v128.store(target, scaled(i32x4.extend_high_i16x8_s(low), scale), 16);
      v128.store(target, scaled(i32x4.extend_low_i16x8_s(high), scale), 32);
      v128.store(target, scaled(i32x4.extend_high_i16x8_s(high), scale), 48);
    }
  }
  meet();
}

function scaled(values: v128, scale: v128): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(values), scale);
}

/** The root mean square norm of the residual's rows from `first` on, quantized for the products that follow. */
function normalize(norm: usize, first: i32, rows: i32, thread: i32): void {
  const columns = MODEL.hiddenColumns;
  for (let row = thread; row < rows; row += MODEL.threads) {
    const input = MODEL.residual + 4 * (first + row) * columns;
    let squares = splat(0);
    for (let at = 0; at < 4 * columns; at += 16) {
      const value = v128.load(input + at);
      squares = f32x4.add(squares, f32x4.mul(value, value));
    }
    const mean = floatSum(squares) / <f32>MODEL.hiddenSize;
    const factor = splat(<f32>1 / sqrt<f32>(mean + MODEL.epsilon));
    // The row's place among gates, which are not computed yet.
    const normed = MODEL.up + 4 * row * columns;
    for (let at = 0; at < 4 * columns; at += 16) {
      v128.store(normed + at, f32x4.mul(f32x4.mul(v128.load(input + at), factor), v128.load(norm + at)));
    }
    quantizeRow(normed, row, columns);
  }
  meet();
}
