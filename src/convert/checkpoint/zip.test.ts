import { describe, expect, it } from 'vitest';
import { failureOf, MemorySource, zipBytes, type ZipFixtureEntry } from './checkpoint.fixture.ts';
import { readZipDirectory, zipDataOffset } from './zip.ts';

const text = (value: string) => new TextEncoder().encode(value);
const open = async (entries: ZipFixtureEntry[], end?: Parameters<typeof zipBytes>[1]) => {
  const source = new MemorySource('x.bin', zipBytes(entries, end));
  return { source, entries: await readZipDirectory(source) };
};

describe('readZipDirectory', () => {
  it('finds where the bytes of an entry begin', async () => {
    const { source, entries } = await open([
      { name: 'a', data: text('first'), extraBytes: 29 },
      { name: 'b', data: text('') },
      { name: 'c/e', data: text('third') },
    ]);
    const contents = [];
    for (const entry of entries.values()) {
      const bytes = await source.read(await zipDataOffset(source, entry), entry.sizeBytes);
      contents.push([entry.name, new TextDecoder().decode(bytes)]);
    }
    expect(contents).toEqual([
      ['a', 'first'],
      ['b', ''],
      ['c/e', 'third'],
    ]);
  });

  it.each<[what: string, code: string, says: string, entry: Partial<ZipFixtureEntry>]>([
    ['an encrypted entry', 'unsupported-model', '“a” is encrypted', { directory: { flags: 1 } }],
    ['a compressed entry', 'unsupported-model', '“a” is compressed (method 8)', { directory: { method: 8 } }],
    ['two sizes of one entry', 'checkpoint-corrupt', '“a” of 5 bytes', { directory: { compressedBytes: 4 } }],
    ['an entry past the directory', 'checkpoint-corrupt', 'does not fit', { directory: { sizeBytes: 6 } }],
    ['an entry that lacks its 64-bit sizes', 'checkpoint-corrupt', '64-bit', { directory: { sizeBytes: 0xffffffff } }],
  ])('refuses %s', async (_what, code, says, entry) => {
    const error = await failureOf(open([{ name: 'a', data: text('first'), ...entry }]));
    expect(error.code).toBe(code);
    expect(error.message).toContain(says);
  });

  it('refuses a name that stands twice', async () => {
    const entry = { name: 'a', data: text('first') };
    expect((await failureOf(open([entry, entry]))).message).toContain('“a” is listed twice');
  });

  it.each<[what: string, says: string, end: Parameters<typeof zipBytes>[1]]>([
    ['more entries than fit', '900 entries', { count: 900 }],
    ['more entries than there are', 'entry 1 of 2', { count: 2, padding: 46 }],
    ['a directory past its end', 'cannot be', { sizeBytes: 48 }],
    ['a directory of 17 MB', 'cannot be', { padding: 17 << 20 }],
    ['a zip64 mark without the zip64 records', 'zip64', { count: 0xffff }],
  ])('refuses %s', async (_what, says, end) => {
    const error = await failureOf(open([{ name: 'a', data: text('first') }], end));
    expect(error.code).toBe('checkpoint-corrupt');
    expect(error.message).toContain(says);
  });
});

describe('zipDataOffset', () => {
  const offsetOf = async (entry: Partial<ZipFixtureEntry>) => {
    const { source, entries } = await open([{ name: 'a', data: text('first'), ...entry }]);
    return zipDataOffset(source, entries.get('a')!);
  };

  it('refuses the local header of another entry', async () => {
    expect((await failureOf(offsetOf({ localName: 'b' }))).message).toContain(
      'no local header of the zip entry “a” at 0',
    );
  });

  it('refuses a local header that pushes its data out of the file', async () => {
    const bytes = zipBytes([{ name: 'a', data: text('first') }]);
    new DataView(bytes.buffer).setUint16(28, 60_000, true);
    const source = new MemorySource('x.bin', bytes);
    const entries = await readZipDirectory(source);
    const error = await failureOf(zipDataOffset(source, entries.get('a')!));
    expect(error.code).toBe('checkpoint-corrupt');
    expect(error.message).toContain(`“a” ends at byte 60036; the file has ${bytes.length}`);
  });
});
