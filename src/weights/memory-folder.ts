import { AlignError } from '../align/errors.ts';
import type { SourceFolder, TargetFolder } from '../convert/byte-source.ts';
import { blobSource } from './blob-folder.ts';

/** Files that are written and then read, kept as Blobs: the browser may move them out of memory. */
export function memoryFolder(name: string): SourceFolder & TargetFolder {
  const files = new Map<string, Blob>();
  return {
    name,
    async list() {
      return [...files.keys()];
    },
    async open(path) {
      const blob = files.get(path);
      if (blob === undefined) {
        throw new AlignError('weights-missing', `${name} has no ${path}.`, { details: { folder: name, path } });
      }
      return blobSource(`${name}/${path}`, blob);
    },
    async create(path) {
      const pieces: Blob[] = [];
      return {
        // A Blob copies at once, so that the caller may reuse the bytes.
        write: async (bytes) => void pieces.push(new Blob([bytes as Uint8Array<ArrayBuffer>])),
        close: async () => void files.set(path, new Blob(pieces)),
        abort: async () => undefined,
      };
    },
  };
}
