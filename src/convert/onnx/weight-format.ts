import type { Variant } from '../../align/variant.ts';
import type { StoredType } from '../checkpoint/checkpoint.ts';
import { toFloat16 } from '../float16.ts';
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
} from '../quantize.ts';
import type { LlamaConfig } from '../llama-config.ts';
import type { ElementType, GraphBuilder } from './graph-builder.ts';
import type { PlannedWeight } from './llama-plan.ts';

/** Activations, norms and the KV cache are in this. */
export type ActivationType = 'float32' | 'float16';

/** How one weight is stored in a variant. `plain` is the activation type. */
export type WeightFormat = 'plain' | 'blocks4' | 'blocks8' | 'rows8';

export interface VariantFormat {
  activation: ActivationType;
  linear: WeightFormat;
  head: WeightFormat;
  embedding: WeightFormat;
  /**
   * MatMulNBits' `accuracy_level`, 4 by default: activations are rounded to int8 blocks first, row by row, so that a
   * token's result does not depend on its chunk. 0 multiplies floats, three to six times as slowly on the CPU. There
   * onnxruntime has no packed float kernel for 8 bits, and at 0 unpacks the whole weight at every step (32000 x 2048,
   * one row: 947 ms against 6 ms).
   */
  accuracy?: { linear: 0 | 4; head: 0 | 4 };
}

/**
 * The formats of each variant. Measured with float layers, an output head of 4-bit blocks keeps 91 % of float32's greedy
 * tokens and one of 8-bit blocks 98 %; an embedding 97 % and 99.7 %: docs/decisions/2026-11-25-8-bit-table-and-head.md.
 */
export const VARIANT_FORMATS: Record<Variant, VariantFormat> = {
  fp32: { activation: 'float32', linear: 'plain', head: 'plain', embedding: 'plain' },
  fp16: { activation: 'float16', linear: 'plain', head: 'plain', embedding: 'plain' },
  q8: { activation: 'float32', linear: 'rows8', head: 'rows8', embedding: 'rows8' },
  q4: { activation: 'float32', linear: 'blocks4', head: 'blocks8', embedding: 'blocks8' },
  q4f16: { activation: 'float16', linear: 'blocks4', head: 'blocks8', embedding: 'blocks8' },
};

export function formatOf(weight: PlannedWeight, format: VariantFormat): WeightFormat {
  return weight.kind === 'norm' || weight.kind === 'table' ? 'plain' : format[weight.kind];
}

/** Whether a matmul of this format wants the weight as [columns, rows], the transpose of the checkpoint's. */
export function isTransposed(weight: PlannedWeight, format: WeightFormat): boolean {
  return (weight.kind === 'linear' || weight.kind === 'head') && (format === 'plain' || format === 'rows8');
}

const DATA = '.data';
const SCALES = '.scales';
const ZERO_POINTS = '.zero_points';

/** A weight's initializers, in the order of their bytes: each is named after the weight, a dot and this. */
export type WeightPart = 'data' | 'scales' | 'zero_points';

/** Declares the initializers of a weight, in the order in which {@link WeightEncoder} writes them. */
export function declareWeight(graph: GraphBuilder, weight: PlannedWeight, variant: VariantFormat): void {
  const { name, rows, columns } = weight;
  const format = formatOf(weight, variant);
  const blocksPerRow = Math.ceil(columns / BLOCK_SIZE);
  const shape = isTransposed(weight, format) ? [columns, rows] : [rows, columns];
  switch (format) {
    case 'plain':
      graph.weight(name + DATA, variant.activation, weight.kind === 'norm' ? [rows * columns] : shape);
      return;
    case 'rows8':
      graph.weight(name + DATA, 'int8', shape);
      graph.weight(name + SCALES, 'float32', [rows]);
      return;
    case 'blocks4':
    case 'blocks8': {
      const blockBytes = format === 'blocks4' ? BLOCK_SIZE / 2 : BLOCK_SIZE;
      const isEmbedding = weight.kind === 'embedding';
      graph.weight(
        name + DATA,
        'uint8',
        isEmbedding ? [rows, blocksPerRow * blockBytes] : [rows, blocksPerRow, blockBytes],
      );
      graph.weight(name + SCALES, variant.activation, isEmbedding ? [rows, blocksPerRow] : [rows * blocksPerRow]);
      if (format === 'blocks4') {
        const bytesPerRow = Math.ceil(blocksPerRow / 2);
        graph.weight(name + ZERO_POINTS, 'uint8', isEmbedding ? [rows, bytesPerRow] : [rows * bytesPerRow]);
      }
      return;
    }
    default:
      format satisfies never;
  }
}

