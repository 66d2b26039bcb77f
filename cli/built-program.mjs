/**
 * The command line as one JavaScript program, which scripts/build-cli.mjs makes of its TypeScript and which starts several
 * times faster. It is run only as long as each source is, byte for byte, what it was made of: it cannot be out of date.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** The package's folder. */
export const ROOT = new URL('../', import.meta.url);
/** Holds a folder for each build, since a program that runs goes on to read its own, and names the last one. */
export const BUILT = new URL('dist-cli/', ROOT);
export const CURRENT = new URL('current.json', BUILT);
export const ENTRY = 'main.js';

/**
 * @param {Iterable<readonly [path: string, bytes: Uint8Array]>} sources
 * @returns {string} of their names, their bytes and their order
 */
export function digestOf(sources) {
  const hash = createHash('sha256');
  for (const [path, bytes] of sources) hash.update(`${path}\n${bytes.length}\n`).update(bytes);
  return hash.digest('hex');
}

/** @returns {string | undefined} the address of its entry; nothing where there is none of these very sources */
export function builtProgram() {
  try {
    const { folder, paths, digest } = JSON.parse(readFileSync(CURRENT, 'utf8'));
    const sources = paths.map((path) => [path, readFileSync(new URL(path, ROOT))]);
    return digestOf(sources) === digest ? new URL(`${folder}/${ENTRY}`, BUILT).href : undefined;
  } catch {
    // Nothing was built, or a source is gone.
    return undefined;
  }
}
