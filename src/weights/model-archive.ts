import { AlignError } from '../align/errors.ts';
import type { Variant } from '../align/variant.ts';
import { type ByteSource, checkRange, readText, type SourceFolder } from '../convert/byte-source.ts';
import { MANIFEST_PATH, type ModelManifest } from '../convert/manifest.ts';
import { isInsidePath, MAX_MANIFEST_BYTES, parseManifest } from '../convert/parse-manifest.ts';
import { createSha256, sha256Hex } from './sha256.ts';
import { CHUNK_BYTES, chunkCount, chunkLength, type Staging, type StoredFile } from './staging.ts';

const BLOCK_BYTES = 512;
/** A converted folder has a dozen. */
const MAX_ENTRIES = 1000;

/**
 * A model's folder as one tar file: unpacked on any static host it is a folder that the page loads, and it can be
 * imported into another browser.
 *
 * @returns pieces of the file, in order
 */
export async function* archiveModel(folder: SourceFolder): AsyncGenerator<Uint8Array, void, void> {
  const paths = [...(await folder.list())].sort();
  // The manifest first: whoever imports it knows at once what is to come.
  for (const path of [MANIFEST_PATH, ...paths.filter((other) => other !== MANIFEST_PATH)]) {
    const source = await folder.open(path);
    yield tarHeader(path, source.sizeBytes);
    for (let offset = 0; offset < source.sizeBytes; offset += CHUNK_BYTES) {
      yield await source.read(offset, Math.min(CHUNK_BYTES, source.sizeBytes - offset));
    }
    const padding = -source.sizeBytes & (BLOCK_BYTES - 1);
    if (padding > 0) yield new Uint8Array(padding);
  }
  yield new Uint8Array(2 * BLOCK_BYTES);
}

/**
 * The folder in a tar file, as {@link archiveModel} or any tar program wrote it.
 *
 * @throws AlignError `weights-corrupt` with the entry that is damaged
 * @see POSIX.1-1988 ustar; sizes above 8 GiB as GNU tar writes them
 */
export async function openArchive(source: ByteSource): Promise<SourceFolder> {
  const entries = new Map<string, { offset: number; sizeBytes: number }>();
  for (let position = 0; position + BLOCK_BYTES <= source.sizeBytes;) {
    const header = await source.read(position, BLOCK_BYTES);
    if (header.every((byte) => byte === 0)) break;
    const { path, sizeBytes, type } = readHeader(header, source.name, position);
    position += BLOCK_BYTES;
    if (position + sizeBytes > source.sizeBytes) {
      throw damaged(source.name, `its entry “${path}” of ${sizeBytes} bytes at ${position} ends after the file`);
    }
    // Folders and the extra headers of other programs hold nothing that is needed.
    if (type === '0' || type === '\0') {
      if (!isInsidePath(path)) throw damaged(source.name, `its entry “${path}” is not a path inside a folder`);
      if (entries.has(path) || entries.size === MAX_ENTRIES)
        throw damaged(source.name, `its entry “${path}” is one too many`);
      entries.set(path, { offset: position, sizeBytes });
    }
    position += sizeBytes + (-sizeBytes & (BLOCK_BYTES - 1));
  }
  return {
    name: source.name,
    list: async () => [...entries.keys()],
    open: async (path) => {
      const entry = entries.get(path);
      if (entry === undefined) {
        throw new AlignError('weights-missing', `${source.name} holds no ${path}; it is no exported model.`, {
          details: { path },
        });
      }
      const name = `${source.name}/${path}`;
      const { offset: start, sizeBytes } = entry;
      return {
        name,
        sizeBytes,
        read: async (offset, length) => {
          checkRange({ name, sizeBytes }, offset, length);
          return source.read(start + offset, length);
        },
      };
    },
  };
}

/** @throws AlignError `weights-missing` without a manifest, `weights-corrupt` for a damaged one */
export async function readFolderManifest(
  folder: SourceFolder,
): Promise<{ manifest: ModelManifest; variants: Variant[] }> {
  const source = await folder.open(MANIFEST_PATH);
  if (source.sizeBytes > MAX_MANIFEST_BYTES) throw damaged(folder.name, `its ${MANIFEST_PATH} is too long for one`);
  const manifest = parseManifest(await readText(source), folder.name);
  return { manifest, variants: Object.keys(manifest.variants) as Variant[] };
}

