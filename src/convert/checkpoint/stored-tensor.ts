import type { ByteSource } from '../byte-source.ts';
import { corrupt } from './checkpoint-errors.ts';
import type { CheckpointTensor, StoredType } from './checkpoint.ts';
import { BLOCK_FORMATS, dequantize } from './dequantize.ts';

/** A tensor as a file lists it, before the configuration says whether it is needed. */
export interface StoredTensor {
  /** Hugging Face's name. */
  readonly name: string;
  readonly source: ByteSource;
  /** Row-major. */
  readonly shape: readonly number[];
  /** Where its rows are; or why they cannot be read, as the end of a sentence such as “has dtype I64”. */
  readonly rows: StoredRows | { readonly unreadable: string };
}

export interface StoredRows {
  readonly storedType: StoredType;
  /** Of the first row, from the start of the file. */
  readonly offsetBytes: number;
  /** From one row to the next; larger than a row in a view of a wider tensor. Absent: rows follow each other. */
  readonly strideBytes?: number;
  /** Of rows that llama.cpp permuted: see {@link storedRowOfPermuted}. */
  readonly permutedHeadDim?: number;
}

/**
 * Elements of a shape.
 *
 * @throws AlignError `checkpoint-corrupt` if there are 2^53 or more
 */
export function elementCount(shape: readonly number[], file: string, tensor: string): number {
  const count = shape.reduce((product, length) => product * length, 1);
  if (!Number.isSafeInteger(count)) {
    throw corrupt(file, `${tensor} has shape [${shape.join(', ')}], more elements than a file can hold`, { tensor });
  }
  return count;
}

/** Bytes of one row of `columns` elements. Undefined if they are no whole number of blocks. */
export function rowBytes(storedType: StoredType, columns: number): number | undefined {
  const { elements, bytes } = BLOCK_FORMATS[storedType];
  return columns % elements === 0 ? (columns / elements) * bytes : undefined;
}

/** @param tensor  readable, with a shape of one or two lengths and whole blocks to a row */
export function checkpointTensor(tensor: StoredTensor, rows: StoredRows): CheckpointTensor {
  const { name, source, shape } = tensor;
  const columns = shape.at(-1) ?? 1;
  const rowCount = shape.length < 2 ? 1 : (shape[0] ?? 0);
  const bytesPerRow = rowBytes(rows.storedType, columns);
  if (bytesPerRow === undefined || shape.length > 2) throw new Error(`${name} has no rows; this is a bug.`);

  async function readStored(first: number, count: number): Promise<Uint8Array> {
    const stride = rows.strideBytes ?? bytesPerRow!;
    if (stride === bytesPerRow) return source.read(rows.offsetBytes + first * stride, count * stride);
    const packed = new Uint8Array(count * bytesPerRow!);
    for (let i = 0; i < count; i++) {
      packed.set(await source.read(rows.offsetBytes + (first + i) * stride, bytesPerRow!), i * bytesPerRow!);
    }
    return packed;
  }

  async function readRawRows(first: number, count: number): Promise<Uint8Array> {
    if (!(first >= 0 && count >= 0 && first + count <= rowCount)) {
      throw new Error(`${name} has ${rowCount} rows; ${count} from ${first} were asked for. This is a bug.`);
    }
    if (count === 0) return new Uint8Array(0);
    const headDim = rows.permutedHeadDim;
    return headDim === undefined
      ? readStored(first, count)
      : readPermuted({ first, count, headDim, bytesPerRow: bytesPerRow!, readStored });
  }

  return {
    name,
    storedType: rows.storedType,
    shape,
    location: { file: source.name, offsetBytes: rows.offsetBytes },
    readRawRows,
    async readRows(first, count) {
      return dequantize(rows.storedType, await readRawRows(first, count), count * columns);
    },
  };
}

/**
 * Where a row of a q or k projection stands in a GGUF file. llama.cpp rotates neighbouring elements, Hugging Face the
 * two halves of a head, so the conversion to GGUF interleaves the halves: rows 0, d/2, 1, d/2 + 1, … of every head.
 *
 * @param row  in Hugging Face's order
 * @see llama.cpp convert_hf_to_gguf.py, LlamaModel.permute
 */
export function storedRowOfPermuted(row: number, headDim: number): number {
  const within = row % headDim;
  const half = headDim / 2;
  return row - within + (within < half ? 2 * within : 2 * (within - half) + 1);
}

async function readPermuted(request: {
  first: number;
  count: number;
  headDim: number;
  bytesPerRow: number;
  readStored: (first: number, count: number) => Promise<Uint8Array>;
}): Promise<Uint8Array> {
  const { first, count, headDim, bytesPerRow } = request;
  // Permuted rows stay within their head: whole heads cover the range.
  const from = first - (first % headDim);
  const to = Math.ceil((first + count) / headDim) * headDim;
  const stored = await request.readStored(from, to - from);
  const ordered = new Uint8Array(count * bytesPerRow);
  for (let i = 0; i < count; i++) {
    const at = (storedRowOfPermuted(first + i, headDim) - from) * bytesPerRow;
    ordered.set(stored.subarray(at, at + bytesPerRow), i * bytesPerRow);
  }
  return ordered;
}
