import { open, mkdir, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { AlignError } from '../align/errors.ts';
import {
  type ByteSource,
  checkRange,
  pastTheEnd,
  type SourceFolder,
  type TargetFile,
  type TargetFolder,
} from '../convert/byte-source.ts';
import { isInsidePath } from '../convert/parse-manifest.ts';

/** A folder on disk. */
export interface NodeSourceFolder extends SourceFolder {
  /** Absolute path, for a runtime that opens files by itself. */
  readonly directory: string;
}

/** Deeper than any checkpoint; a folder picked by mistake (a home directory) is not walked to its end. */
const MAX_DEPTH = 4;

/**
 * A folder to read from. Symbolic links to files are followed, since the hub's cache is made of them; links to folders
 * are not.
 *
 * @throws AlignError `weights-missing` if there is no such folder
 */
export async function openNodeFolder(directory: string): Promise<NodeSourceFolder> {
  const root = resolve(directory);
  const status = await stat(root).catch((error: unknown) => {
    throw readFailure(directory, error);
  });
  if (!status.isDirectory()) {
    throw new AlignError('weights-missing', `${directory} is not a folder.`, { details: { path: root } });
  }
  return {
    name: directory,
    directory: root,
    async list() {
      return (await listFiles(root, MAX_DEPTH)).sort();
    },
    async open(path) {
      return openNodeFile(insidePath(root, path), join(directory, path));
    },
  };
}

/**
 * One file to read from.
 *
 * @param name  shown to the user; the path by default
 * @throws AlignError `weights-missing` if there is no such file
 */
export async function openNodeFile(path: string, name: string = path): Promise<ByteSource> {
  const status = await stat(path).catch((error: unknown) => {
    throw readFailure(name, error);
  });
  if (!status.isFile()) throw new AlignError('weights-missing', `${name} is not a file.`, { details: { path } });
  const sizeBytes = status.size;
  return {
    name,
    sizeBytes,
    // A handle per read: a source has no end of life at which a kept one could be closed.
    async read(offset, length) {
      checkRange({ name, sizeBytes }, offset, length);
      const bytes = new Uint8Array(length);
      try {
        const handle = await open(path, 'r');
        try {
          for (let filled = 0; filled < length;) {
            const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled);
            if (bytesRead === 0) throw pastTheEnd(name, offset + filled, offset + length);
            filled += bytesRead;
          }
        } finally {
          await handle.close();
        }
      } catch (error) {
        throw readFailure(name, error);
      }
      return bytes;
    },
  };
}

/** A folder to write to, which can take back what it wrote. */
export interface NodeTargetFolder extends TargetFolder {
  readonly directory: string;
  /** Removes the files that were new and the folders that are empty now. Files that were replaced stay replaced. */
  rollBack(): Promise<void>;
}

/**
 * A folder that is made when the first file is. A file is written under a temporary name beside its own and renamed
 * when it is whole, so a reader never sees half of one.
 *
 * @throws (its files) AlignError `storage-full` with the bytes written, `invalid-request` where nothing may be written
 */
export function createNodeTarget(directory: string): NodeTargetFolder {
  const root = resolve(directory);
  const newFiles: string[] = [];
  const newFolders: string[] = [];
  return {
    directory: root,
    async create(path) {
      const finalPath = insidePath(root, path);
      const name = join(directory, path);
      try {
        // mkdir tells the first folder that it had to make; those below it are new too.
        const first = await mkdir(dirname(finalPath), { recursive: true });
        if (first !== undefined) newFolders.push(...foldersBetween(first, dirname(finalPath)));
      } catch (error) {
        throw writeFailure(name, error, 0);
      }
      return openTargetFile(finalPath, name, () => newFiles.push(finalPath));
    },
    async rollBack() {
      for (const path of newFiles.splice(0)) await rm(path, { force: true });
      for (const path of newFolders.splice(0).reverse()) {
        await rmdir(path).catch((error: unknown) => {
          // Something else was put there meanwhile: it stays.
          if (!hasCode(error, 'ENOTEMPTY', 'EEXIST', 'ENOENT')) throw error;
        });
      }
    },
  };
}

async function openTargetFile(finalPath: string, name: string, onNewFile: () => void): Promise<TargetFile> {
  const temporaryPath = join(dirname(finalPath), `.${basename(finalPath)}.${process.pid}.part`);
  let writtenBytes = 0;
  const handle = await open(temporaryPath, 'w').catch((error: unknown) => {
    throw writeFailure(name, error, 0);
  });
  let isOpen = true;
  const close = async () => {
    if (isOpen) await handle.close();
    isOpen = false;
  };
  return {
    async write(bytes) {
      try {
        for (let done = 0; done < bytes.length;) {
          done += (await handle.write(bytes, done, bytes.length - done)).bytesWritten;
        }
      } catch (error) {
        throw writeFailure(name, error, writtenBytes);
      }
      writtenBytes += bytes.length;
    },
    async close() {
      try {
        // On disk before it gets its name: after a power cut there is the whole file or none.
        await handle.sync();
        await close();
        const wasThere = await stat(finalPath).then(
          () => true,
          () => false,
        );
        await rename(temporaryPath, finalPath);
        if (!wasThere) onNewFile();
      } catch (error) {
        throw writeFailure(name, error, writtenBytes);
      }
    },
    async abort() {
      await close();
      await rm(temporaryPath, { force: true });
    },
  };
}

async function listFiles(directory: string, depth: number): Promise<string[]> {
  const paths: string[] = [];
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.name.startsWith('.')) continue;
    const path = join(directory, entry.name);
    if (entry.isDirectory()) {
      if (depth > 1) paths.push(...(await listFiles(path, depth - 1)).map((inner) => `${entry.name}/${inner}`));
    } else if (entry.isFile() || (entry.isSymbolicLink() && (await isFile(path)))) {
      paths.push(entry.name);
    }
  }
  return paths;
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (status) => status.isFile(),
    () => false,
  );
}

function insidePath(root: string, path: string): string {
  if (!isInsidePath(path)) {
    throw new AlignError('weights-missing', `“${path}” is not a path inside ${root}.`, { details: { path } });
  }
  return join(root, ...path.split('/'));
}

function foldersBetween(first: string, last: string): string[] {
  const folders = [first];
  for (const part of last.slice(first.length).split(sep)) {
    if (part !== '') folders.push(join(folders.at(-1) ?? first, part));
  }
  return folders;
}

function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

function readFailure(name: string, error: unknown): AlignError {
  if (error instanceof AlignError) return error;
  if (hasCode(error, 'ENOENT', 'ENOTDIR')) {
    return new AlignError('weights-missing', `There is no ${name}.`, { cause: error, details: { name } });
  }
  return new AlignError('weights-unreachable', `${name} cannot be read: ${reason(error)}.`, {
    cause: error,
    details: { name },
  });
}

function writeFailure(name: string, error: unknown, writtenBytes: number): AlignError {
  if (hasCode(error, 'ENOSPC', 'EDQUOT')) {
    return new AlignError(
      'storage-full',
      `The disk is full: ${name} stopped at ${writtenBytes.toLocaleString('en-US')} bytes.`,
      { cause: error, details: { name, writtenBytes } },
    );
  }
  return new AlignError('invalid-request', `${name} cannot be written: ${reason(error)}.`, {
    cause: error,
    details: { name, writtenBytes },
  });
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