/**
 * Copies one variant of a converted folder into a staging, holds it to the manifest's checksums where there are some,
 * and publishes it.
 *
 * @throws AlignError `weights-corrupt` for a file of another size or checksum; nothing is published then
 */
export async function importModel(
  folder: SourceFolder,
  { manifest, variant }: { manifest: ModelManifest; variant: Variant },
  staging: Staging,
  options: { onProgress?: (copiedBytes: number, totalBytes: number) => void; signal?: AbortSignal | undefined } = {},
): Promise<void> {
  await staging.clear();
  const kept = { ...manifest, variants: { [variant]: manifest.variants[variant] ?? [] } };
  const listed = [...kept.sidecars, ...(kept.variants[variant] ?? [])];
  const totalBytes = listed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let copiedBytes = 0;
  const files: StoredFile[] = [];
  for (const { path, sizeBytes, sha256: expected } of listed) {
    const source = await folder.open(path);
    if (source.sizeBytes !== sizeBytes) {
      throw damaged(folder.name, `its ${path} has ${source.sizeBytes} bytes, not the ${sizeBytes} of the manifest`);
    }
    const hasher = await createSha256();
    for (let index = 0; index < chunkCount(sizeBytes); index += 1) {
      options.signal?.throwIfAborted();
      const bytes = await source.read(index * CHUNK_BYTES, chunkLength(sizeBytes, index));
      hasher.update(bytes);
      copiedBytes += bytes.length;
      await staging.write([{ path, index, bytes }]);
      options.onProgress?.(copiedBytes, totalBytes);
    }
    const sha256 = hasher.digest();
    if (expected !== undefined && expected !== sha256) {
      throw damaged(folder.name, `its ${path} has the sha256 ${sha256.slice(0, 12)}…, not ${expected.slice(0, 12)}…`);
    }
    files.push({ path, sizeBytes, sha256 });
  }
  const revision = await sha256Hex(new TextEncoder().encode(JSON.stringify(manifest)));
  await staging.publish({ manifest: kept, files, revision, trust: 'first-use' });
}

function tarHeader(path: string, sizeBytes: number): Uint8Array {
  const header = new Uint8Array(BLOCK_BYTES);
  const put = (offset: number, text: string) => header.set(new TextEncoder().encode(text), offset);
  if (new TextEncoder().encode(path).length > 100)
    throw new Error(`${path} is too long for a tar header; this is a bug.`);
  put(0, path);
  put(100, '0000644\0');
  put(108, '0000000\0');
  put(116, '0000000\0');
  if (sizeBytes < 8 ** 11) put(124, `${sizeBytes.toString(8).padStart(11, '0')}\0`);
  else {
    // GNU's form: the first bit set, then a big-endian number.
    header[124] = 0x80;
    new DataView(header.buffer).setBigUint64(128, BigInt(sizeBytes));
  }
  put(136, '00000000000\0');
  put(148, '        ');
  put(156, '0');
  put(257, 'ustar\0' + '00');
  put(148, `${checksum(header).toString(8).padStart(6, '0')}\0 `);
  return header;
}

function readHeader(
  header: Uint8Array,
  file: string,
  position: number,
): { path: string; sizeBytes: number; type: string } {
  const text = (offset: number, length: number) => {
    const bytes = header.subarray(offset, offset + length);
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end === -1 ? bytes : bytes.subarray(0, end));
  };
  const blank = header.slice().fill(0x20, 148, 156);
  if (Number.parseInt(text(148, 8).trim(), 8) !== checksum(blank)) {
    throw damaged(file, `there is no tar header at byte ${position}`);
  }
  const isBinary = ((header[124] ?? 0) & 0x80) !== 0;
  const octal = text(124, 12).trim();
  const sizeBytes = isBinary
    ? Number(new DataView(header.buffer, header.byteOffset).getBigUint64(128))
    : /^[0-7]+$/.test(octal)
      ? Number.parseInt(octal, 8)
      : Number.NaN;
  if (!Number.isSafeInteger(sizeBytes)) throw damaged(file, `the tar header at byte ${position} has no size`);
  const prefix = text(257, 5) === 'ustar' ? text(345, 155) : '';
  const path = (prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`).replace(/^\.\//, '');
  return { path, sizeBytes, type: String.fromCharCode(header[156] ?? 0) };
}

function checksum(header: Uint8Array): number {
  return header.reduce((sum, byte) => sum + byte, 0);
}

function damaged(file: string, what: string): AlignError {
  return new AlignError('weights-corrupt', `${file} is damaged: ${what}.`, { details: { file } });
}