/** Whether the output head is the embedding, once more: tied weights are stored once where both have one format. */
export function sharesEmbedding(config: Pick<LlamaConfig, 'isEmbeddingTied'>, variant: VariantFormat): boolean {
  return config.isEmbeddingTied && variant.embedding === variant.head;
}

/**
 * Declares the head's initializers as the embedding's, for {@link sharesEmbedding}: the same bytes in another shape, or
 * transposed, which runtimes do once as they load.
 */
export function declareSharedHead(graph: GraphBuilder, head: PlannedWeight, variant: VariantFormat): void {
  const { name, rows, columns } = head;
  const format = formatOf(head, variant);
  const blocksPerRow = Math.ceil(columns / BLOCK_SIZE);
  const view = (part: string, type: ElementType, shape: number[]) =>
    graph.view(name + part, type, shape, `embedding${part}`);
  if (isTransposed(head, format)) {
    graph.node('Transpose', [`embedding${DATA}`], [name + DATA], { perm: [1, 0] });
    if (format === 'rows8') view(SCALES, 'float32', [rows]);
    return;
  }
  const blockBytes = format === 'blocks4' ? BLOCK_SIZE / 2 : BLOCK_SIZE;
  view(DATA, 'uint8', [rows, blocksPerRow, blockBytes]);
  view(SCALES, variant.activation, [rows * blocksPerRow]);
  if (format === 'blocks4') view(ZERO_POINTS, 'uint8', [rows * Math.ceil(blocksPerRow / 2)]);
}

/**
 * Applies a weight to activations: `input` [.., columns] to [.., rows].
 *
 * @returns the output's name
 */
export function applyLinear(
  graph: GraphBuilder,
  input: string,
  weight: PlannedWeight,
  variant: VariantFormat,
  quantizedInputs: Map<string, QuantizedInput>,
): string {
  const { name, rows, columns } = weight;
  const output = `${name}.output`;
  const format = formatOf(weight, variant);
  switch (format) {
    case 'plain':
      return graph.node('MatMul', [input, name + DATA], [output]);
    case 'blocks4':
    case 'blocks8':
      return graph.node(
        'MatMulNBits',
        [input, name + DATA, name + SCALES, ...(format === 'blocks4' ? [name + ZERO_POINTS] : [])],
        [output],
        {
          K: columns,
          N: rows,
          bits: format === 'blocks4' ? 4 : 8,
          block_size: BLOCK_SIZE,
          accuracy_level: variant.accuracy?.[weight.kind === 'head' ? 'head' : 'linear'] ?? 4,
        },
        'com.microsoft',
      );
    case 'rows8': {
      const { data, scale } = quantizeInput(graph, input, quantizedInputs);
      const sums = graph.node('MatMulInteger', [data, name + DATA, 'uint8_128'], [`${name}.sums`]);
      const cast = graph.node('Cast', [sums], [`${name}.cast`], { to: 1 });
      const scaled = graph.node('Mul', [cast, scale], [`${name}.row_scaled`]);
      return graph.node('Mul', [scaled, name + SCALES], [output]);
    }
    default:
      return format satisfies never;
  }
}

export interface QuantizedInput {
  data: string;
  scale: string;
}

/**
 * Activations as uint8 with one scale per row, so that a token's result does not depend on the others in its chunk
 * (DynamicQuantizeMatMul has one scale per tensor). Projections of the same input share it.
 */
function quantizeInput(graph: GraphBuilder, input: string, done: Map<string, QuantizedInput>): QuantizedInput {
  const known = done.get(input);
  if (known !== undefined) return known;
  const magnitude = graph.node('Abs', [input], [`${input}.abs`]);
  const largest = graph.node('ReduceMax', [magnitude, 'int64_last_axis'], [`${input}.max`], { keepdims: 1 });
  const positive = graph.node('Max', [largest, 'float_tiny'], [`${input}.positive`]);
  const scale = graph.node('Div', [positive, 'float_127'], [`${input}.scale`]);
  const divided = graph.node('Div', [input, scale], [`${input}.divided`]);
  const rounded = graph.node('Round', [divided], [`${input}.rounded`]);
  const shifted = graph.node('Add', [rounded, 'float_128'], [`${input}.shifted`]);
  const data = graph.node('Cast', [shifted], [`${input}.uint8`], { to: 2 });
  const result = { data, scale };
  done.set(input, result);
  return result;
}

