import type { StoredType } from '../checkpoint/checkpoint.ts';
import { toFloat16 } from '../float16.ts';
import { BLOCK_SIZE, quantizeRows8 } from '../quantize.ts';
import type { InPlaceTarget } from '../in-place-target.ts';
import type { PlannedWeight } from './llama-plan.ts';
import {
  formatOf,
  isTransposed,
  quantizeBlocks,
  transposeInto,
  type VariantFormat,
  type WeightFormat,
  type WeightPart,
} from './weight-format.ts';

/** Where an initializer begins. */
export interface InitializerPlace {
  path: string;
  /** Bytes from the start of the file. */
  offset: number;
}

/** Transposed weights are written in stripes of about this many bytes. */
const STRIPE_BYTES = 2 << 20;

interface Piece {
  name: string;
  firstRow: number;
  count: number;
}

/**
 * Makes the initializers of one weight from its rows, which come in any order and over several calls of the program. Rows
 * are quantized as they come and kept as pieces; when all are there the initializers are written at once: a transposed
 * weight would otherwise be touched from end to end by every few rows. The same bytes as `WeightEncoder` writes.
 */
export class WeightAssembly {
  /** The stored type whose raw blocks are taken over without rounding again, if there is one. */
  readonly rawType: StoredType | undefined;
  readonly #weight: PlannedWeight;
  readonly #variant: VariantFormat;
  readonly #format: WeightFormat;
  readonly #name: string;
  readonly #placeOf: (part: WeightPart) => InitializerPlace;
  readonly #parts: readonly { part: WeightPart; rowBytes: number }[];
  readonly #pieces: Piece[] = [];

