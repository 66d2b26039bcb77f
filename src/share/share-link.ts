import { AlignError } from '../align/errors.ts';
import { parseAlignRequest } from '../align/parse-alignment.ts';
import type { AlignRequest } from '../align/request.ts';

/** Stands before the request in the address's fragment, which browsers send to no server. */
export const SHARE_PREFIX = 'share=';
/** Of a request's JSON. A link that unpacks to more is no link of ours. */
const MAX_BYTES = 4_000_000;

/**
 * A request as an address's fragment, without the `#`: JSON, deflated, in base64url.
 *
 * Nothing is sent anywhere: whoever has the link has the request.
 */
export async function writeShareFragment(request: AlignRequest): Promise<string> {
  const packed = await pipe(new TextEncoder().encode(JSON.stringify(request)), new CompressionStream('deflate-raw'));
  return `${SHARE_PREFIX}${toBase64Url(packed)}`;
}

/**
 * @param fragment  with or without the `#`
 * @throws AlignError `invalid-request` if it was cut, changed, or never a request
 */
export async function readShareFragment(fragment: string): Promise<AlignRequest> {
  const packed = fragment.replace(/^#/, '').slice(SHARE_PREFIX.length);
  let value: unknown;
  try {
    const bytes = await pipe(fromBase64Url(packed), new DecompressionStream('deflate-raw'));
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new AlignError(
      'invalid-request',
      `The link is damaged: its ${packed.length} characters do not unpack to a request. It was probably cut where it was sent; ask for it again.`,
      { cause },
    );
  }
  return parseAlignRequest(value);
}

async function pipe(bytes: Uint8Array<ArrayBuffer>, through: CompressionStream | DecompressionStream) {
  const stream = new Blob([bytes]).stream().pipeThrough(through);
  const parts: Uint8Array[] = [];
  let length = 0;
  for (const reader = stream.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > MAX_BYTES) {
      await reader.cancel();
      throw new RangeError(`It unpacks to more than ${MAX_BYTES} bytes.`);
    }
    parts.push(value);
  }
  const joined = new Uint8Array(length);
  parts.reduce((offset, part) => {
    joined.set(part, offset);
    return offset + part.length;
  }, 0);
  return joined;
}

function toBase64Url(bytes: Uint8Array): string {
  let binary = '';
  for (let start = 0; start < bytes.length; start += 0x8000) {
    binary += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  }
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
