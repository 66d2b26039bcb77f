import type { ByteSource } from '../byte-source.ts';
import { corrupt, quote } from './checkpoint-errors.ts';
import type { StoredType } from './checkpoint.ts';
import { JsonReader } from './json-reader.ts';
import { decodeUtf8 } from './read-text.ts';
import { elementCount, type StoredTensor } from './stored-tensor.ts';

/** The reference reader's own limit. */
const MAX_HEADER_BYTES = 100_000_000;
/** PyTorch's own limit; ours only keeps a hostile header from nesting its cost. */
const MAX_DIMENSIONS = 64;

/** Bytes of one element. Types with less than a byte are left out: the length of such a tensor is not checked. */
const ELEMENT_BYTES: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E8M0: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  I64: 8,
  U64: 8,
  F64: 8,
  C64: 8,
};
const READABLE: Readonly<Record<string, StoredType>> = { F32: 'F32', F16: 'F16', BF16: 'BF16' };

interface HeaderEntry {
  name: string;
  dtype: string;
  shape: number[];
  /** From the start of the data. */
  begin: number;
  end: number;
}

/**
 * The tensors of a safetensors file; reads its header only.
 *
 * @returns by name
 * @throws AlignError `checkpoint-corrupt` if the header is not exactly as the format says: entries that repeat, overlap,
 *   leave a gap, or do not end where the file ends are refused, as by the reference reader
 * @see https://github.com/huggingface/safetensors#format
 */
export async function readSafetensors(source: ByteSource): Promise<Map<string, StoredTensor>> {
  const file = source.name;
  if (source.sizeBytes < 8) throw corrupt(file, `${source.sizeBytes} bytes are too few for a safetensors file`);
  const prefix = await source.read(0, 8);
  const headerBytes = new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true);
  const dataStart = 8 + Number(headerBytes);
  if (headerBytes > MAX_HEADER_BYTES || dataStart > source.sizeBytes) {
    throw corrupt(
      file,
      `its header says ${headerBytes} bytes; the file has ${source.sizeBytes} and a header at most ${MAX_HEADER_BYTES}`,
      { headerBytes: String(headerBytes), sizeBytes: source.sizeBytes },
    );
  }
  const text = decodeUtf8(await source.read(8, Number(headerBytes)), file, 'its header');
  const entries = parseHeader(text, file);
  checkRanges(entries, source.sizeBytes - dataStart, file);
  return new Map(
    entries.map(({ name, dtype, shape, begin }) => {
      const storedType = Object.hasOwn(READABLE, dtype) ? READABLE[dtype] : undefined;
      const rows =
        storedType === undefined
          ? { unreadable: `has dtype ${dtype}` }
          : { storedType, offsetBytes: dataStart + begin };
      return [name, { name, source, shape, rows }];
    }),
  );
}

function parseHeader(text: string, file: string): HeaderEntry[] {
  const entries: HeaderEntry[] = [];
  const json = new JsonReader(text, file);
  json.readObject((name) => {
    if (name === '__metadata__') json.readObject(() => json.readString());
    else entries.push(readEntry(json, name, file));
  });
  json.end();
  return entries;
}

function readEntry(json: JsonReader, name: string, file: string): HeaderEntry {
  let dtype: string | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  json.readObject((key) => {
    if (key === 'dtype') dtype = json.readString();
    else if (key === 'shape') shape = readSizes(json, MAX_DIMENSIONS, file, name);
    else if (key === 'data_offsets') offsets = readSizes(json, 2, file, name);
    else throw corrupt(file, `${quote(name)} has an unknown member ${quote(key)} in the header`, { tensor: name });
  });
  const [begin, end] = offsets ?? [];
  if (dtype === undefined || shape === undefined || begin === undefined || end === undefined) {
    throw corrupt(file, `${quote(name)} needs dtype, shape and two data_offsets in the header`, { tensor: name });
  }
  const elementBytes = Object.hasOwn(ELEMENT_BYTES, dtype) ? ELEMENT_BYTES[dtype] : undefined;
  const count = elementCount(shape, file, quote(name));
  if (begin > end || (elementBytes !== undefined && end - begin !== count * elementBytes)) {
    throw corrupt(
      file,
      `${quote(name)} of ${quote(dtype)} [${shape.join(', ')}] cannot stand at data offsets ${begin} to ${end}`,
      { tensor: name, begin, end, elements: count },
    );
  }
  return { name, dtype, shape, begin, end };
}

function readSizes(json: JsonReader, most: number, file: string, name: string): number[] {
  const sizes: number[] = [];
  json.readArray(() => {
    if (sizes.length === most) throw corrupt(file, `${quote(name)} has a list of more than ${most} in the header`);
    sizes.push(json.readSize());
  });
  return sizes;
}

/** The data is the tensors one after the other, to the last byte. */
function checkRanges(entries: readonly HeaderEntry[], dataBytes: number, file: string): void {
  const ordered = [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end);
  let expected = 0;
  let before = 'the header';
  for (const { name, begin, end } of ordered) {
    if (begin !== expected) {
      const problem = begin < expected ? `overlaps ${before}` : `leaves a gap after ${before}`;
      throw corrupt(file, `${quote(name)} at data offset ${begin} ${problem}, which ends at ${expected}`, {
        tensor: name,
        begin,
        expected,
      });
    }
    if (end > dataBytes) {
      throw corrupt(file, `${quote(name)} ends at data offset ${end}; the file has ${dataBytes} bytes of data`, {
        tensor: name,
        end,
        dataBytes,
      });
    }
    expected = end;
    before = quote(name);
  }
  if (expected !== dataBytes) {
    throw corrupt(file, `its tensors end at data offset ${expected}; the file has ${dataBytes} bytes of data`, {
      expected,
      dataBytes,
    });
  }
}
