import type { ByteSource } from '../byte-source.ts';
import { corrupt, quote, unsupported } from './checkpoint-errors.ts';
import type { StoredType } from './checkpoint.ts';
import { BLOCK_FORMATS } from './dequantize.ts';
import { decodeUtf8 } from './read-text.ts';
import { elementCount, type StoredRows, type StoredTensor } from './stored-tensor.ts';
import { type Pickled, PickledCustom, PickledGlobal, PickledTuple, unpickle } from './unpickle.ts';
import { readZipDirectory, zipDataOffset, type ZipEntry } from './zip.ts';

/** Names and shapes of 363 tensors (13B) take 60 kB. */
const MAX_PICKLE_BYTES = 4 << 20;
/** Local headers read at once: over HTTP one at a time would take minutes, and all at once a thousand requests. */
const HEADERS_AT_ONCE = 16;

/** PyTorch's typed storages: bytes of an element, and our name for those that we read. */
const STORAGES: Readonly<Record<string, { dtype: string; elementBytes: number; storedType?: StoredType }>> = {
  'torch.FloatStorage': { dtype: 'float32', elementBytes: 4, storedType: 'F32' },
  'torch.HalfStorage': { dtype: 'float16', elementBytes: 2, storedType: 'F16' },
  'torch.BFloat16Storage': { dtype: 'bfloat16', elementBytes: 2, storedType: 'BF16' },
  'torch.DoubleStorage': { dtype: 'float64', elementBytes: 8 },
  'torch.LongStorage': { dtype: 'int64', elementBytes: 8 },
  'torch.IntStorage': { dtype: 'int32', elementBytes: 4 },
  'torch.ShortStorage': { dtype: 'int16', elementBytes: 2 },
  'torch.CharStorage': { dtype: 'int8', elementBytes: 1 },
  'torch.ByteStorage': { dtype: 'uint8', elementBytes: 1 },
  'torch.BoolStorage': { dtype: 'bool', elementBytes: 1 },
};
const GLOBALS: ReadonlySet<string> = new Set([
  ...Object.keys(STORAGES),
  'collections.OrderedDict',
  'torch._utils._rebuild_tensor_v2',
  'torch._utils._rebuild_parameter',
]);

interface StorageReference {
  /** A key of {@link STORAGES}. */
  type: string;
  /** Name of its zip entry in `data/`. */
  key: string;
  elements: number;
}

interface TensorReference {
  storage: StorageReference;
  /** In elements, as the strides. */
  offset: number;
  shape: number[];
  strides: number[];
}

type Reference = StorageReference | TensorReference;

/**
 * The tensors of a state dict written by `torch.save`: a zip file with a pickle that names the tensors and one
 * uncompressed entry per storage. The pickle is read as data; nothing in it can run.
 *
 * @returns by name
 * @throws AlignError `unsupported-model` for the format before PyTorch 1.6, a global that is not part of a state dict,
 *   a value that is no tensor; `checkpoint-corrupt` for a tensor outside its storage, or a storage outside the file
 * @see PyTorch torch/serialization.py (_save), torch/_utils.py (_rebuild_tensor_v2)
 */
export async function readTorch(source: ByteSource): Promise<Map<string, StoredTensor>> {
  const file = source.name;
  await refuseOtherFormats(source);
  const entries = await readZipDirectory(source);
  const pickles = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  const [pickleName] = pickles;
  if (pickleName === undefined || pickles.length > 1) {
    throw corrupt(file, `a zip file of torch.save has one data.pkl; this one has ${pickles.length}`);
  }
  const folder = pickleName.slice(0, -'data.pkl'.length);
  await checkByteOrder(source, entries.get(`${folder}byteorder`));
  const references = readStateDict(await readEntry(source, entries.get(pickleName)!, MAX_PICKLE_BYTES), file);

  const storageOffsets = await locateStorages(source, entries, folder, references);
  return new Map(
    [...references].map(([name, tensor]) => {
      const rows = rowsOf(name, tensor, storageOffsets.get(tensor.storage.key) ?? 0, file);
      return [name, { name, source, shape: tensor.shape, rows }];
    }),
  );
}

