import type { ByteSource } from '../byte-source.ts';
import { corrupt, quote, unsupported } from './checkpoint-errors.ts';
import { decodeUtf8 } from './read-text.ts';

/**
 * A value of GGUF metadata. Integers are numbers; the rare 64-bit one that a double cannot hold exactly is a bigint.
 * Arrays of numbers are typed arrays of the stored type (64-bit ones too), so that they take no more than in the file.
 *
 * @see ggml docs/gguf.md
 */
export type GgufValue = number | bigint | boolean | string | GgufArray;
type GgufArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigUint64Array
  | BigInt64Array
  | readonly boolean[]
  | readonly string[]
  | readonly GgufArray[];

/** By key, such as `general.architecture` or `tokenizer.ggml.tokens`. Strings are valid UTF-8. */
export type GgufMetadata = ReadonlyMap<string, GgufValue>;

/** A tensor as the header lists it. */
export interface GgufTensorInfo {
  /** The file's own name, such as `blk.0.attn_q.weight`. */
  readonly name: string;
  /** Row-major; the file holds it the other way round. */
  readonly shape: readonly number[];
  /** A name of ggml's, such as `Q4_K`; `type 99` for a number that we do not know. */
  readonly type: string;
  /** From the start of the file. */
  readonly offsetBytes: number;
}

export interface GgufHeader {
  readonly metadata: GgufMetadata;
  readonly tensors: readonly GgufTensorInfo[];
}

/** What a first read takes: the header of a model with 32,000 tokens is about 1 MB. */
const FIRST_READ_BYTES = 2 << 20;
/** A header holds a vocabulary and little else: 8 MB with Llama 3's 128,000 tokens and 280,000 merges. */
const MAX_HEADER_BYTES = 64 << 20;
/** Limits of what has overhead in memory beyond its bytes in the file. Real files have about 40, 1,000 and none. */
const MAX_KEYS = 1 << 16;
const MAX_TENSORS = 1 << 16;
const MAX_NESTED_ARRAYS = 1 << 10;

/**
 * The header of a GGUF file, version 2 or 3: metadata and the list of tensors. The format does not tell the header's
 * length, so it is read from a prefix of the file, and from one four times as long when that ends too soon.
 *
 * @throws AlignError `checkpoint-corrupt` with the position of what is wrong; `unsupported-model` for version 1 and for
 *   a big-endian file
 * @see ggml docs/gguf.md
 */
export async function readGgufHeader(source: ByteSource): Promise<GgufHeader> {
  const most = Math.min(source.sizeBytes, MAX_HEADER_BYTES);
  for (let length = Math.min(FIRST_READ_BYTES, most); ; length = Math.min(length * 4, most)) {
    try {
      return parseHeader(new GgufReader(await source.read(0, length), source));
    } catch (error) {
      if (!(error instanceof PrefixTooShort)) throw error;
      if (length === most) {
        throw corrupt(source.name, `its header is cut off or longer than ${MAX_HEADER_BYTES} bytes`, {
          sizeBytes: source.sizeBytes,
        });
      }
    }
  }
}

function parseHeader(reader: GgufReader): GgufHeader {
  reader.magic();
  const tensorCount = reader.count('tensors', MAX_TENSORS);
  const keyCount = reader.count('metadata keys', MAX_KEYS);
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < keyCount; i++) {
    const key = reader.string(`metadata key ${i}`);
    if (metadata.has(key)) throw reader.fail(`the metadata key ${quote(key)} stands there twice`);
    metadata.set(key, reader.value(reader.uint32(), key));
  }
  const listed: Omit<GgufTensorInfo, 'offsetBytes'>[] = [];
  const offsets: number[] = [];
  const names = new Set<string>();
  for (let i = 0; i < tensorCount; i++) {
    const name = reader.string(`the name of tensor ${i}`);
    if (names.has(name)) throw reader.fail(`the tensor ${quote(name)} is listed twice`);
    names.add(name);
    listed.push({ name, shape: reader.dimensions(name), type: ggmlTypeName(reader.uint32()) });
    offsets.push(reader.size(`the offset of ${quote(name)}`));
  }
  const alignment = metadata.get('general.alignment') ?? 32;
  if (typeof alignment !== 'number' || alignment < 1 || !Number.isInteger(Math.log2(alignment))) {
    const found = typeof alignment === 'number' ? alignment : 'no number';
    throw reader.fail(`general.alignment is ${found}; it must be a power of two`);
  }
  const dataStart = Math.ceil(reader.position / alignment) * alignment;
  return {
    metadata,
    tensors: listed.map((tensor, i) => {
      const offset = offsets[i] ?? 0;
      if (offset % alignment !== 0) {
        throw reader.fail(`the offset ${offset} of ${quote(tensor.name)} is no multiple of ${alignment}`);
      }
      return { ...tensor, offsetBytes: dataStart + offset };
    }),
  };
}

