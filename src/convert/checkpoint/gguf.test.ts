import { describe, expect, it } from 'vitest';
import { failureOf, fromBase64, MemorySource, readFixture } from './checkpoint.fixture.ts';
import { huggingFaceName } from './gguf-tensors.ts';
import { readGgufHeader } from './gguf.ts';
import { openGguf } from './open-gguf.ts';
import { storedRowOfPermuted } from './stored-tensor.ts';

const open = (bytes: Uint8Array) => readGgufHeader(new MemorySource('x.gguf', bytes));

describe('readGgufHeader', () => {
  const { file } = readFixture<{ file: string }>('gguf-metadata.json');

  it('reads every type of value', async () => {
    const { metadata } = await open(fromBase64(file));
    const values = Object.fromEntries([...metadata].filter(([key]) => key.startsWith('test.')));
    expect(values).toEqual({
      'test.uint8': 200,
      'test.int8': -100,
      'test.uint16': 60000,
      'test.int16': -30000,
      'test.uint32': 4_000_000_000,
      'test.int32': -2_000_000_000,
      'test.float32': 0.5,
      'test.bool': true,
      'test.string': 'é 🙂',
      'test.uint64': 2n ** 63n,
      'test.int64': -(2 ** 40),
      'test.float64': 0.1,
      'test.bools': [true, false],
      'test.int64s': BigInt64Array.of(1n, -2n),
      'test.nested': [Int32Array.of(1, 2), Int32Array.of(3)],
    });
    expect(metadata.get('general.architecture')).toBe('llama');
  });

  it('keeps a byte order mark, which is a token of many vocabularies', async () => {
    const { metadata } = await open(ggufBytes([['tokens', stringArray(['\ufeff', '\ufeffa'])]]));
    expect(metadata.get('tokens')).toEqual(['\ufeff', '\ufeffa']);
  });

  it('places tensors by the file’s own alignment and turns their shapes round', async () => {
    const bytes = fromBase64(file);
    const { tensors } = await open(bytes);
    const start = bytes.length - 128;
    expect(tensors).toEqual([
      { name: 'a', shape: [3], type: 'F32', offsetBytes: start },
      { name: 'b', shape: [2, 3], type: 'F16', offsetBytes: start + 64 },
    ]);
    expect(start % 64).toBe(0);
  });

  it('reads a header longer than the first read', async () => {
    const tokens = Array.from({ length: 1000 }, (_, i) => String(i).repeat(800));
    const source = new MemorySource('x.gguf', ggufBytes([['tokens', stringArray(tokens)]]));
    const { metadata } = await readGgufHeader(source);
    expect(source.reads.map(({ length }) => length)).toEqual([2 << 20, source.sizeBytes]);
    expect(metadata.get('tokens')).toEqual(tokens);
  });

  it.each<[what: string, code: string, says: string, bytes: Uint8Array]>([
    ['another magic number', 'checkpoint-corrupt', 'not with “GGUF”', new Uint8Array(64)],
    ['version 1', 'unsupported-model', 'version 1', ggufBytes([], { version: 1 })],
    ['version 7', 'checkpoint-corrupt', 'version is 7', ggufBytes([], { version: 7 })],
    ['a big-endian file', 'unsupported-model', 'big-endian', ggufBytes([], { version: 0x03000000 })],
    ['2^60 keys', 'checkpoint-corrupt', 'metadata keys', ggufBytes([], { keys: 2n ** 60n })],
    ['2^40 tensors', 'checkpoint-corrupt', '1099511627776 tensors', ggufBytes([], { tensors: 2n ** 40n })],
    ['more keys than there are', 'checkpoint-corrupt', 'cut off', ggufBytes([], { keys: 3n })],
    [
      'a key twice',
      'checkpoint-corrupt',
      '“k” stands there twice',
      ggufBytes([
        ['k', u8(1)],
        ['k', u8(1)],
      ]),
    ],
    ['a type of value that is none', 'checkpoint-corrupt', 'type 13', ggufBytes([['k', u32(13)]])],
    [
      'a type of element that is none',
      'checkpoint-corrupt',
      'type 13',
      ggufBytes([['k', [...u32(9), ...u32(13), ...u64(1n)]]]),
    ],
    ['a boolean of 2', 'checkpoint-corrupt', 'boolean of value 2', ggufBytes([['k', [...u32(7), 2]]])],
    [
      'a string past the end',
      'checkpoint-corrupt',
      'takes at least 1000000 bytes',
      ggufBytes([['k', [...u32(8), ...u64(1_000_000n)]]]),
    ],
    [
      'a string of 2^64 - 1',
      'checkpoint-corrupt',
      'more than a file can hold',
      ggufBytes([['k', [...u32(8), ...u64(2n ** 64n - 1n)]]]),
    ],
    [
      'an array past the end',
      'checkpoint-corrupt',
      'takes at least',
      ggufBytes([['k', [...u32(9), ...u32(4), ...u64(2n ** 50n)]]]),
    ],
    [
      'many nested arrays',
      'checkpoint-corrupt',
      'more than 1024 arrays',
      ggufBytes([['k', [...u32(9), ...u32(9), ...u64(2000n)]]]),
    ],
    ['text that is not UTF-8', 'checkpoint-corrupt', 'not UTF-8', ggufBytes([['k', [...u32(8), ...u64(1n), 0xff]]])],
    [
      'an alignment of 0',
      'checkpoint-corrupt',
      'general.alignment is 0',
      ggufBytes([['general.alignment', [...u32(4), ...u32(0)]]]),
    ],
    [
      'an alignment of 48',
      'checkpoint-corrupt',
      'general.alignment is 48',
      ggufBytes([['general.alignment', [...u32(4), ...u32(48)]]]),
    ],
    [
      'five dimensions',
      'checkpoint-corrupt',
      '5 dimensions',
      ggufBytes([], { tensors: 1n, after: [...text('t'), ...u32(5)] }),
    ],
    [
      'a tensor off its alignment',
      'checkpoint-corrupt',
      'no multiple of 32',
      ggufBytes([], { tensors: 1n, after: tensor('t', [1n], 0, 4n) }),
    ],
    [
      'a tensor twice',
      'checkpoint-corrupt',
      'listed twice',
      ggufBytes([], { tensors: 2n, after: [...tensor('t', [1n], 0, 0n), ...tensor('t', [1n], 0, 32n)] }),
    ],
  ])('refuses %s', async (_what, code, says, bytes) => {
    const error = await failureOf(open(bytes));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(/^x\.gguf: /);
    expect(error.message).toContain(says);
  });

  it('nests no deeper than its count of arrays', async () => {
    const nested = Array.from({ length: 5000 }, () => [...u32(9), ...u64(1n)]).flat();
    expect((await failureOf(open(ggufBytes([['k', [...u32(9), ...nested]]])))).message).toContain(
      'more than 1024 arrays',
    );
  });
});