/** Bytes with which `torch.save` began before PyTorch 1.6: a pickled 80-bit magic number. */
const LEGACY_START = [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

async function refuseOtherFormats(source: ByteSource): Promise<void> {
  const start = await source.read(0, Math.min(LEGACY_START.length, source.sizeBytes));
  if (LEGACY_START.every((byte, i) => start[i] === byte)) {
    throw unsupported(
      source.name,
      'it is in the pickle format from before PyTorch 1.6; load it and save it again with a newer PyTorch',
    );
  }
  if (start[0] !== 0x50 || start[1] !== 0x4b)
    throw corrupt(source.name, 'it does not start like a zip file of torch.save');
}

async function checkByteOrder(source: ByteSource, entry: ZipEntry | undefined): Promise<void> {
  if (entry === undefined) return;
  const order = decodeUtf8(await readEntry(source, entry, 16), source.name, 'its byteorder');
  if (order !== 'little')
    throw unsupported(source.name, `its byte order is ${quote(order)}; we read little-endian files`);
}

async function readEntry(source: ByteSource, entry: ZipEntry, limitBytes: number): Promise<Uint8Array> {
  if (entry.sizeBytes > limitBytes) {
    throw corrupt(
      source.name,
      `the zip entry ${quote(entry.name)} has ${entry.sizeBytes} bytes (at most ${limitBytes})`,
    );
  }
  return source.read(await zipDataOffset(source, entry), entry.sizeBytes);
}

function readStateDict(pickle: Uint8Array, file: string): Map<string, TensorReference> {
  const value = unpickle<Reference>(pickle, {
    file,
    globals: GLOBALS,
    call: (name, args) => callGlobal(name, args, file),
    persistent: (id) => new PickledCustom(readStorageId(id, file)),
  });
  if (!(value instanceof Map)) throw unsupported(file, 'it holds something else than a state dict');
  const tensors = new Map<string, TensorReference>();
  for (const [name, tensor] of value) {
    if (typeof name !== 'string' || !(tensor instanceof PickledCustom) || !('shape' in tensor.value)) {
      throw unsupported(file, `${quote(String(name))} in it is no tensor; a state dict holds nothing else`, { name });
    }
    tensors.set(name, tensor.value);
  }
  return tensors;
}

function callGlobal(name: string, args: readonly Pickled<Reference>[], file: string): Pickled<Reference> {
  switch (name) {
    case 'collections.OrderedDict':
      if (args.length > 0) throw corrupt(file, 'its pickle makes an OrderedDict with arguments');
      return new Map();
    case 'torch._utils._rebuild_parameter': {
      const [tensor] = args;
      if (!(tensor instanceof PickledCustom) || !('shape' in tensor.value)) {
        throw corrupt(file, 'its pickle makes a parameter of something else than a tensor');
      }
      return tensor;
    }
    case 'torch._utils._rebuild_tensor_v2':
      return new PickledCustom(rebuildTensor(args, file));
    default:
      throw corrupt(file, `its pickle calls ${name}`);
  }
}

/** @see PyTorch torch/_utils.py: storage, storage_offset, size, stride, requires_grad, backward_hooks, metadata */
function rebuildTensor(args: readonly Pickled<Reference>[], file: string): TensorReference {
  const [storage, offset, size, stride, , , metadata] = args;
  if (!(storage instanceof PickledCustom) || 'shape' in storage.value || !isSize(offset)) {
    throw corrupt(file, 'its pickle makes a tensor without a storage');
  }
  const shape = readSizes(size);
  const strides = readSizes(stride);
  if (shape === undefined || strides?.length !== shape.length) {
    throw corrupt(file, 'its pickle makes a tensor whose size and stride do not match');
  }
  // Marks of a conjugated or negated view: the stored bytes would be read with the wrong sign.
  if (metadata !== undefined && metadata !== null && !(metadata instanceof Map && metadata.size === 0)) {
    throw unsupported(file, 'its pickle makes a tensor with metadata');
  }
  return { storage: storage.value, offset, shape, strides };
}

/** @see PyTorch torch/serialization.py: ('storage', type, key, location, elements) */
function readStorageId(id: Pickled<Reference>, file: string): StorageReference {
  const [kind, type, key, , elements] = id instanceof PickledTuple ? id.items : [];
  if (
    kind !== 'storage' ||
    !(type instanceof PickledGlobal && Object.hasOwn(STORAGES, type.name)) ||
    typeof key !== 'string' ||
    !isSize(elements)
  ) {
    throw corrupt(file, 'its pickle has a persistent id that is no storage');
  }
  return { type: type.name, key, elements };
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function readSizes(value: Pickled<Reference> | undefined): number[] | undefined {
  return value instanceof PickledTuple && value.items.length <= 64 && value.items.every(isSize)
    ? [...value.items]
    : undefined;
}

/**
 * Where the data of each storage begins.
 *
 * @returns offsets from the start of the file, by key
 */
async function locateStorages(
  source: ByteSource,
  entries: ReadonlyMap<string, ZipEntry>,
  folder: string,
  references: ReadonlyMap<string, TensorReference>,
): Promise<Map<string, number>> {
  const file = source.name;
  const needed = new Map<string, ZipEntry>();
  for (const [name, { storage }] of references) {
    const entry = entries.get(`${folder}data/${storage.key}`);
    const expected = storage.elements * (STORAGES[storage.type]?.elementBytes ?? 0);
    if (entry?.sizeBytes !== expected) {
      throw corrupt(
        file,
        `the storage ${quote(storage.key)} of ${quote(name)} should have ${expected} bytes and ` +
          (entry === undefined ? 'is missing' : `has ${entry.sizeBytes}`),
        { tensor: name, expected, actual: entry?.sizeBytes },
      );
    }
    needed.set(storage.key, entry);
  }
  const list = [...needed];
  const offsets = new Map<string, number>();
  for (let i = 0; i < list.length; i += HEADERS_AT_ONCE) {
    const batch = list.slice(i, i + HEADERS_AT_ONCE);
    const found = await Promise.all(batch.map(([, entry]) => zipDataOffset(source, entry)));
    for (const [j, [key]] of batch.entries()) offsets.set(key, found[j] ?? 0);
  }
  checkOverlap(list, offsets, file);
  return offsets;
}

/** Tensors may share a storage, storages share nothing. */
function checkOverlap(list: readonly [string, ZipEntry][], offsets: ReadonlyMap<string, number>, file: string): void {
  const ordered = [...list].sort(([, a], [, b]) => a.headerOffset - b.headerOffset);
  let end = 0;
  for (const [key, entry] of ordered) {
    if (entry.headerOffset < end) {
      throw corrupt(file, `the zip entry ${quote(entry.name)} at ${entry.headerOffset} overlaps the one before`, {
        key,
      });
    }
    end = (offsets.get(key) ?? 0) + entry.sizeBytes;
  }
}

/** Rows of a view: they must be contiguous in themselves, and may be apart. */
function rowsOf(name: string, tensor: TensorReference, storageOffset: number, file: string): StoredTensor['rows'] {
  const { storage, offset, shape, strides } = tensor;
  const elements = elementCount(shape, file, quote(name));
  const last = shape.reduce((sum, length, i) => sum + (length - 1) * (strides[i] ?? 0), offset);
  if (elements > 0 && !(last < storage.elements)) {
    throw corrupt(file, `${quote(name)} reaches element ${last} of a storage of ${storage.elements}`, {
      tensor: name,
      last,
      elements: storage.elements,
    });
  }
  const { dtype, storedType } = STORAGES[storage.type] ?? {};
  if (storedType === undefined) return { unreadable: `has dtype ${dtype}` };
  const columns = shape.at(-1) ?? 1;
  // The stride of a length of 1 is never stepped.
  if (columns > 1 && strides.at(-1) !== 1) return { unreadable: `is a view with strides [${strides.join(', ')}]` };
  const elementBytes = BLOCK_FORMATS[storedType].bytes;
  const rows: StoredRows = { storedType, offsetBytes: storageOffset + offset * elementBytes };
  const rowStride = shape.length === 2 && (shape[0] ?? 0) > 1 ? (strides[0] ?? 0) : columns;
  return rowStride === columns ? rows : { ...rows, strideBytes: rowStride * elementBytes };
}