/** ggml's types by number. Those without a reader of ours are here so that they are refused by name. */
const GGML_TYPES: Readonly<Record<number, string>> = {
  0: 'F32',
  1: 'F16',
  2: 'Q4_0',
  3: 'Q4_1',
  6: 'Q5_0',
  7: 'Q5_1',
  8: 'Q8_0',
  9: 'Q8_1',
  10: 'Q2_K',
  11: 'Q3_K',
  12: 'Q4_K',
  13: 'Q5_K',
  14: 'Q6_K',
  15: 'Q8_K',
  16: 'IQ2_XXS',
  17: 'IQ2_XS',
  18: 'IQ3_XXS',
  19: 'IQ1_S',
  20: 'IQ4_NL',
  21: 'IQ3_S',
  22: 'IQ2_S',
  23: 'IQ4_XS',
  24: 'I8',
  25: 'I16',
  26: 'I32',
  27: 'I64',
  28: 'F64',
  29: 'IQ1_M',
  30: 'BF16',
  34: 'TQ1_0',
  35: 'TQ2_0',
  39: 'MXFP4',
};

function ggmlTypeName(type: number): string {
  return GGML_TYPES[type] ?? `type ${type}`;
}

/** Metadata value types by number, with what one element takes at least. */
const VALUE_TYPES = {
  uint8: 0,
  int8: 1,
  uint16: 2,
  int16: 3,
  uint32: 4,
  int32: 5,
  float32: 6,
  bool: 7,
  string: 8,
  array: 9,
  uint64: 10,
  int64: 11,
  float64: 12,
} as const;

/** Arrays of these are typed arrays. */
const NUMBER_ARRAYS: Readonly<
  Record<
    number,
    {
      readonly BYTES_PER_ELEMENT: number;
      new (buffer: ArrayBuffer): Extract<GgufArray, ArrayBufferView>;
    }
  >
> = {
  [VALUE_TYPES.uint8]: Uint8Array,
  [VALUE_TYPES.int8]: Int8Array,
  [VALUE_TYPES.uint16]: Uint16Array,
  [VALUE_TYPES.int16]: Int16Array,
  [VALUE_TYPES.uint32]: Uint32Array,
  [VALUE_TYPES.int32]: Int32Array,
  [VALUE_TYPES.float32]: Float32Array,
  [VALUE_TYPES.uint64]: BigUint64Array,
  [VALUE_TYPES.int64]: BigInt64Array,
  [VALUE_TYPES.float64]: Float64Array,
};

/** The header goes on past the bytes that were read. */
class PrefixTooShort extends Error {}

