/**
 * Writes protobuf messages: the few wire types that an ONNX model needs.
 *
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export class MessageWriter {
  readonly #parts: Uint8Array[] = [];

  /** int32, int64, enum or bool; negative numbers take ten bytes as in the reference encoding. */
  int(field: number, value: number | bigint): this {
    return this.#tag(field, 0).#varint(BigInt.asUintN(64, BigInt(value)));
  }

  float(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.#tag(field, 5).#push(bytes);
  }

  string(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  bytes(field: number, value: Uint8Array): this {
    return this.#tag(field, 2).#varint(BigInt(value.length)).#push(value);
  }

  message(field: number, value: MessageWriter): this {
    return this.bytes(field, value.finish());
  }

  /** A field that was read from another message. */
  copy({ encoded }: MessageField): this {
    return this.#push(encoded);
  }

  finish(): Uint8Array {
    const result = new Uint8Array(this.#parts.reduce((length, part) => length + part.length, 0));
    let offset = 0;
    for (const part of this.#parts) {
      result.set(part, offset);
      offset += part.length;
    }
    return result;
  }

  #tag(field: number, wireType: number): this {
    return this.#varint(BigInt(field * 8 + wireType));
  }

  #varint(value: bigint): this {
    const bytes: number[] = [];
    for (; value > 0x7fn; value >>= 7n) bytes.push(Number(value & 0x7fn) | 0x80);
    bytes.push(Number(value));
    return this.#push(Uint8Array.from(bytes));
  }

  #push(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    return this;
  }
}

/** A field as it stands in a message. */
export interface MessageField {
  number: number;
  /** With its tag, to be copied as it is. */
  encoded: Uint8Array;
  /** Of an integer that is not negative and below 2^53. */
  int: number | undefined;
  /** Of four bytes, read as a float32. */
  float: number | undefined;
  /** Of a length-delimited field: text, bytes or a message. */
  bytes: Uint8Array | undefined;
}

/** The fields of a message in order. Of bytes that are no message, what stands before the first that is no field. */
export function readFields(message: Uint8Array): MessageField[] {
  const fields: MessageField[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; at < message.length; factor *= 128) {
      const byte = message[at++] as number;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    return Infinity;
  };
  while (at < message.length) {
    const start = at;
    const tag = varint();
    let bytes: Uint8Array | undefined;
    let int: number | undefined;
    let float: number | undefined;
    switch (tag % 8) {
      case 0:
        int = varint();
        break;
      case 1:
        at += 8;
        break;
      case 2: {
        const length = varint();
        if (length > message.length - at) return fields;
        bytes = message.subarray(at, at + length);
        at += length;
        break;
      }
      case 5:
        if (at + 4 > message.length) return fields;
        float = new DataView(message.buffer, message.byteOffset + at).getFloat32(0, true);
        at += 4;
        break;
      default:
        return fields;
    }
    fields.push({ number: Math.floor(tag / 8), encoded: message.subarray(start, at), bytes, int, float });
  }
  return fields;
}
