import fc from 'fast-check';
import { AlignError, type AlignErrorCode } from '../../align/errors.ts';
import {
  fromBase64,
  MemoryFolder,
  MemorySource,
  readFixture,
  rowCount,
  safetensorsBytes,
} from './checkpoint.fixture.ts';
import { readGgufHeader } from './gguf.ts';
import { parseJsonObject } from './json-reader.ts';
import { openGguf } from './open-gguf.ts';
import { parseConfig } from './parse-config.ts';
import { decodeUtf8 } from './read-text.ts';
import { readSafetensors } from './safetensors.ts';
import { readShards } from './shards.ts';
import { checkpointTensor, type StoredTensor } from './stored-tensor.ts';
import { readTorch } from './torch.ts';

/** A parser, and files for it that are nearly right. */
export interface FuzzTarget {
  name: string;
  inputs: fc.Arbitrary<Uint8Array>;
  /** Opens and reads. */
  open(bytes: Uint8Array): Promise<unknown>;
  /** What it may fail with, and with nothing else: `checkpoint-corrupt` and `unsupported-model` if not said. */
  codes?: readonly AlignErrorCode[];
}

/** What became of an input. */
export type FuzzOutcome = 'opened' | AlignErrorCode;

const CHECKPOINT_CODES: readonly AlignErrorCode[] = ['checkpoint-corrupt', 'unsupported-model'];

/** Longest that an input of a few kilobytes may take: far above what one takes, far below a hang. */
const LONGEST_MS = 2000;

/** @throws whatever a parser must not do: another error, a read outside the file, a long time */
async function fuzzOne(target: FuzzTarget, bytes: Uint8Array): Promise<FuzzOutcome> {
  const startMs = performance.now();
  let outcome: FuzzOutcome = 'opened';
  try {
    await target.open(bytes);
  } catch (error) {
    if (!(error instanceof AlignError) || !(target.codes ?? CHECKPOINT_CODES).includes(error.code)) throw error;
    outcome = error.code;
  }
  const tookMs = performance.now() - startMs;
  if (tookMs > LONGEST_MS) throw new Error(`${bytes.length} bytes took ${tookMs.toFixed(0)} ms.`);
  return outcome;
}

/**
 * Puts many inputs through a target.
 *
 * @returns how often each outcome came
 * @throws Error of fast-check with the smallest input that a parser must not treat so
 */
export async function fuzzMany(
  target: FuzzTarget,
  parameters: fc.Parameters<[Uint8Array]>,
): Promise<Partial<Record<FuzzOutcome, number>>> {
  const counts: Partial<Record<FuzzOutcome, number>> = {};
  await fc.assert(
    fc.asyncProperty(target.inputs, async (bytes) => {
      const outcome = await fuzzOne(target, bytes);
      counts[outcome] = (counts[outcome] ?? 0) + 1;
    }),
    parameters,
  );
  return counts;
}

/** A valid file, and where its header is: most changes go there. */
export interface Seed {
  bytes: Uint8Array;
  headerStart: number;
  headerEnd: number;
}

type Edit =
  | { type: 'set'; at: number; values: Uint8Array }
  | { type: 'insert'; at: number; values: Uint8Array }
  | { type: 'delete'; at: number; length: number }
  | { type: 'copy'; at: number; from: number; length: number }
  | { type: 'flip'; at: number; bit: number }
  | { type: 'number'; at: number; text: string }
  | { type: 'cut'; at: number };

const INTERESTING = [
  0n,
  1n,
  2n,
  3n,
  7n,
  31n,
  255n,
  65535n,
  1n << 31n,
  (1n << 32n) - 1n,
  1n << 40n,
  (1n << 53n) - 1n,
  1n << 53n,
  1n << 62n,
  (1n << 64n) - 1n,
];
const NUMBER_TEXTS = [
  '0',
  '1',
  '-1',
  '0.5',
  '1e3',
  '1e400',
  '9007199254740991',
  '9007199254740992',
  '18446744073709551616',
  '01',
  '""',
  'null',
  '[]',
  '{}',
  'true',
  '[[[[',
  '\\ud800',
];