describe('openGguf', () => {
  const fixture = readFixture('gguf.json');
  const whole = fromBase64(Object.values(fixture.files)[0]!);
  /** The file with the type or offset of a tensor changed. */
  const withTensor = (name: string, change: (view: DataView, afterDimensions: number) => void) => {
    const bytes = Buffer.from(whole);
    const at = bytes.indexOf(name) + name.length;
    const rank = bytes.readUInt32LE(at);
    change(new DataView(bytes.buffer, bytes.byteOffset), at + 4 + 8 * rank);
    return openGguf(new MemorySource('x.gguf', new Uint8Array(bytes)));
  };

  it.each<[what: string, code: string, says: string[], change: (view: DataView, at: number) => void]>([
    [
      'a type that we do not read',
      'unsupported-model',
      ['blk.1.ffn_up.weight', 'Q2_K', 'Q4_K'],
      (view, at) => view.setUint32(at, 10, true),
    ],
    [
      'a type that nobody knows',
      'unsupported-model',
      ['blk.1.ffn_up.weight', 'type 77'],
      (view, at) => view.setUint32(at, 77, true),
    ],
    [
      'rows that are no whole blocks',
      'checkpoint-corrupt',
      ['blk.1.ffn_up.weight', 'Q4_K blocks'],
      (view, at) => view.setUint32(at, 12, true),
    ],
    [
      'a tensor past the end',
      'checkpoint-corrupt',
      ['blk.1.ffn_up.weight', 'ends at byte'],
      (view, at) => view.setBigUint64(at + 4, 1n << 40n, true),
    ],
    [
      'a tensor on another',
      'checkpoint-corrupt',
      ['blk.1.ffn_up.weight', 'overlaps'],
      (view, at) => view.setBigUint64(at + 4, 0n, true),
    ],
    [
      'another shape',
      'checkpoint-corrupt',
      ['model.layers.1.mlp.up_proj.weight', '[31, 32]', '[32, 32]'],
      (view, at) => view.setBigUint64(at - 8, 31n, true),
    ],
    [
      'more elements than a file can hold',
      'checkpoint-corrupt',
      ['blk.1.ffn_up.weight'],
      (view, at) => view.setBigUint64(at - 8, 1n << 52n, true),
    ],
    ['no elements', 'checkpoint-corrupt', ['blk.1.ffn_up.weight'], (view, at) => view.setBigUint64(at - 16, 0n, true)],
  ])('refuses %s', async (_what, code, says, change) => {
    const error = await failureOf(withTensor('blk.1.ffn_up.weight', change));
    expect(error.code).toBe(code);
    for (const text of says) expect(error.message).toContain(text);
  });

  it('refuses an embedding with fewer rows than there are tokens', async () => {
    const bytes = Buffer.from(whole);
    const rows = bytes.indexOf('token_embd.weight') + 'token_embd.weight'.length + 4 + 8;
    bytes.writeBigUInt64LE(39n, rows);
    // Right after the key is the type of the value.
    bytes.writeUInt32LE(39, bytes.indexOf('llama.vocab_size') + 'llama.vocab_size'.length + 4);
    const error = await failureOf(openGguf(new MemorySource('x.gguf', new Uint8Array(bytes))));
    expect(error.code).toBe('checkpoint-corrupt');
    expect(error.message).toContain('its 40 tokens are more than the 39 rows');
  });

  it('refuses a tensor that a Llama does not have', async () => {
    const bytes = Buffer.from(whole);
    bytes.write('blk.1.ffn_ux', bytes.indexOf('blk.1.ffn_up'));
    const error = await failureOf(openGguf(new MemorySource('x.gguf', new Uint8Array(bytes))));
    expect(error.code).toBe('unsupported-model');
    expect(error.message).toContain('blk.1.ffn_ux.weight');
  });

  it('joins the parts of a split model and refuses them in another order', async () => {
    const split = splitInTwo(whole);
    const parts = split.map((bytes, i) => new MemorySource(`m-0000${i + 1}-of-00002.gguf`, bytes)) as [
      MemorySource,
      MemorySource,
    ];
    const checkpoint = await openGguf(parts);
    expect(checkpoint.tensors.size).toBe(Object.keys(fixture.tensors).length);
    expect((await failureOf(openGguf([parts[1], parts[0]]))).code).toBe('checkpoint-corrupt');
    const alone = await failureOf(openGguf(parts[0]));
    expect(alone.code).toBe('unsupported-model');
    expect(alone.message).toContain('part 1 of 2 of a split GGUF');
    expect((await failureOf(openGguf([parts[0], parts[0]]))).code).toBe('checkpoint-corrupt');
  });
});

