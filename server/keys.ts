import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { AlignError } from '../src/align/errors.ts';

/** Who may call. Of a key only its hash is kept. */
export interface KeyEntry {
  name: string;
  /** SHA-256 of the key: 256 random bits need no slow hash. */
  hash: Buffer;
  /** Requests at a time, those that wait included. Undefined: as many as the server takes. */
  maxRequests: number | undefined;
}

const LINE = /^(?<name>[\w.@-]{1,64}) sha256:(?<hash>[0-9a-f]{64})(?: max=(?<max>[1-9]\d{0,5}))?$/;

/**
 * Reads a file of keys: a line each, `NAME sha256:HEX` and where it has a limit ` max=REQUESTS`; blank lines and lines that
 * begin with `#` say nothing.
 *
 * @throws AlignError `invalid-request` with the line's number, not its text: it may hold a key by mistake
 */
export function parseKeys(text: string, fileName: string): KeyEntry[] {
  const entries: KeyEntry[] = [];
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const { name = '', hash = '', max } = LINE.exec(line.trimEnd())?.groups ?? {};
    const isTwice = entries.some((entry) => entry.name === name);
    if (name === '' || isTwice) {
      const what = isTwice
        ? `names ${name} a second time`
        : 'is not “NAME sha256:HEX” or “NAME sha256:HEX max=REQUESTS”';
      throw new AlignError(
        'invalid-request',
        `Line ${i + 1} of ${fileName} ${what}. “metaaligner key” writes such lines.`,
      );
    }
    entries.push({ name, hash: Buffer.from(hash, 'hex'), maxRequests: max === undefined ? undefined : Number(max) });
  }
  if (entries.length === 0) {
    throw new AlignError(
      'invalid-request',
      `${fileName} has no key. Make one with “metaaligner key NAME --keys-file FILE”.`,
    );
  }
  return entries;
}

/** A new key and the line of the file that lets it in. */
export function makeKey(name: string, maxRequests: number | undefined): { key: string; line: string } {
  const key = `ma-${randomBytes(32).toString('base64url')}`;
  const limit = maxRequests === undefined ? '' : ` max=${maxRequests}`;
  const line = `${name} sha256:${hashOf(key).toString('hex')}${limit}`;
  if (!LINE.test(line)) {
    throw new AlignError(
      'invalid-request',
      `“${name}” is no name of a key: letters, digits, dot, @, - and _, 64 at most.`,
    );
  }
  return { key, line };
}

/** @returns whose key it is. Takes the same time for each: all are compared, by their hashes and to their ends */
export function findKey(entries: readonly KeyEntry[], key: string): KeyEntry | undefined {
  const hash = hashOf(key);
  let found: KeyEntry | undefined;
  for (const entry of entries) if (timingSafeEqual(entry.hash, hash)) found = entry;
  return found;
}

function hashOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
