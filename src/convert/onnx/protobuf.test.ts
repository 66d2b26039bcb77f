import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readProtobuf } from '../tokenizer/protobuf.ts';
import { MessageWriter } from './protobuf.ts';

const hex = (writer: MessageWriter) => Buffer.from(writer.finish()).toString('hex');
const fieldNumber = fc.integer({ min: 1, max: 2 ** 20 });

describe('MessageWriter', () => {
  // The first three are the examples of protobuf.dev/programming-guides/encoding.
  it.each<[string, MessageWriter, string]>([
    ['a varint of two bytes', new MessageWriter().int(1, 150), '089601'],
    ['a string', new MessageWriter().string(2, 'testing'), '120774657374696e67'],
    ['a message in a message', new MessageWriter().message(3, new MessageWriter().int(1, 150)), '1a03089601'],
    ['zero, which is written out', new MessageWriter().int(1, 0), '0800'],
    ['the largest value of one byte', new MessageWriter().int(1, 127), '087f'],
    ['the smallest value of two bytes', new MessageWriter().int(1, 128), '088001'],
    ['-1 in ten bytes', new MessageWriter().int(1, -1), '08ffffffffffffffffff01'],
    ['the largest int64', new MessageWriter().int(1, 2n ** 63n - 1n), '08ffffffffffffffff7f'],
    ['a float, little-endian', new MessageWriter().float(2, 1.5), '150000c03f'],
    ['a field number that takes two bytes', new MessageWriter().int(20, 2), 'a00102'],
    ['an empty string', new MessageWriter().string(1, ''), '0a00'],
    ['text as UTF-8', new MessageWriter().string(1, 'é'), '0a02c3a9'],
    ['nothing', new MessageWriter(), ''],
  ])('writes %s', (_, writer, expected) => {
    expect(hex(writer)).toBe(expected);
  });

  it('writes fields that a reader finds again, in order', () => {
    const field = fc.oneof(
      fc.record({
        kind: fc.constant('int' as const),
        number: fieldNumber,
        value: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
      }),
      fc.record({ kind: fc.constant('float' as const), number: fieldNumber, value: fc.float({ noNaN: true }) }),
      fc.record({ kind: fc.constant('bytes' as const), number: fieldNumber, value: fc.uint8Array({ maxLength: 300 }) }),
    );
    fc.assert(
      fc.property(fc.array(field), (fields) => {
        const writer = new MessageWriter();
        for (const { kind, number, value } of fields) {
          if (kind === 'int') writer.int(number, value);
          else if (kind === 'float') writer.float(number, value);
          else writer.bytes(number, value);
        }
        const read = [...readProtobuf(writer.finish(), 'message')].map(({ number, wireType, value, bytes }) => {
          if (wireType === 0) return { kind: 'int', number, value: BigInt.asIntN(64, value) };
          if (wireType === 2) return { kind: 'bytes', number, value: Uint8Array.from(bytes) };
          return { kind: 'float', number, value: new DataView(bytes.slice().buffer).getFloat32(0, true) };
        });
        expect(read).toEqual(fields);
      }),
    );
  });

  it('nests messages as deep as they are', () => {
    let writer = new MessageWriter().string(1, 'innermost');
    for (let depth = 0; depth < 20; depth++) writer = new MessageWriter().message(5, writer);
    let message = writer.finish();
    for (let depth = 0; depth < 20; depth++) message = [...readProtobuf(message, 'message')][0]!.bytes;
    expect(new TextDecoder().decode([...readProtobuf(message, 'message')][0]?.bytes)).toBe('innermost');
  });
});
