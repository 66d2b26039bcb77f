import { describe, expect, it } from 'vitest';
import { PickledTuple, unpickle } from './unpickle.ts';

const run = (...bytes: number[]) =>
  unpickle<never>(Uint8Array.from(bytes), {
    file: 'x.bin',
    globals: new Set(['a.b']),
    call: () => null,
    persistent: () => null,
  });

const [STOP, MARK, LIST, DICT, NONE, DUP] = [0x2e, 0x28, 0x5d, 0x7d, 0x4e, 0x32];

describe('unpickle', () => {
  it('reads plain data', () => {
    expect(run(0x80, 2, 0x4a, 0xfe, 0xff, 0xff, 0xff, STOP)).toBe(-2);
    expect(run(0x8a, 2, 0x00, 0x80, STOP)).toBe(-32768);
    expect(run(0x8a, 0, STOP)).toBe(0);
    expect(run(0x47, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0, STOP)).toBe(1.5);
    expect(run(LIST, MARK, 0x4b, 1, 0x4b, 2, 0x65, STOP)).toEqual([1, 2]);
    expect(run(0x4b, 1, 0x88, 0x86, STOP)).toEqual(new PickledTuple([1, true]));
    expect(run(DICT, 0x71, 5, MARK, 0x8c, 1, 0x6b, 0x68, 5, 0x75, STOP)).toBeInstanceOf(Map);
  });

  it.each<[what: string, code: string, says: string, bytes: number[]]>([
    ['an opcode outside the list', 'unsupported-model', '0x32', [NONE, DUP, STOP]],
    ['a global outside the list', 'unsupported-model', '“os.system”', [0x63, ...Buffer.from('os\nsystem\n'), STOP]],
    ['a call of plain data', 'checkpoint-corrupt', 'a call of something else', [NONE, 0x29, 0x52, STOP]],
    ['an empty stack', 'checkpoint-corrupt', 'an empty stack', [STOP]],
    ['no mark', 'checkpoint-corrupt', 'no mark', [0x74, STOP]],
    ['no end', 'checkpoint-corrupt', 'no end', [NONE]],
    ['a text past the end', 'checkpoint-corrupt', 'no end', [0x58, 0xff, 0xff, 0xff, 0x7f, 0x61]],
    ['a global past the end', 'checkpoint-corrupt', 'no end', [0x63, 0x61, 0x61]],
    ['an unknown memo', 'checkpoint-corrupt', 'nothing remembered as 7', [0x68, 7, STOP]],
    ['a number beyond a double', 'checkpoint-corrupt', 'the whole number', [0x8a, 8, 0, 0, 0, 0, 0, 0, 0, 0x40, STOP]],
    ['a number of nine bytes', 'checkpoint-corrupt', '9 bytes', [0x8a, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, STOP]],
    ['a key twice', 'checkpoint-corrupt', 'a second time', [DICT, MARK, 0x4b, 1, NONE, 0x4b, 1, NONE, 0x75, STOP]],
    ['a list as key', 'checkpoint-corrupt', 'a key that is', [DICT, LIST, NONE, 0x73, STOP]],
    ['attributes of a list', 'checkpoint-corrupt', 'attributes for', [LIST, NONE, 0x62, STOP]],
    ['protocol 9', 'checkpoint-corrupt', 'a protocol', [0x80, 9, STOP]],
  ])('refuses %s', (_what, code, says, bytes) => {
    expect(() => run(...bytes)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(says) as string }),
    );
  });

  it('ends a file of nothing but empty lists before they fill the memory', () => {
    const bytes = new Uint8Array(4 << 20).fill(LIST);
    expect(() => run(...bytes.subarray(0, 10), STOP)).not.toThrow();
    expect(() =>
      unpickle(bytes, { file: 'x.bin', globals: new Set(), call: () => null, persistent: () => null }),
    ).toThrow(expect.objectContaining({ message: expect.stringContaining('more than 131072 objects') as string }));
  });

  it('lets a list hold itself', () => {
    const list = run(LIST, 0x71, 0, 0x68, 0, 0x61, STOP) as unknown[];
    expect(list[0]).toBe(list);
  });
});
