import { describe, expect, it } from 'vitest';
import { failureOf, fromBase64, MemorySource, readFixture, rowCount, zipBytes } from './checkpoint.fixture.ts';
import { checkpointTensor } from './stored-tensor.ts';
import { readTorch } from './torch.ts';

type TorchCase = { file: string } & (
  { tensor: { shape: number[]; values: number[] } } | { unreadable: string } | { code: string; says: string[] }
);
const { cases } = readFixture<{ cases: Record<string, TorchCase> }>('torch-cases.json');
const open = (bytes: Uint8Array) => readTorch(new MemorySource('x.bin', bytes));

describe('readTorch', () => {
  it.each(Object.entries(cases))('%s', async (_name, torchCase) => {
    const bytes = fromBase64(torchCase.file);
    if ('code' in torchCase) {
      const error = await failureOf(open(bytes));
      expect(error.code).toBe(torchCase.code);
      for (const text of torchCase.says) expect(error.message).toContain(text);
      return;
    }
    const stored = (await open(bytes)).get('w')!;
    if ('unreadable' in torchCase) {
      expect(stored.rows).toEqual({ unreadable: expect.stringContaining(torchCase.unreadable) as string });
      return;
    }
    expect(stored.shape).toEqual(torchCase.tensor.shape);
    if ('unreadable' in stored.rows) throw new Error(stored.rows.unreadable);
    const tensor = checkpointTensor(stored, stored.rows);
    expect([...(await tensor.readRows(0, rowCount(tensor)))]).toEqual(torchCase.tensor.values);
  });

  const plain = fromBase64(cases['a plain tensor']!.file);
  /** The file with bytes after `text` changed. */
  const changed = (text: string | number[], offset: number, bytes: number[], from = 0): Uint8Array => {
    const copy = Buffer.from(plain);
    const at = copy.indexOf(typeof text === 'string' ? text : Buffer.from(text), from);
    if (at < 0) throw new Error('not found');
    copy.set(bytes, at + offset);
    return new Uint8Array(copy);
  };
  // The tensor's arguments in the pickle: offset 0, size (3, 4), stride (4, 1).
  const [SIZE, STRIDE] = [
    [0x4b, 3, 0x4b, 4],
    [0x4b, 4, 0x4b, 1],
  ];

  it.each<[what: string, bytes: Uint8Array, says: string]>([
    ['a shape larger than its storage', changed(SIZE, 1, [4]), '“w” reaches element 15 of a storage of 12'],
    ['a stride that leaves its storage', changed(STRIDE, 1, [5]), '“w” reaches element 13 of a storage of 12'],
    // The number of elements, after the storage's device.
    ['a storage of another size', changed('cpuq', 6, [13]), '“0” of “w” should have 52 bytes and has 48'],
    ['a storage that is not there', changed('X\x01\x00\x00\x000', 5, [0x39]), 'the storage “9” of “w”'],
    ['another magic number at the end', changed([0x50, 0x4b, 5, 6], 0, [0]), 'do not end in a zip directory'],
    ['another magic number in the directory', changed([0x50, 0x4b, 1, 2], 0, [0]), 'entry 0 of'],
    ['another magic number at an entry', changed([0x50, 0x4b, 3, 4], 2, [0]), 'no local header'],
    ['no zip at all', new Uint8Array(1000), 'does not start like a zip file'],
    ['an empty file', new Uint8Array(0), 'does not start like a zip file'],
  ])('refuses %s', async (_what, bytes, says) => {
    const error = await failureOf(open(bytes));
    expect(error.code).toBe('checkpoint-corrupt');
    expect(error.message).toContain(says);
  });

  it('refuses storages that share bytes', async () => {
    // The data of the first holds the local header of the second.
    const inner = zipBytes([{ name: 'x/data/1', data: new Uint8Array(8) }]).slice(0, 46);
    const start = 'x/data/0'.length + 30;
    const bytes = zipBytes([
      { name: 'x/data/0', data: inner.slice(0, 44) },
      { name: 'x/data/1', data: new Uint8Array(8), directory: { headerOffset: start, sizeBytes: 4 } },
      { name: 'x/data.pkl', data: stateDictPickle({ a: { key: '0', elements: 11 }, b: { key: '1', elements: 1 } }) },
    ]);
    const error = await failureOf(open(bytes));
    expect(error.code).toBe('checkpoint-corrupt');
    expect(error.message).toContain(`“x/data/1” at ${start} overlaps`);
  });

  it('refuses two pickles, none, and one of 5 MB', async () => {
    const pickle = { name: 'x/data.pkl', data: stateDictPickle({}) };
    expect((await open(zipBytes([pickle]))).size).toBe(0);
    for (const [entries, says] of [
      [[pickle, { ...pickle, name: 'y/data.pkl' }], 'this one has 2'],
      [[{ ...pickle, name: 'x/y/data.pkl' }], 'this one has 0'],
      [[{ ...pickle, data: new Uint8Array(5 << 20) }], '“x/data.pkl” has 5242880 bytes'],
    ] as const) {
      const error = await failureOf(open(zipBytes(entries)));
      expect(error.code).toBe('checkpoint-corrupt');
      expect(error.message).toContain(says);
    }
  });

  it('refuses a big-endian file by name', async () => {
    const copy = Buffer.from(plain);
    const at = copy.indexOf('little');
    copy.write('bigbig', at);
    const error = await failureOf(open(new Uint8Array(copy)));
    expect(error.code).toBe('unsupported-model');
    expect(error.message).toContain('bigbig');
  });
});

/** The pickle of a state dict of float32 vectors, each a whole storage. */
function stateDictPickle(vectors: Record<string, { key: string; elements: number }>): Uint8Array {
  const text = (value: string) => [0x58, value.length, 0, 0, 0, ...Buffer.from(value)];
  const global = (module: string, name: string) => [0x63, ...Buffer.from(`${module}\n${name}\n`)];
  const items = Object.entries(vectors).flatMap(([name, { key, elements }]) => [
    ...text(name),
    ...global('torch._utils', '_rebuild_tensor_v2'),
    ...[0x28, 0x28, ...text('storage'), ...global('torch', 'FloatStorage'), ...text(key), ...text('cpu')],
    ...[0x4b, elements, 0x74, 0x51], // The storage's persistent id
    ...[0x4b, 0, 0x4b, elements, 0x85, 0x4b, 1, 0x85, 0x89], // Offset, size, stride, requires_grad
    ...[...global('collections', 'OrderedDict'), 0x29, 0x52, 0x74, 0x52], // Hooks; the call
  ]);
  return Uint8Array.of(0x80, 2, 0x7d, 0x28, ...items, 0x75, 0x2e);
}
