import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { StoredTensor, TensorBytes } from './make-checkpoint.ts';

/**
 * A float32 state dict as `torch.save` writes it: a zip of stored entries, `data.pkl` and one storage per tensor.
 *
 * @param path  the file stays below 4 GiB: no zip64
 */
export async function writeTorchFile(
  path: string,
  tensors: readonly StoredTensor[],
  bytesOf: TensorBytes,
): Promise<void> {
  const file = await open(path, 'w');
  let position = 0;
  const directory: Buffer[] = [];
  async function write(bytes: Uint8Array): Promise<void> {
    await file.write(bytes);
    position += bytes.length;
  }
  async function entry(name: string, sizeBytes: number, content: Iterable<Uint8Array>): Promise<void> {
    const offset = position;
    const local = zipHeader(0x04034b50, name, sizeBytes, 0, undefined);
    await write(local);
    let checksum = 0;
    for (const piece of content) {
      checksum = crc32(piece, checksum);
      await write(piece);
    }
    // The checksum is known only now.
    await file.write(zipHeader(0x04034b50, name, sizeBytes, checksum, undefined), 0, local.length, offset);
    directory.push(zipHeader(0x02014b50, name, sizeBytes, checksum, offset));
  }
  try {
    const pickled = pickleStateDict(tensors);
    await entry('archive/data.pkl', pickled.length, [pickled]);
    for (const [i, { shape }] of tensors.entries()) {
      await entry(`archive/data/${i}`, 4 * elements(shape), bytesOf(shape, i));
    }
    await entry('archive/version', 2, [Buffer.from('3\n')]);
    const start = position;
    for (const header of directory) await write(header);
    const end = Buffer.alloc(22);
    end.writeUInt32LE(0x06054b50, 0);
    end.writeUInt16LE(directory.length, 8);
    end.writeUInt16LE(directory.length, 10);
    end.writeUInt32LE(position - start, 12);
    end.writeUInt32LE(start, 16);
    await write(end);
  } finally {
    await file.close();
  }
}

/** The header before an entry, or with `offset` the one in the directory at the end. */
function zipHeader(signature: number, name: string, sizeBytes: number, checksum: number, offset: number | undefined) {
  // The directory's has two more bytes (who wrote it) before what both have.
  const shift = offset === undefined ? 0 : 2;
  const header = Buffer.alloc(offset === undefined ? 30 : 46);
  header.writeUInt32LE(signature, 0);
  header.writeUInt32LE(checksum, 14 + shift);
  header.writeUInt32LE(sizeBytes, 18 + shift);
  header.writeUInt32LE(sizeBytes, 22 + shift);
  header.writeUInt16LE(name.length, 26 + shift);
  if (offset !== undefined) header.writeUInt32LE(offset, 42);
  return Buffer.concat([header, Buffer.from(name)]);
}

/** @see Python's pickletools for the opcodes; protocol 2, as torch uses */
function pickleStateDict(tensors: readonly StoredTensor[]): Buffer {
  const parts: Buffer[] = [];
  const raw = (text: string) => void parts.push(Buffer.from(text, 'latin1'));
  const global = (module: string, name: string) => raw(`c${module}\n${name}\n`);
  const integer = (value: number) => {
    raw('J');
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value);
    parts.push(bytes);
  };
  const text = (value: string) => {
    raw('X');
    const length = Buffer.alloc(4);
    length.writeUInt32LE(value.length);
    parts.push(length);
    raw(value);
  };
  const tuple = (values: readonly number[]) => {
    raw('(');
    for (const value of values) integer(value);
    raw('t');
  };
  raw('\x80\x02}(');
  for (const [i, { name, shape }] of tensors.entries()) {
    text(name);
    global('torch._utils', '_rebuild_tensor_v2');
    raw('((');
    text('storage');
    global('torch', 'FloatStorage');
    text(String(i));
    text('cpu');
    integer(elements(shape));
    raw('tQ');
    integer(0);
    tuple(shape);
    tuple(shape.map((_, axis) => elements(shape.slice(axis + 1))));
    raw('\x89');
    global('collections', 'OrderedDict');
    raw(')RtR');
  }
  raw('u.');
  return Buffer.concat(parts);
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