describe('huggingFaceName', () => {
  it.each([
    ['token_embd.weight', 'model.embed_tokens.weight'],
    ['blk.12.attn_output.weight', 'model.layers.12.self_attn.o_proj.weight'],
    ['blk.0.ffn_norm.weight', 'model.layers.0.post_attention_layernorm.weight'],
    ['blk.00.ffn_norm.weight', undefined],
    ['blk.0.attn_q.bias', undefined],
    ['rope_freqs.weight', undefined],
    ['toString', undefined],
    ['blk.0.constructor.weight', undefined],
  ])('of %s is %s', (name, expected) => {
    expect(huggingFaceName(name)).toBe(expected);
  });
});

describe('storedRowOfPermuted', () => {
  it('undoes llama.cpp’s interleaving of the halves', () => {
    // One head of 6 rows is stored as 0, 3, 1, 4, 2, 5.
    const stored = [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11];
    expect(stored.map((_, row) => stored[storedRowOfPermuted(row, 6)])).toEqual(stored.map((_, row) => row));
  });
});

function u8(value: number): number[] {
  return [...u32(0), value];
}
function u32(value: number): number[] {
  return [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];
}
function u64(value: bigint): number[] {
  return [...new Uint8Array(BigUint64Array.of(value).buffer)];
}
function text(value: string): number[] {
  const bytes = new TextEncoder().encode(value);
  return [...u64(BigInt(bytes.length)), ...bytes];
}
function stringArray(values: string[]): number[] {
  return [...u32(9), ...u32(8), ...u64(BigInt(values.length)), ...values.flatMap(text)];
}
function tensor(name: string, dimensions: bigint[], type: number, offset: bigint): number[] {
  return [...text(name), ...u32(dimensions.length), ...dimensions.flatMap(u64), ...u32(type), ...u64(offset)];
}