/** Rows of the embedding for `ids` [batch, tokens]: [batch, tokens, columns] in the activation type. */
export function applyEmbedding(
  graph: GraphBuilder,
  ids: string,
  weight: PlannedWeight,
  variant: VariantFormat,
): string {
  const { name, columns } = weight;
  const output = `${name}.output`;
  const format = formatOf(weight, variant);
  switch (format) {
    case 'plain':
      return graph.node('Gather', [name + DATA, ids], [output]);
    case 'rows8': {
      const data = graph.node('Gather', [name + DATA, ids], [`${name}.rows`]);
      const cast = graph.node('Cast', [data], [`${name}.cast`], { to: 1 });
      const scales = graph.node('Gather', [name + SCALES, ids], [`${name}.row_scales`]);
      const columnScales = graph.node('Unsqueeze', [scales, 'int64_last_axis'], [`${name}.column_scales`]);
      return graph.node('Mul', [cast, columnScales], [output]);
    }
    case 'blocks4':
    case 'blocks8': {
      const isPadded = columns % BLOCK_SIZE !== 0;
      const gathered = graph.node(
        'GatherBlockQuantized',
        [name + DATA, ids, name + SCALES, ...(format === 'blocks4' ? [name + ZERO_POINTS] : [])],
        [isPadded ? `${name}.padded` : output],
        { bits: format === 'blocks4' ? 4 : 8, block_size: BLOCK_SIZE, gather_axis: 0, quantize_axis: 1 },
        'com.microsoft',
      );
      if (!isPadded) return gathered;
      graph.constant('int64_hidden_size', 'int64', [1], new Uint8Array(BigInt64Array.of(BigInt(columns)).buffer));
      return graph.node('Slice', [gathered, 'int64_zero', 'int64_hidden_size', 'int64_last_axis'], [output]);
    }
    default:
      return format satisfies never;
  }
}

/** Transposed weights are made in column stripes of at most this many bytes, so that memory does not grow with them. */
const STRIPE_BYTES = 96 << 20;

/** Where the bytes of the current initializer go, in order. */
export type Sink = (bytes: Uint8Array) => Promise<void>;

/** Turns the rows of one weight, as they are read, into the bytes of its initializers. */
export class WeightEncoder {
  /** Times that all rows must be given: more than once where the transpose is made in stripes. */
  readonly passCount: number;
  /** The stored type whose raw blocks can be taken over as they are, if there is one. */
  readonly rawType: StoredType | undefined;
  readonly #weight: PlannedWeight;
  readonly #format: WeightFormat;
  readonly #activation: ActivationType;
  readonly #stripeColumns: number;
  readonly #scales: Float32Array[] = [];
  readonly #zeroPoints: Uint8Array[] = [];
  #stripe: Uint16Array | Float32Array | Int8Array | undefined;

