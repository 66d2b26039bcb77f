import type { StoredType } from '../checkpoint/checkpoint.ts';
import { toFloat16 } from '../float16.ts';
import { BLOCK_SIZE, quantizeRows8 } from '../quantize.ts';
import type { PlannedWeight } from './llama-plan.ts';
import {
  formatOf,
  isTransposed,
  quantizeBlocks,
  transposeInto,
  type VariantFormat,
  type WeightPart,
} from './weight-format.ts';

/** Bytes with their place in the weight's initializer, in bytes from its start. */
export interface PlacedBytes {
  part: WeightPart;
  offset: number;
  bytes: Uint8Array;
}

/** The stored type whose raw blocks {@link encodeRows} takes over without rounding again, if there is one. */
export function rawTypeOf(weight: PlannedWeight, variant: VariantFormat): StoredType | undefined {
  return ({ blocks4: 'Q4_0', blocks8: 'Q8_0', plain: undefined, rows8: undefined } as const)[formatOf(weight, variant)];
}

/**
 * Some rows of a weight as the bytes that its initializers hold for them, each with its place: rows may come in any
 * order. The same bytes as `WeightEncoder` writes in order.
 *
 * @param rows      float32 [count, columns], or raw blocks of {@link rawTypeOf}
 * @param firstRow  index of the first of them in the weight
 */
export function* encodeRows(
  weight: PlannedWeight,
  variant: VariantFormat,
  rows: Float32Array | Uint8Array,
  firstRow: number,
): Generator<PlacedBytes, void, void> {
  const { columns } = weight;
  const format = formatOf(weight, variant);
  const isHalf = variant.activation === 'float16';
  if (format === 'blocks4' || format === 'blocks8') {
    const { data, scales, zeroPoints } = quantizeBlocks(format, rows, columns, variant.activation);
    const blocksPerRow = Math.ceil(columns / BLOCK_SIZE);
    const blockBytes = format === 'blocks4' ? BLOCK_SIZE / 2 : BLOCK_SIZE;
    yield { part: 'data', offset: firstRow * blocksPerRow * blockBytes, bytes: data };
    const offset = firstRow * blocksPerRow * (isHalf ? 2 : 4);
    yield { part: 'scales', offset, bytes: bytesOf(isHalf ? toFloat16(scales) : scales) };
    if (zeroPoints !== undefined) {
      yield { part: 'zero_points', offset: firstRow * Math.ceil(blocksPerRow / 2), bytes: zeroPoints };
    }
    return;
  }
  if (rows instanceof Uint8Array) throw new Error('Raw blocks were given to a format without blocks; this is a bug.');
  let values: Float32Array | Uint16Array | Int8Array = isHalf ? toFloat16(rows) : rows;
  if (format === 'rows8') {
    const { data, scales } = quantizeRows8(rows, columns);
    values = data;
    yield { part: 'scales', offset: firstRow * 4, bytes: bytesOf(scales) };
  }
  if (!isTransposed(weight, format)) {
    yield { part: 'data', offset: firstRow * columns * values.BYTES_PER_ELEMENT, bytes: bytesOf(values) };
    return;
  }
  yield* transposedRuns(weight, values, firstRow);
}

/** [columns, rows]: the given rows are a run in each line. */
function* transposedRuns(
  { rows: rowCount, columns }: PlannedWeight,
  values: Float32Array | Uint16Array | Int8Array,
  firstRow: number,
): Generator<PlacedBytes, void, void> {
  const count = values.length / columns;
  const elementBytes = values.BYTES_PER_ELEMENT;
  const turned =
    values instanceof Int8Array
      ? new Int8Array(values.length)
      : values instanceof Uint16Array
        ? new Uint16Array(values.length)
        : new Float32Array(values.length);
  transposeInto(turned, count, 0, values, columns, 0, columns);
  const bytes = bytesOf(turned);
  const runBytes = count * elementBytes;
  for (let column = 0; column < columns; column++) {
    yield {
      part: 'data',
      offset: (column * rowCount + firstRow) * elementBytes,
      bytes: bytes.subarray(column * runBytes, (column + 1) * runBytes),
    };
  }
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
