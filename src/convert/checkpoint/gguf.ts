/**
 * A value of GGUF metadata. Integers are numbers; the rare 64-bit one that a double cannot hold exactly is a bigint.
 * Arrays of numbers are typed arrays of the stored type (64-bit ones too), so that they take no more than in the file.
 *
 * @see ggml docs/gguf.md
 */
export type GgufValue = number | bigint | boolean | string | GgufArray;
export type GgufArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigUint64Array
  | BigInt64Array
  | readonly boolean[]
  | readonly string[]
  | readonly GgufArray[];

/** By key, such as `general.architecture` or `tokenizer.ggml.tokens`. Strings are valid UTF-8. */
export type GgufMetadata = ReadonlyMap<string, GgufValue>;
