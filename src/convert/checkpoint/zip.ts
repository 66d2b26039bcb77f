import type { ByteSource } from '../byte-source.ts';
import { corrupt, quote, unsupported } from './checkpoint-errors.ts';
import { decodeUtf8 } from './read-text.ts';

/** An entry that is stored as it is, which is all that PyTorch writes. */
export interface ZipEntry {
  readonly name: string;
  readonly sizeBytes: number;
  /** Of the local header, from the start of the file. */
  readonly headerOffset: number;
}

const END_BYTES = 22;
const END64_BYTES = 56;
const LOCATOR64_BYTES = 20;
const MAX_COMMENT_BYTES = 0xffff;
/** A shard of a 70B model lists some 100 entries of 70 bytes. */
const MAX_DIRECTORY_BYTES = 16 << 20;

/**
 * The directory of a zip file, zip64 too.
 *
 * @returns by name
 * @throws AlignError `checkpoint-corrupt` for a damaged directory; `unsupported-model` for an entry that is compressed
 *   or encrypted, which cannot be read by ranges
 * @see PKWARE APPNOTE.TXT 6.3.10, sections 4.3.12 to 4.3.16 and 4.5.3
 */
export async function readZipDirectory(source: ByteSource): Promise<Map<string, ZipEntry>> {
  const file = source.name;
  const { offset, sizeBytes, count } = await findDirectory(source);
  const bytes = await source.read(offset, sizeBytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > bytes.length || view.getUint32(at, true) !== 0x02014b50) {
      throw corrupt(file, `entry ${i} of ${count} is not in the zip directory`, { entry: i, count });
    }
    const nameBytes = view.getUint16(at + 28, true);
    const extraBytes = view.getUint16(at + 30, true);
    const next = at + 46 + nameBytes + extraBytes + view.getUint16(at + 32, true);
    if (next > bytes.length) throw corrupt(file, `entry ${i} of the zip directory goes past its end`, { entry: i });
    const name = decodeUtf8(bytes.subarray(at + 46, at + 46 + nameBytes), file, `the name of zip entry ${i}`);
    if (entries.has(name)) throw corrupt(file, `the zip entry ${quote(name)} is listed twice`, { name });
    if ((view.getUint16(at + 8, true) & 1) !== 0) throw unsupported(file, `the zip entry ${quote(name)} is encrypted`);
    const method = view.getUint16(at + 10, true);
    if (method !== 0) {
      throw unsupported(
        file,
        `the zip entry ${quote(name)} is compressed (method ${method}); PyTorch stores them plain`,
      );
    }
    const sizes = readSizes(view, at, { nameBytes, extraBytes, file, name });
    if (sizes.compressed !== sizes.sizeBytes || sizes.headerOffset + 30 + nameBytes + sizes.sizeBytes > offset) {
      throw corrupt(
        file,
        `the zip entry ${quote(name)} of ${sizes.sizeBytes} bytes at ${sizes.headerOffset} does not fit before the ` +
          `directory at ${offset}`,
        { name, ...sizes },
      );
    }
    entries.set(name, { name, sizeBytes: sizes.sizeBytes, headerOffset: sizes.headerOffset });
    at = next;
  }
  return entries;
}

/**
 * Where an entry's bytes begin. Only its local header tells: PyTorch pads that to align what follows.
 *
 * @throws AlignError `checkpoint-corrupt` if the local header is not the one that the directory promised
 */
