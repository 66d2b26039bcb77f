import { describe, expect, it } from 'vitest';
import { failureOf, MemorySource, safetensorsBytes } from './checkpoint.fixture.ts';
import { readSafetensors } from './safetensors.ts';

const two = {
  a: { dtype: 'F32', shape: [2], data_offsets: [0, 8] },
  b: { dtype: 'BF16', shape: [2, 3], data_offsets: [8, 20] },
};
const read = (header: string | object, dataBytes = 20, headerLength?: bigint) =>
  readSafetensors(new MemorySource('x.safetensors', safetensorsBytes(header, dataBytes, headerLength)));

describe('readSafetensors', () => {
  it('lists tensors with their place in the file', async () => {
    const tensors = await read({ __metadata__: { format: 'pt' }, ...two });
    const dataStart = safetensorsBytes({ __metadata__: { format: 'pt' }, ...two }, 0).length;
    expect([...tensors.values()].map(({ name, shape, rows }) => ({ name, shape, rows }))).toEqual([
      { name: 'a', shape: [2], rows: { storedType: 'F32', offsetBytes: dataStart } },
      { name: 'b', shape: [2, 3], rows: { storedType: 'BF16', offsetBytes: dataStart + 8 } },
    ]);
  });

  it('allows what the format allows: space at the end, no tensors, empty tensors, types that we do not read', async () => {
    expect((await read(`${JSON.stringify(two)}   `)).size).toBe(2);
    expect((await read('{}', 0)).size).toBe(0);
    const tensors = await read(
      {
        empty: { dtype: 'F32', shape: [0, 4], data_offsets: [0, 0] },
        scalar: { dtype: 'I64', shape: [], data_offsets: [0, 8] },
        packed: { dtype: 'F4', shape: [3], data_offsets: [8, 10] },
      },
      10,
    );
    expect(tensors.get('scalar')!.rows).toEqual({ unreadable: 'has dtype I64' });
    expect(tensors.get('packed')!.rows).toEqual({ unreadable: 'has dtype F4' });
  });

  it.each<[what: string, header: string | object, says: string, dataBytes?: number]>([
    ['a gap', { a: two.a, b: { ...two.b, data_offsets: [9, 21] } }, 'leaves a gap after “a”', 21],
    ['an overlap', { a: two.a, b: { ...two.b, data_offsets: [4, 16] } }, 'overlaps “a”'],
    ['a tensor past the end', two, '“b” ends at data offset 20; the file has 19', 19],
    ['bytes after the last tensor', two, 'its tensors end at data offset 20; the file has 21', 21],
    ['a length that does not fit the shape', { a: { ...two.a, shape: [3] } }, '“a” of “F32” [3] cannot stand', 8],
    ['offsets the wrong way round', { a: { ...two.a, shape: [0], data_offsets: [8, 0] } }, 'offsets 8 to 0', 8],
    [
      'the same for a type of unknown size',
      { a: { dtype: 'F4', shape: [2], data_offsets: [8, 0] } },
      'offsets 8 to 0',
      8,
    ],
    ['a name that stands twice', '{"a":{},"a":{}}', 'needs dtype'],
    ['a tensor that stands twice', `{"a":${JSON.stringify(two.a)},"a":${JSON.stringify(two.a)}}`, 'the key “a” once'],
    ['an offset that is no number', { a: { ...two.a, data_offsets: ['0', 8] } }, 'a whole number from 0'],
    ['a negative offset', { a: { ...two.a, data_offsets: [-8, 0] } }, 'a whole number from 0'],
    ['a broken offset', { a: { ...two.a, data_offsets: [0.5, 8.5] } }, 'a whole number from 0'],
    ['an offset beyond 2^53', '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,9007199254740992]}}', '2^53'],
    ['an exponent', '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4e0]}}', 'a whole number from 0'],
    ['more elements than a file can hold', { a: { ...two.a, shape: [2 ** 30, 2 ** 30] } }, 'more elements'],
    ['three offsets', { a: { ...two.a, data_offsets: [0, 8, 16] } }, 'more than 2'],
    ['an unknown member', { a: { ...two.a, stride: [1] } }, 'unknown member “stride”'],
    ['a missing member', { a: { dtype: 'F32', shape: [2] } }, 'needs dtype, shape and two data_offsets'],
    ['metadata that is no text', { __metadata__: { a: 1 } }, 'was expected'],
    ['a list instead of an object', '[]', '“{” was expected'],
    ['text after the header', `${JSON.stringify(two)}x`, 'the end of the text'],
    ['deep nesting', '['.repeat(100_000), '“{” was expected'],
    ['an empty header', '', '“{” was expected'],
  ])('refuses %s', async (_what, header, says, dataBytes) => {
    const error = await failureOf(read(header, dataBytes));
    expect(error.code).toBe('checkpoint-corrupt');
    expect(error.message).toMatch(/^x\.safetensors: /);
    expect(error.message).toContain(says);
  });

  it.each([200n, 100_000_001n, 2n ** 53n, 2n ** 64n - 1n])(
    'refuses a header of %d bytes without reading it',
    async (length) => {
      const source = new MemorySource('x.safetensors', safetensorsBytes(two, 20, length));
      const error = await failureOf(readSafetensors(source));
      expect(error.code).toBe('checkpoint-corrupt');
      expect(error.message).toContain(String(length));
      expect(source.reads).toEqual([{ offset: 0, length: 8 }]);
    },
  );

  it('refuses a header of 100 MB and a byte however large the file is', async () => {
    const source = new MemorySource('x.safetensors', safetensorsBytes(two, 20, 100_000_001n));
    Object.defineProperty(source, 'sizeBytes', { value: 2 ** 40 });
    expect((await failureOf(readSafetensors(source))).message).toContain('its header says 100000001 bytes');
  });

  it('refuses a file of 7 bytes and a header that is not UTF-8', async () => {
    expect((await failureOf(readSafetensors(new MemorySource('x', new Uint8Array(7))))).message).toContain('7 bytes');
    const bytes = safetensorsBytes(two, 20);
    bytes[10] = 0xff;
    expect((await failureOf(readSafetensors(new MemorySource('x', bytes)))).message).toContain('not UTF-8');
  });
});
