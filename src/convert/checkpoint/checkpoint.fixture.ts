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
