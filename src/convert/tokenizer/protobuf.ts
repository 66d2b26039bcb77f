import { AlignError } from '../../align/errors.ts';

/** One field of a protobuf message: what its tag says, and where its bytes are. */
export interface ProtobufField {
  number: number;
  /** 0 varint, 1 eight bytes, 2 counted bytes, 5 four bytes. */
  wireType: 0 | 1 | 2 | 5;
  /** Of a varint; 0 for the others. */
  value: bigint;
  /** Contents of the fixed and counted ones: a view, not a copy. Empty for a varint. */
  bytes: Uint8Array;
}

/**
 * Reads the fields of one message in order.
 *
 * @param name  for errors: the file, such as `tokenizer.model`
 * @throws AlignError `checkpoint-corrupt` with the byte where the message breaks off or makes no sense
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export function* readProtobuf(message: Uint8Array, name: string): Generator<ProtobufField> {
  let at = 0;
  const fail = (what: string) =>
    new AlignError('checkpoint-corrupt', `${name}: ${what} at byte ${at} of ${message.length} of a message.`, {
      details: { at, sizeBytes: message.length },
    });
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = message[at];
      if (byte === undefined) throw fail('the file ends inside a number');
      at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw fail('a number is longer than ten bytes');
  };
  const take = (length: number): Uint8Array => {
    if (length > message.length - at) {
      throw fail(`a field of ${length} bytes, where ${message.length - at} are left,`);
    }
    at += length;
    return message.subarray(at - length, at);
  };
  const none = message.subarray(0, 0);
  while (at < message.length) {
    const tag = varint();
    const number = Number(tag >> 3n);
    if (number < 1 || number >= 2 ** 29) throw fail(`field number ${number}`);
    const wireType = Number(tag & 7n);
    switch (wireType) {
      case 0:
        yield { number, wireType, value: varint(), bytes: none };
        break;
      case 1:
        yield { number, wireType, value: 0n, bytes: take(8) };
        break;
      case 2:
        yield { number, wireType, value: 0n, bytes: take(Number(varint())) };
        break;
      case 5:
        yield { number, wireType, value: 0n, bytes: take(4) };
        break;
      default:
        throw fail(`wire type ${wireType}`);
    }
  }
}
