import { AlignError } from '../align/errors.ts';
import { checkRange, type SourceFolder, type TargetFolder } from '../convert/byte-source.ts';
import { CHUNK_BYTES, chunkCount, type Staging } from './staging.ts';

/** A file of a staging that is whole. */
export interface StagedFile {
  path: string;
  sizeBytes: number;
}

/**
 * Whole files of a staging as a folder.
 *
 * @param prefix  of their paths in the staging, which the folder's paths lack
 */
export function stagedFolder(
  name: string,
  staging: Pick<Staging, 'readChunk'>,
  files: readonly StagedFile[],
  prefix = '',
): SourceFolder {
  const sizes = new Map(files.map(({ path, sizeBytes }) => [path, sizeBytes]));
  return {
    name,
    async list() {
      return [...sizes.keys()];
    },
    async open(path) {
      const sizeBytes = sizes.get(path);
      if (sizeBytes === undefined) {
        throw new AlignError('weights-missing', `${name} has no ${path}.`, { details: { folder: name, path } });
      }
      const source = { name: `${name}/${path}`, sizeBytes };
      return {
        ...source,
        async read(offset, length) {
          checkRange(source, offset, length);
          const bytes = new Uint8Array(length);
          for (let done = 0; done < length;) {
            const index = Math.floor((offset + done) / CHUNK_BYTES);
            const chunk = await staging.readChunk(prefix + path, index);
            const part = chunk.subarray(offset + done - index * CHUNK_BYTES).subarray(0, length - done);
            bytes.set(part, done);
            done += part.length;
          }
          return bytes;
        },
      };
    },
  };
}

/** Writes files into a staging, under a prefix; `files` are those that are closed. */
export function stagedTarget(staging: Staging, prefix: string): TargetFolder & { readonly files: StagedFile[] } {
  const files: StagedFile[] = [];
  return {
    files,
    async create(path) {
      let [index, held, sizeBytes] = [0, new Uint8Array(CHUNK_BYTES), 0];
      const flush = async (bytes: Uint8Array) => {
        await staging.write([{ path: prefix + path, index, bytes }]);
        [index, held] = [index + 1, new Uint8Array(CHUNK_BYTES)];
      };
      return {
        async write(bytes) {
          for (let done = 0; done < bytes.length;) {
            const filled = sizeBytes % CHUNK_BYTES;
            const part = bytes.subarray(done, done + CHUNK_BYTES - filled);
            held.set(part, filled);
            [done, sizeBytes] = [done + part.length, sizeBytes + part.length];
            if (sizeBytes % CHUNK_BYTES === 0) await flush(held);
          }
        },
        async close() {
          if (index < chunkCount(sizeBytes)) await flush(held.slice(0, sizeBytes - index * CHUNK_BYTES));
          files.push({ path, sizeBytes });
        },
        abort: () => staging.removeFile(prefix + path),
      };
    },
  };
}