export async function zipDataOffset(source: ByteSource, entry: ZipEntry): Promise<number> {
  const name = new TextEncoder().encode(entry.name);
  const bytes = await source.read(entry.headerOffset, 30 + name.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const isSameName = view.getUint16(26, true) === name.length && name.every((byte, i) => byte === bytes[30 + i]);
  if (view.getUint32(0, true) !== 0x04034b50 || view.getUint16(8, true) !== 0 || !isSameName) {
    throw corrupt(source.name, `no local header of the zip entry ${quote(entry.name)} at ${entry.headerOffset}`, {
      name: entry.name,
    });
  }
  const offset = entry.headerOffset + 30 + name.length + view.getUint16(28, true);
  if (offset + entry.sizeBytes > source.sizeBytes) {
    throw corrupt(
      source.name,
      `the zip entry ${quote(entry.name)} ends at byte ${offset + entry.sizeBytes}; the file has ${source.sizeBytes}`,
      { name: entry.name },
    );
  }
  return offset;
}

interface Directory {
  offset: number;
  sizeBytes: number;
  count: number;
}

async function findDirectory(source: ByteSource): Promise<Directory> {
  const file = source.name;
  const tailBytes = Math.min(source.sizeBytes, END_BYTES + MAX_COMMENT_BYTES);
  const tail = await source.read(source.sizeBytes - tailBytes, tailBytes);
  const view = new DataView(tail.buffer, tail.byteOffset, tail.length);
  let end = tail.length - END_BYTES;
  // The end record is the one whose comment reaches the end of the file.
  while (
    end >= 0 &&
    !(view.getUint32(end, true) === 0x06054b50 && view.getUint16(end + 20, true) === tail.length - END_BYTES - end)
  ) {
    end -= 1;
  }
  if (end < 0)
    throw corrupt(file, `its ${source.sizeBytes} bytes do not end in a zip directory: it is cut off or no zip`);
  const endOffset = source.sizeBytes - tailBytes + end;
  let directory: Directory = {
    count: view.getUint16(end + 10, true),
    sizeBytes: view.getUint32(end + 12, true),
    offset: view.getUint32(end + 16, true),
  };
  let directoryEnd = endOffset;
  if (directory.count === 0xffff || directory.sizeBytes === 0xffffffff || directory.offset === 0xffffffff) {
    directoryEnd = await findEnd64(source, endOffset);
    const record = await source.read(directoryEnd, END64_BYTES);
    const view64 = new DataView(record.buffer, record.byteOffset, record.length);
    if (view64.getUint32(0, true) !== 0x06064b50) throw corrupt(file, `no zip64 end record at ${directoryEnd}`);
    directory = {
      count: readUint64(view64, 32, file),
      sizeBytes: readUint64(view64, 40, file),
      offset: readUint64(view64, 48, file),
    };
  }
  const { offset, sizeBytes, count } = directory;
  if (offset + sizeBytes > directoryEnd || sizeBytes > MAX_DIRECTORY_BYTES || count * 46 > sizeBytes) {
    throw corrupt(file, `its zip directory of ${count} entries and ${sizeBytes} bytes at ${offset} cannot be`, {
      ...directory,
    });
  }
  return directory;
}

/** @returns offset of the zip64 end record, which the locator before the end record holds */
async function findEnd64(source: ByteSource, endOffset: number): Promise<number> {
  const locatorOffset = endOffset - LOCATOR64_BYTES;
  if (locatorOffset >= 0) {
    const bytes = await source.read(locatorOffset, LOCATOR64_BYTES);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const offset = readUint64(view, 8, source.name);
    if (view.getUint32(0, true) === 0x07064b50 && offset + END64_BYTES <= locatorOffset) return offset;
  }
  throw corrupt(source.name, 'its zip64 directory is not where it should be');
}

/** Sizes of an entry: those that need more than 32 bits stand in the zip64 extra field, in this order. */
function readSizes(
  view: DataView,
  at: number,
  { nameBytes, extraBytes, file, name }: { nameBytes: number; extraBytes: number; file: string; name: string },
): { sizeBytes: number; compressed: number; headerOffset: number } {
  const short = [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)];
  if (short.includes(0xffffffff)) {
    const extraEnd = at + 46 + nameBytes + extraBytes;
    let field = at + 46 + nameBytes;
    while (field + 4 <= extraEnd && view.getUint16(field, true) !== 1) field += 4 + view.getUint16(field + 2, true);
    const fieldEnd = field + 4 <= extraEnd ? field + 4 + view.getUint16(field + 2, true) : field;
    let value = field + 4;
    for (const [i, size] of short.entries()) {
      if (size !== 0xffffffff) continue;
      if (value + 8 > Math.min(fieldEnd, extraEnd)) {
        throw corrupt(file, `the zip entry ${quote(name)} lacks its 64-bit sizes`, { name });
      }
      short[i] = readUint64(view, value, file);
      value += 8;
    }
  }
  const [sizeBytes = 0, compressed = 0, headerOffset = 0] = short;
  return { sizeBytes, compressed, headerOffset };
}

function readUint64(view: DataView, at: number, file: string): number {
  const value = view.getBigUint64(at, true);
  if (value > Number.MAX_SAFE_INTEGER) throw corrupt(file, `the zip directory holds the size ${value}`);
  return Number(value);
}