  constructor(weight: PlannedWeight, variant: VariantFormat) {
    this.#weight = weight;
    this.#format = formatOf(weight, variant);
    this.#activation = variant.activation;
    this.rawType = ({ blocks4: 'Q4_0', blocks8: 'Q8_0', plain: undefined, rows8: undefined } as const)[this.#format];
    const elementBytes = this.#format === 'rows8' ? 1 : variant.activation === 'float16' ? 2 : 4;
    this.#stripeColumns = isTransposed(weight, this.#format)
      ? Math.max(1, Math.min(weight.columns, Math.floor(STRIPE_BYTES / (weight.rows * elementBytes))))
      : weight.columns;
    this.passCount = Math.ceil(weight.columns / this.#stripeColumns);
  }

  /**
   * @param rows  float32 [count, columns], or the raw blocks if the tensor's stored type is {@link rawType}
   * @param firstRow  index of the first of them in the weight
   */
  async addRows(pass: number, rows: Float32Array | Uint8Array, firstRow: number, sink: Sink): Promise<void> {
    if (this.#format === 'blocks4' || this.#format === 'blocks8') {
      const { data, scales, zeroPoints } = quantizeBlocks(this.#format, rows, this.#weight.columns, this.#activation);
      this.#scales.push(scales);
      if (zeroPoints !== undefined) this.#zeroPoints.push(zeroPoints);
      await sink(data);
      return;
    }
    if (rows instanceof Uint8Array) throw new Error('Raw blocks were given to a format without blocks; this is a bug.');
    if (isTransposed(this.#weight, this.#format)) return this.#addToStripe(pass, rows, firstRow);
    if (this.#format === 'rows8') {
      const { data, scales } = quantizeRows8(rows, this.#weight.columns);
      this.#scales.push(scales);
      await sink(bytesOf(data));
    } else {
      await sink(bytesOf(this.#activation === 'float16' ? toFloat16(rows) : rows));
    }
  }

  /** Call after the last row of a pass. */
  async endPass(sink: Sink): Promise<void> {
    if (this.#stripe !== undefined) await sink(bytesOf(this.#stripe));
    this.#stripe = undefined;
  }

  /** The initializers after the data. */
  get furtherParts(): readonly ('scales' | 'zero_points')[] {
    switch (this.#format) {
      case 'plain':
        return [];
      case 'rows8':
      case 'blocks8':
        return ['scales'];
      case 'blocks4':
        return ['scales', 'zero_points'];
      default:
        return this.#format satisfies never;
    }
  }

  /** Writes one of {@link furtherParts}. Call after the last pass, in their order. */
  async writePart(part: 'scales' | 'zero_points', sink: Sink): Promise<void> {
    const isHalf = this.#format !== 'rows8' && this.#activation === 'float16';
    if (part === 'zero_points') for (const zeroPoints of this.#zeroPoints) await sink(zeroPoints);
    else for (const scales of this.#scales) await sink(bytesOf(isHalf ? toFloat16(scales) : scales));
  }

  #addToStripe(pass: number, rows: Float32Array, firstRow: number): void {
    const { rows: rowCount, columns } = this.#weight;
    const firstColumn = pass * this.#stripeColumns;
    const width = Math.min(this.#stripeColumns, columns - firstColumn);
    let source: Float32Array | Uint16Array | Int8Array = rows;
    if (this.#format === 'rows8') {
      const { data, scales } = quantizeRows8(rows, columns);
      if (pass === 0) this.#scales.push(scales);
      source = data;
      this.#stripe ??= new Int8Array(width * rowCount);
    } else if (this.#activation === 'float16') {
      source = toFloat16(rows);
      this.#stripe ??= new Uint16Array(width * rowCount);
    } else {
      this.#stripe ??= new Float32Array(width * rowCount);
    }
    transposeInto(this.#stripe, rowCount, firstRow, source, columns, firstColumn, width);
  }
}

/** @param rows  float32 [rowCount, columns], or the raw blocks that the format takes over as they are */
export function quantizeBlocks(
  format: 'blocks4' | 'blocks8',
  rows: Float32Array | Uint8Array,
  columns: number,
  scaleType: ScaleType,
): Blocks & Partial<Blocks4> {
  const isRaw = rows instanceof Uint8Array;
  if (format === 'blocks4') {
    return isRaw ? repackQ4Blocks(rows, columns) : quantizeBlocks4(rows, columns, scaleType);
  }
  return isRaw ? repackQ8Blocks(rows) : quantizeBlocks8(rows, columns, scaleType);
}

/** Rows in tiles: 32 destination lines stay in the first-level cache while a tile is written. */
export function transposeInto(
  target: Float32Array | Uint16Array | Int8Array,
  targetWidth: number,
  targetColumn: number,
  source: Float32Array | Uint16Array | Int8Array,
  sourceWidth: number,
  sourceColumn: number,
  width: number,
): void {
  const count = source.length / sourceWidth;
  const tile = 32;
  for (let c0 = 0; c0 < width; c0 += tile) {
    const c1 = Math.min(c0 + tile, width);
    for (let row = 0; row < count; row++) {
      const from = row * sourceWidth + sourceColumn;
      const to = targetColumn + row;
      for (let column = c0; column < c1; column++) {
        target[column * targetWidth + to] = source[from + column] as number;
      }
    }
  }
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