  /** @param name  unique among the weights of a target */
  constructor(
    name: string,
    weight: PlannedWeight,
    variant: VariantFormat,
    placeOf: (part: WeightPart) => InitializerPlace,
  ) {
    this.#placeOf = placeOf;
    this.#name = name;
    this.#weight = weight;
    this.#variant = variant;
    this.#format = formatOf(weight, variant);
    this.rawType = ({ blocks4: 'Q4_0', blocks8: 'Q8_0', plain: undefined, rows8: undefined } as const)[this.#format];
    this.#parts = partsOf(this.#format, weight.columns, variant.activation === 'float16');
  }

  /**
   * @param rows      float32 [count, columns], or raw blocks of {@link rawType}
   * @param firstRow  index of the first of them in the weight
   */
  async add(rows: Float32Array | Uint8Array, firstRow: number, count: number, target: InPlaceTarget): Promise<void> {
    const encoded = this.#encode(rows, count);
    const piece = this.#piece(firstRow, count);
    if (count === this.#weight.rows) return this.#write([piece], [encoded], target);
    this.#pieces.push(piece);
    await target.keepPiece(piece.name, encoded);
    if (this.#rowCount < this.#weight.rows) return;
    const contents: Uint8Array[] = [];
    for (const { name } of this.#pieces) contents.push(await target.readPiece(name));
    await this.#write(this.#pieces, contents, target);
    for (const { name } of this.#pieces) target.dropPiece(name);
  }

  /** These rows were added in an earlier call: their piece is in the target, unless the weight was completed then. */
  recall(firstRow: number, count: number): void {
    if (count < this.#weight.rows) this.#pieces.push(this.#piece(firstRow, count));
  }

  get #rowCount(): number {
    return this.#pieces.reduce((sum, { count }) => sum + count, 0);
  }

  #piece(firstRow: number, count: number): Piece {
    return { name: `${this.#name}/${firstRow}`, firstRow, count };
  }

  /** All parts of some rows, one part after the other, row by row in each. */
  #encode(rows: Float32Array | Uint8Array, count: number): Uint8Array {
    const { columns } = this.#weight;
    const isHalf = this.#variant.activation === 'float16';
    const found: Partial<Record<WeightPart, ArrayBufferView>> = {};
    if (this.#format === 'blocks4' || this.#format === 'blocks8') {
      const { data, scales, zeroPoints } = quantizeBlocks(this.#format, rows, columns, this.#variant.activation);
      Object.assign(found, { data, scales: isHalf ? toFloat16(scales) : scales, zero_points: zeroPoints });
    } else if (rows instanceof Uint8Array) {
      throw new Error('Raw blocks were given to a format without blocks; this is a bug.');
    } else if (this.#format === 'rows8') {
      Object.assign(found, quantizeRows8(rows, columns));
    } else {
      found.data = isHalf ? toFloat16(rows) : rows;
    }
    const encoded = new Uint8Array(this.#parts.reduce((sum, { rowBytes }) => sum + rowBytes * count, 0));
    let end = 0;
    for (const { part, rowBytes } of this.#parts) {
      const values = found[part];
      if (values?.byteLength !== rowBytes * count) {
        throw new Error(
          `${count} rows gave ${values?.byteLength} bytes of ${part}, not ${rowBytes * count}; this is a bug.`,
        );
      }
      encoded.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), end);
      end += values.byteLength;
    }
    return encoded;
  }

  async #write(pieces: readonly Piece[], contents: readonly Uint8Array[], target: InPlaceTarget): Promise<void> {
    const offsets = pieces.map(() => 0);
    for (const { part, rowBytes } of this.#parts) {
      const { path, offset } = this.#placeOf(part);
      const ofPart = pieces.map(({ firstRow, count }, i) => {
        const bytes = contents[i]!.subarray(offsets[i], offsets[i]! + count * rowBytes);
        offsets[i]! += bytes.length;
        return { firstRow, bytes };
      });
      if (part === 'data' && isTransposed(this.#weight, this.#format)) {
        await this.#writeTransposed(ofPart, rowBytes, { path, offset }, target);
      } else {
        for (const { firstRow, bytes } of ofPart) await target.write(path, offset + firstRow * rowBytes, bytes);
      }
    }
  }

  async #writeTransposed(
    pieces: readonly { firstRow: number; bytes: Uint8Array }[],
    rowBytes: number,
    { path, offset }: InitializerPlace,
    target: InPlaceTarget,
  ): Promise<void> {
    const { rows, columns } = this.#weight;
    const elementBytes = rowBytes / columns;
    const elementsOf = (buffer: ArrayBufferLike, byteOffset: number, count: number) =>
      elementBytes === 1
        ? new Int8Array(buffer, byteOffset, count)
        : elementBytes === 2
          ? new Uint16Array(buffer, byteOffset, count)
          : new Float32Array(buffer, byteOffset, count);
    const lineBytes = rows * elementBytes;
    const perStripe = Math.max(1, Math.floor(STRIPE_BYTES / lineBytes));
    for (let first = 0; first < columns; first += perStripe) {
      const width = Math.min(perStripe, columns - first);
      const stripe = new Uint8Array(width * lineBytes);
      const elements = elementsOf(stripe.buffer, 0, width * rows);
      for (const { firstRow, bytes } of pieces) {
        const source = elementsOf(bytes.buffer, bytes.byteOffset, bytes.length / elementBytes);
        transposeInto(elements, rows, firstRow, source, columns, first, width);
      }
      await target.write(path, offset + first * lineBytes, stripe);
    }
  }
}

/** Bytes that each row has in each initializer, in the order of `WeightPart`. */
function partsOf(
  format: WeightFormat,
  columns: number,
  isHalf: boolean,
): readonly { part: WeightPart; rowBytes: number }[] {
  const blocks = Math.ceil(columns / BLOCK_SIZE);
  const scales = { part: 'scales', rowBytes: blocks * (isHalf ? 2 : 4) } as const;
  switch (format) {
    case 'plain':
      return [{ part: 'data', rowBytes: columns * (isHalf ? 2 : 4) }];
    case 'rows8':
      return [
        { part: 'data', rowBytes: columns },
        { part: 'scales', rowBytes: 4 },
      ];
    case 'blocks8':
      return [{ part: 'data', rowBytes: blocks * BLOCK_SIZE }, scales];
    case 'blocks4':
      return [
        { part: 'data', rowBytes: (blocks * BLOCK_SIZE) / 2 },
        scales,
        { part: 'zero_points', rowBytes: Math.ceil(blocks / 2) },
      ];
    default:
      return format satisfies never;
  }
}
