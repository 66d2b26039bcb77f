import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AlignError } from '../align/errors.ts';
import { readText } from '../convert/byte-source.ts';
import { MANIFEST_PATH, type ModelManifest } from '../convert/manifest.ts';
import { MAX_MANIFEST_BYTES, parseManifest } from '../convert/parse-manifest.ts';
import { openNodeFile } from './node-folder.ts';

/** A converted model on disk. */
export interface ModelFolder {
  /** Its folder's path below the folder of models: `NAME` or `OWNER/NAME`. */
  id: string;
  directory: string;
  manifest: ModelManifest;
}

export interface ModelFolders {
  /** Sorted by id. */
  models: ModelFolder[];
  /** Folders whose manifest cannot be read or is damaged. */
  problems: { id: string; error: AlignError }[];
}

/**
 * The converted models in folders of models. A folder without a manifest is no model (a conversion under way, say) and
 * is passed over, as are links and a folder of models that does not exist.
 *
 * @param directories  where an id is in two of them, the first wins
 */
export async function listModelFolders(directories: readonly string[]): Promise<ModelFolders> {
  const models = new Map<string, ModelFolder>();
  const problems = new Map<string, AlignError>();
  for (const root of directories) {
    for (const id of await findFolderIds(root, MANIFEST_PATH)) {
      if (models.has(id) || problems.has(id)) continue;
      try {
        models.set(id, await readModelFolder(id, join(root, ...id.split('/'))));
      } catch (error) {
        if (!(error instanceof AlignError)) throw error;
        problems.set(id, error);
      }
    }
  }
  const byId = (a: ModelFolder, b: ModelFolder) => (a.id < b.id ? -1 : 1);
  return {
    models: [...models.values()].sort(byId),
    problems: [...problems].map(([id, error]) => ({ id, error })),
  };
}

/** @throws AlignError `weights-missing` without a manifest, `weights-corrupt` with a damaged one */
export async function readModelFolder(id: string, directory: string): Promise<ModelFolder> {
  const path = join(directory, MANIFEST_PATH);
  const source = await openNodeFile(path);
  if (source.sizeBytes > MAX_MANIFEST_BYTES) {
    throw new AlignError('weights-corrupt', `${path} is ${source.sizeBytes} bytes long; that is no manifest.`, {
      details: { path, sizeBytes: source.sizeBytes },
    });
  }
  return { id, directory, manifest: parseManifest(await readText(source), directory) };
}

/** Folders with a manifest, one or two levels down, since hub ids are `OWNER/NAME`. */
export async function findFolderIds(root: string, manifestPath: string): Promise<string[]> {
  const ids: string[] = [];
  for (const name of await foldersIn(root)) {
    if (await hasFile(join(root, name, manifestPath))) ids.push(name);
    else {
      for (const inner of await foldersIn(join(root, name))) {
        if (await hasFile(join(root, name, inner, manifestPath))) ids.push(`${name}/${inner}`);
      }
    }
  }
  return ids;
}

async function foldersIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return [];
    throw new AlignError('weights-unreachable', `${directory} cannot be read: ${String(error)}.`, { cause: error });
  });
  // Links are not followed: what is served must lie inside.
  return entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map((entry) => entry.name);
}

async function hasFile(path: string): Promise<boolean> {
  return stat(path).then(
    (status) => status.isFile(),
    () => false,
  );
}