/** A file of metadata; counts may lie. */
function ggufBytes(
  entries: [key: string, typedValue: number[]][],
  options: { version?: number; keys?: bigint; tensors?: bigint; after?: number[] } = {},
): Uint8Array {
  const { version = 3, keys = BigInt(entries.length), tensors = 0n, after = [] } = options;
  const head = [...u32(0x46554747), ...u32(version), ...u64(tensors), ...u64(keys)];
  const body = entries.flatMap(([key, value]) => [...text(key), ...value]);
  return Uint8Array.from([head, body, after].flat());
}

/** What llama.cpp's gguf-split makes: all metadata in the first part, tensors shared out. */
function splitInTwo(whole: Uint8Array): [Uint8Array, Uint8Array] {
  const view = new DataView(whole.buffer, whole.byteOffset);
  const tensorCount = Number(view.getBigUint64(8, true));
  const keyCount = view.getBigUint64(16, true);
  const listStart = Buffer.from(whole).indexOf('token_embd.weight') - 8;
  let at = listStart;
  const infos: { bytes: number[]; offset: number }[] = [];
  for (let i = 0; i < tensorCount; i++) {
    const start = at;
    at += 8 + Number(view.getBigUint64(at, true));
    at += 4 + 8 * view.getUint32(at, true) + 4;
    infos.push({ bytes: [...whole.subarray(start, at)], offset: Number(view.getBigUint64(at, true)) });
    at += 8;
  }
  const data = whole.subarray(Math.ceil(at / 32) * 32);
  const part = (index: number, metadata: number[], metadataKeys: bigint, list: typeof infos): Uint8Array => {
    const [begin = 0] = list.map(({ offset }) => offset);
    const end = infos[infos.indexOf(list.at(-1)!) + 1]?.offset ?? data.length;
    const split = [...text('split.no'), ...u32(2), index, 0, ...text('split.count'), ...u32(2), 2, 0];
    const listed = list.flatMap(({ bytes, offset }) => [...bytes, ...u64(BigInt(offset - begin))]);
    const head = [
      ...u32(0x46554747),
      ...u32(3),
      ...u64(BigInt(list.length)),
      ...u64(metadataKeys + 2n),
      ...metadata,
      ...split,
      ...listed,
    ];
    const padding = new Array<number>((32 - (head.length % 32)) % 32).fill(0);
    return Uint8Array.from([...head, ...padding, ...data.subarray(begin, end)]);
  };
  return [part(0, [...whole.subarray(24, listStart)], keyCount, infos.slice(0, 10)), part(1, [], 0n, infos.slice(10))];
}
