import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { AlignError } from '../../align/errors.ts';
import type { ByteSource, SourceFolder } from '../byte-source.ts';
import type { CheckpointTensor } from './checkpoint.ts';

/** A checkpoint made by scripts/reference/checkpoint_fixtures.py. */
export interface CheckpointFixture {
  /** Base64 by path. */
  files: Record<string, string>;
  /** Of the float32 values in Hugging Face's order of rows. */
  tensors: Record<string, { storedType: string; shape: number[]; sha256: string }>;
}

export function readFixture<Fixture = CheckpointFixture>(name: string): Fixture {
  return JSON.parse(readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8')) as Fixture;
}

export function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}

/** A file in memory. It records what was read, and a read outside it is a failure of the reader, not an AlignError. */
export class MemorySource implements ByteSource {
  readonly name: string;
  readonly reads: { offset: number; length: number }[] = [];
  readonly #bytes: Uint8Array;

  constructor(name: string, bytes: Uint8Array) {
    this.name = name;
    this.#bytes = bytes;
  }

  get sizeBytes(): number {
    return this.#bytes.length;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.sizeBytes)) {
      throw new RangeError(`${this.name}: ${length} bytes at ${offset} were asked for; it has ${this.sizeBytes}`);
    }
    this.reads.push({ offset, length });
    return this.#bytes.slice(offset, offset + length);
  }
}

export class MemoryFolder implements SourceFolder {
  readonly name = 'the folder';
  readonly sources: ReadonlyMap<string, MemorySource>;

  constructor(files: Record<string, Uint8Array>) {
    this.sources = new Map(Object.entries(files).map(([path, bytes]) => [path, new MemorySource(path, bytes)]));
  }

  static of(fixture: CheckpointFixture, changes: Record<string, Uint8Array | undefined> = {}): MemoryFolder {
    const files: Record<string, Uint8Array | undefined> = {
      ...Object.fromEntries(Object.entries(fixture.files).map(([path, text]) => [path, fromBase64(text)])),
      ...changes,
    };
    return new MemoryFolder(
      Object.fromEntries(
        Object.entries(files).filter((entry): entry is [string, Uint8Array] => entry[1] !== undefined),
      ),
    );
  }

  async list(): Promise<readonly string[]> {
    return [...this.sources.keys()];
  }

  async open(path: string): Promise<MemorySource> {
    const source = this.sources.get(path);
    if (source === undefined) throw new Error(`${path} was not listed`);
    return source;
  }
}

export function rowCount(tensor: Pick<CheckpointTensor, 'shape'>): number {
  return tensor.shape.length < 2 ? 1 : (tensor.shape[0] ?? 0);
}

export async function sha256OfRows(tensor: CheckpointTensor, chunk = rowCount(tensor)): Promise<string> {
  const hash = createHash('sha256');
  for (let first = 0; first < rowCount(tensor); first += chunk) {
    const rows = await tensor.readRows(first, Math.min(chunk, rowCount(tensor) - first));
    hash.update(new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength));
  }
  return hash.digest('hex');
}

/** Bytes of a safetensors file with the header as given. */
export function safetensorsBytes(header: string | object, dataBytes: number, headerLength?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, headerLength ?? BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

/** An entry of a zip file, and what its headers say of it where that is not the truth. */
export interface ZipFixtureEntry {
  name: string;
  data: Uint8Array;
  localName?: string;
  /** Of the local header: PyTorch pads with it. */
  extraBytes?: number;
  directory?: { flags?: number; method?: number; sizeBytes?: number; compressedBytes?: number; headerOffset?: number };
}

/** A zip file of stored entries. `end` overrides what the end record says. */
export function zipBytes(
  entries: readonly ZipFixtureEntry[],
  end: { count?: number; sizeBytes?: number; offset?: number; padding?: number } = {},
): Uint8Array {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, data, localName = name, extraBytes = 0, directory: says = {} } of entries) {
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50);
    local.writeUInt16LE(localName.length, 26);
    local.writeUInt16LE(extraBytes, 28);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50);
    central.writeUInt16LE(says.flags ?? 0, 8);
    central.writeUInt16LE(says.method ?? 0, 10);
    central.writeUInt32LE(says.compressedBytes ?? says.sizeBytes ?? data.length, 20);
    central.writeUInt32LE(says.sizeBytes ?? data.length, 24);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt32LE(says.headerOffset ?? offset, 42);
    directory.push(central, Buffer.from(name));
    const entry = [local, Buffer.from(localName), Buffer.alloc(extraBytes), Buffer.from(data)];
    parts.push(...entry);
    offset += Buffer.concat(entry).length;
  }
  const list = Buffer.concat([...directory, Buffer.alloc(end.padding ?? 0)]);
  const last = Buffer.alloc(22);
  last.writeUInt32LE(0x06054b50);
  last.writeUInt16LE(end.count ?? entries.length, 10);
  last.writeUInt32LE(end.sizeBytes ?? list.length, 12);
  last.writeUInt32LE(end.offset ?? offset, 16);
  return Uint8Array.from(Buffer.concat([...parts, list, last]));
}

/** The AlignError that a promise fails with. Anything else, success too, is a failure of the test. */
export async function failureOf(promise: Promise<unknown>): Promise<AlignError> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    if ((error as Error).name === 'AlignError') return error as AlignError;
    throw error;
  }
  throw new Error(`It succeeded with ${String(value)}.`);
}