const position = fc.nat({ max: 0xffff });
const interesting = fc.tuple(fc.constantFrom(...INTERESTING), fc.constantFrom(1, 2, 4, 8)).map(([value, width]) => {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
  return bytes.slice(0, width);
});
const anyBytes = fc.uint8Array({ minLength: 1, maxLength: 8 });
const values = fc.oneof(interesting, anyBytes);
const edit: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant('set' as const), at: position, values }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('flip' as const), at: position, bit: fc.nat({ max: 7 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('number' as const),
      at: position,
      text: fc.constantFrom(...NUMBER_TEXTS),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('insert' as const), at: position, values }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('delete' as const),
      at: position,
      length: fc.integer({ min: 1, max: 40 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('copy' as const),
      at: position,
      from: position,
      length: fc.integer({ min: 1, max: 64 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('cut' as const), at: position }) },
);

function applyEdit(bytes: Uint8Array, change: Edit, start: number, end: number): Uint8Array {
  const place = (value: number) => start + (value % Math.max(end - start, 1));
  const at = Math.min(place(change.at), bytes.length);
  switch (change.type) {
    case 'set': {
      const result = bytes.slice();
      result.set(change.values.subarray(0, Math.max(result.length - at, 0)), at);
      return result;
    }
    case 'flip': {
      const result = bytes.slice();
      if (at < result.length) result[at]! ^= 1 << change.bit;
      return result;
    }
    case 'insert':
      return join(bytes.subarray(0, at), change.values, bytes.subarray(at));
    case 'delete':
      return join(bytes.subarray(0, at), bytes.subarray(at + change.length));
    case 'copy': {
      const from = place(change.from);
      return join(bytes.subarray(0, at), bytes.slice(from, from + change.length), bytes.subarray(at));
    }
    case 'number': {
      // The next run of digits, for headers that are text.
      let first = at;
      while (first < bytes.length && !isDigit(bytes[first]!)) first += 1;
      let last = first;
      while (last < bytes.length && isDigit(bytes[last]!)) last += 1;
      return join(bytes.subarray(0, first), new TextEncoder().encode(change.text), bytes.subarray(last));
    }
    case 'cut':
      return bytes.slice(0, at);
    default:
      change satisfies never;
      throw new Error('Unreachable.');
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function join(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

/** One to four edits of a seed, nine in ten of them in its header. */
export function mutated(seeds: readonly Seed[]): fc.Arbitrary<Uint8Array> {
  return fc
    .record({
      seed: fc.constantFrom(...seeds),
      edits: fc.array(fc.tuple(edit, fc.nat({ max: 9 })), { minLength: 1, maxLength: 4 }),
    })
    .map(({ seed, edits }) => {
      let { bytes } = seed;
      for (const [change, where] of edits) {
        const [start, end] = where > 0 ? [seed.headerStart, seed.headerEnd] : [0, seed.bytes.length];
        bytes = applyEdit(bytes, change, start, Math.min(end, bytes.length));
      }
      return bytes;
    });
}

/** Reads the first and the last row of everything that can be read. */
async function readSome(tensors: Iterable<StoredTensor>): Promise<void> {
  for (const tensor of tensors) {
    const { rows, shape } = tensor;
    if ('unreadable' in rows || shape.length === 0 || shape.length > 2 || rowCount(tensor) === 0) continue;
    const readable = checkpointTensor(tensor, rows);
    await readable.readRows(0, 1);
    await readable.readRawRows(rowCount(tensor) - 1, 1);
  }
}

const SAFETENSORS_HEADER = {
  __metadata__: { format: 'pt' },
  'model.a': { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] },
  'model.b': { dtype: 'BF16', shape: [4], data_offsets: [24, 32] },
  c: { dtype: 'I64', shape: [1, 1, 2], data_offsets: [32, 48] },
};

function safetensorsTarget(): FuzzTarget {
  const bytes = safetensorsBytes(SAFETENSORS_HEADER, 48);
  const text = new TextEncoder().encode(JSON.stringify(SAFETENSORS_HEADER));
  // With the length as it was, nearly every change of length ends at once: half of the inputs get the right one.
  const rightLength = mutated([{ bytes: text, headerStart: 0, headerEnd: text.length }]).map((header) => {
    const file = safetensorsBytes('', header.length + 48, BigInt(header.length));
    file.set(header, 8);
    return file;
  });
  return {
    name: 'safetensors',
    inputs: fc.oneof(mutated([{ bytes, headerStart: 0, headerEnd: bytes.length - 48 }]), rightLength),
    open: async (input) => readSome((await readSafetensors(new MemorySource('x.safetensors', input))).values()),
  };
}

function ggufHeaderTarget(): FuzzTarget {
  const bytes = fromBase64(readFixture<{ file: string }>('gguf-metadata.json').file);
  return {
    name: 'gguf header',
    inputs: mutated([{ bytes, headerStart: 0, headerEnd: bytes.length - 128 }]),
    open: (input) => readGgufHeader(new MemorySource('x.gguf', input)),
  };
}

function ggufTarget(): FuzzTarget {
  const seeds = ['gguf.json', 'gguf-tied.json'].map((name) => {
    const bytes = fromBase64(Object.values(readFixture(name).files)[0]!);
    return { bytes, headerStart: 0, headerEnd: Buffer.from(bytes).lastIndexOf('.weight') + 48 };
  });
  return {
    name: 'gguf model',
    inputs: mutated(seeds),
    async open(input) {
      const { tensors } = await openGguf(new MemorySource('x.gguf', input));
      for (const tensor of tensors.values()) {
        await tensor.readRows(0, 1);
        await tensor.readRawRows(rowCount(tensor) - 1, 1);
      }
    },
  };
}

function torchTarget(): FuzzTarget {
  const { cases } = readFixture<{ cases: Record<string, { file: string; code?: string }> }>('torch-cases.json');
  const seeds = Object.values(cases)
    .filter(({ code }) => code === undefined)
    .map(({ file }) => {
      const bytes = fromBase64(file);
      return { bytes, headerStart: 0, headerEnd: bytes.length };
    });
  const pickles = seeds.map(({ bytes }) => {
    const headerStart = Buffer.from(bytes).indexOf(Buffer.of(0x80, 2));
    const end = Buffer.from(bytes).indexOf('PK', Math.max(headerStart, 0));
    return headerStart < 0 ? undefined : { bytes, headerStart, headerEnd: end };
  });
  return {
    name: 'torch',
    inputs: fc.oneof(mutated(seeds), mutated(pickles.filter((seed) => seed !== undefined))),
    open: async (input) => readSome((await readTorch(new MemorySource('x.bin', input))).values()),
  };
}

function configTarget(): FuzzTarget {
  const bytes = fromBase64(readFixture('safetensors.json').files['config.json']!);
  return {
    name: 'config.json',
    inputs: mutated([{ bytes, headerStart: 0, headerEnd: bytes.length }]),
    open: async (input) =>
      parseConfig(parseJsonObject(decodeUtf8(input, 'config.json', 'its text'), 'config.json'), 'config.json'),
  };
}

function shardIndexTarget(): FuzzTarget {
  const { __metadata__, ...tensors } = SAFETENSORS_HEADER;
  const shard = safetensorsBytes(tensors, 48);
  const index = {
    metadata: { total_size: 48 },
    weight_map: Object.fromEntries(Object.keys(tensors).map((name) => [name, 'a.safetensors'])),
  };
  const bytes = new TextEncoder().encode(JSON.stringify(index));
  return {
    name: 'shard index',
    inputs: mutated([{ bytes, headerStart: 0, headerEnd: bytes.length }]),
    async open(input) {
      const folder = new MemoryFolder({ 'index.json': input, 'a.safetensors': shard });
      try {
        await readShards(folder, await folder.list(), 'index.json', readSafetensors);
      } catch (error) {
        // A shard of another name is not there, which is the right thing to say.
        if ((error as { code?: string }).code !== 'weights-missing') throw error;
      }
    },
  };
}

export function fuzzTargets(): FuzzTarget[] {
  return [safetensorsTarget(), ggufHeaderTarget(), ggufTarget(), torchTarget(), configTarget(), shardIndexTarget()];
}