/** Reads values one after the other from the first bytes of a file. Lengths are checked against the whole file. */
class GgufReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #source: ByteSource;
  #at = 0;
  #nestedArrays = 0;

  constructor(bytes: Uint8Array, source: ByteSource) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#source = source;
  }

  get position(): number {
    return this.#at;
  }

  fail(problem: string) {
    return corrupt(this.#source.name, `${problem} (byte ${this.#at} of the header)`, { position: this.#at });
  }

  /** `GGUF` and the version. */
  magic(): void {
    const magic = this.uint32();
    if (magic !== 0x46554747) {
      throw this.fail(`it starts with 0x${magic.toString(16).padStart(8, '0')}, not with “GGUF”`);
    }
    const version = this.uint32();
    if (version === 2 || version === 3) return;
    // A small number read from the wrong end.
    if (version !== 0 && version % 0x10000 === 0) throw unsupported(this.#source.name, 'it is a big-endian GGUF');
    if (version === 1) throw unsupported(this.#source.name, 'it is GGUF version 1; we read versions 2 and 3');
    throw this.fail(`its version is ${version}; there are 2 and 3`);
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** An unsigned 64-bit number that a double holds exactly. */
  size(what: string): number {
    const size = this.#view.getBigUint64(this.#take(8), true);
    if (size > Number.MAX_SAFE_INTEGER) throw this.fail(`${what} is ${size}, more than a file can hold`);
    return Number(size);
  }

  count(what: string, most: number): number {
    const count = this.size(`the number of ${what}`);
    if (count > most) throw this.fail(`it says ${count} ${what}; at most ${most} are read`);
    return count;
  }

  /** @returns row-major */
  dimensions(tensor: string): number[] {
    const rank = this.uint32();
    if (rank > 4) throw this.fail(`${quote(tensor)} has ${rank} dimensions; ggml has at most 4`);
    return Array.from({ length: rank }, () => this.size(`a dimension of ${quote(tensor)}`)).reverse();
  }

  string(what: string): string {
    const length = this.size(`the length of ${what}`);
    this.#checkLength(length, what);
    const start = this.#take(length);
    return decodeUtf8(this.#bytes.subarray(start, start + length), this.#source.name, what);
  }

  value(type: number, key: string): GgufValue {
    switch (type) {
      case VALUE_TYPES.uint8:
        return this.#view.getUint8(this.#take(1));
      case VALUE_TYPES.int8:
        return this.#view.getInt8(this.#take(1));
      case VALUE_TYPES.uint16:
        return this.#view.getUint16(this.#take(2), true);
      case VALUE_TYPES.int16:
        return this.#view.getInt16(this.#take(2), true);
      case VALUE_TYPES.uint32:
        return this.uint32();
      case VALUE_TYPES.int32:
        return this.#view.getInt32(this.#take(4), true);
      case VALUE_TYPES.float32:
        return this.#view.getFloat32(this.#take(4), true);
      case VALUE_TYPES.bool:
        return this.#bool(key);
      case VALUE_TYPES.string:
        return this.string(`the value of ${quote(key)}`);
      case VALUE_TYPES.array:
        return this.#array(key);
      case VALUE_TYPES.uint64:
        return exactNumber(this.#view.getBigUint64(this.#take(8), true));
      case VALUE_TYPES.int64:
        return exactNumber(this.#view.getBigInt64(this.#take(8), true));
      case VALUE_TYPES.float64:
        return this.#view.getFloat64(this.#take(8), true);
      default:
        throw this.fail(`${quote(key)} has a value of type ${type}; there are 0 to 12`);
    }
  }

  #bool(key: string): boolean {
    const value = this.#view.getUint8(this.#take(1));
    if (value > 1) throw this.fail(`${quote(key)} is a boolean of value ${value}`);
    return value === 1;
  }

  #array(key: string): GgufArray {
    const type = this.uint32();
    const count = this.size(`the length of ${quote(key)}`);
    const what = `the array ${quote(key)}`;
    const NumberArray = NUMBER_ARRAYS[type];
    if (NumberArray !== undefined) {
      const length = count * NumberArray.BYTES_PER_ELEMENT;
      this.#checkLength(length, what);
      const start = this.#take(length);
      return new NumberArray(this.#bytes.slice(start, start + length).buffer);
    }
    switch (type) {
      case VALUE_TYPES.bool:
        this.#checkLength(count, what);
        return this.#list(count, () => this.#bool(key));
      case VALUE_TYPES.string:
        this.#checkLength(count * 8, what);
        return this.#list(count, () => this.string(`a string of ${quote(key)}`));
      case VALUE_TYPES.array:
        this.#nestedArrays += count;
        if (this.#nestedArrays > MAX_NESTED_ARRAYS)
          throw this.fail(`${what} holds more than ${MAX_NESTED_ARRAYS} arrays`);
        return this.#list(count, () => this.#array(key));
      default:
        throw this.fail(`${what} has elements of type ${type}; there are 0 to 12`);
    }
  }

  #list<Value>(count: number, read: () => Value): Value[] {
    // Grows as it is read: a prefix that ends early has not paid for the rest.
    const list: Value[] = [];
    for (let i = 0; i < count; i++) list.push(read());
    return list;
  }

  /** @returns the position of the bytes taken */
  #take(length: number): number {
    const start = this.#at;
    if (start + length > this.#bytes.length) throw new PrefixTooShort();
    this.#at += length;
    return start;
  }

  #checkLength(length: number, what: string): void {
    if (this.#at + length > this.#source.sizeBytes) {
      throw this.fail(`${what} takes at least ${length} bytes; the file has ${this.#source.sizeBytes}`);
    }
  }
}

function exactNumber(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
