import { AlignError } from '../align/errors.ts';
import { type ByteSource, checkRange, type SourceFolder } from '../convert/byte-source.ts';

/** Files that the visitor picked: nothing is read before it is asked for. */
export function blobFolder(name: string, files: readonly { path: string; blob: Blob }[]): SourceFolder {
  const byPath = new Map(files.map((file) => [file.path, file.blob]));
  return {
    name,
    async list() {
      return [...byPath.keys()].sort();
    },
    async open(path) {
      const blob = byPath.get(path);
      if (blob === undefined) {
        throw new AlignError('weights-missing', `${path} is not among the files picked from ${name}.`, {
          details: { path, folder: name },
        });
      }
      return blobSource(`${name}/${path}`, blob);
    },
  };
}

/** One picked file. */
export function blobSource(name: string, blob: Blob): ByteSource {
  return {
    name,
    sizeBytes: blob.size,
    async read(offset, length) {
      checkRange({ name, sizeBytes: blob.size }, offset, length);
      try {
        return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
      } catch (cause) {
        // A file that changed or went away after it was picked.
        throw new AlignError('weights-unreachable', `${name} can no longer be read: ${String(cause)}. Pick it again.`, {
          cause,
          details: { name },
        });
      }
    },
  };
}
