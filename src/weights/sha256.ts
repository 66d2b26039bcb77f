import { createSHA256 } from 'hash-wasm';

/**
 * A sha256 that is fed piece by piece and can be put aside: `save` gives its state as bytes, from which another one
 * goes on, in another process too. WebCrypto has neither.
 */
export interface Sha256 {
  update(bytes: Uint8Array): void;
  /** @returns 64 lower-case hexadecimal digits; nothing may be fed afterwards */
  digest(): string;
  /** About 120 bytes; only the same version of hash-wasm reads them back. */
  save(): Uint8Array;
}

/** A {@link Sha256} that may be at work elsewhere: in a worker of its own. */
export interface StreamHash {
  /** Resolves when more may be fed; the bytes are not changed and may be changed afterwards. */
  update(bytes: Uint8Array): Promise<void> | void;
  /** Of all that was fed before the call. */
  digest(): Promise<string> | string;
  /** Of all that was fed before the call. */
  save(): Promise<Uint8Array> | Uint8Array;
}

/**
 * @param state  from `save`
 * @throws Error if the state is of another version of hash-wasm
 */
export type CreateStreamHash = (state?: Uint8Array) => Promise<StreamHash>;

/** A {@link CreateStreamHash} that works where it is called. */
export async function createSha256(state?: Uint8Array): Promise<Sha256> {
  const hasher = await createSHA256();
  if (state === undefined) hasher.init();
  else hasher.load(state);
  return {
    update: (bytes) => void hasher.update(bytes),
    digest: () => hasher.digest('hex'),
    save: () => hasher.save(),
  };
}

/** @returns 64 lower-case hexadecimal digits */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  // Only a page without https has no WebCrypto; it is five times as fast as the WebAssembly.
  if (globalThis.crypto?.subtle !== undefined) {
    return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)));
  }
  const hasher = await createSha256();
  hasher.update(bytes);
  return hasher.digest();
}

/**
 * Git's name for a file's content, which the hub lists for files that are too small for large file storage.
 *
 * @returns 40 lower-case hexadecimal digits; undefined where the platform has no SHA-1 (a page without https)
 */
export async function gitBlobId(bytes: Uint8Array): Promise<string | undefined> {
  if (globalThis.crypto?.subtle === undefined) return undefined;
  const header = new TextEncoder().encode(`blob ${bytes.length}\0`);
  const object = new Uint8Array(header.length + bytes.length);
  object.set(header);
  object.set(bytes, header.length);
  return toHex(new Uint8Array(await crypto.subtle.digest('SHA-1', object)));
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
