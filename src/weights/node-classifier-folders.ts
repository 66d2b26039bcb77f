import { join } from 'node:path';
import { AlignError } from '../align/errors.ts';
import {
  CLASSIFIER_MANIFEST_PATH,
  type ClassifierManifest,
  readClassifierManifest,
} from '../convert/classifier/classifier-manifest.ts';
import { openNodeFolder } from './node-folder.ts';
import { findFolderIds } from './node-model-folders.ts';

/** A converted classifier on disk. */
export interface ClassifierFolder {
  /** Its folder's path below the folder of models. */
  id: string;
  directory: string;
  manifest: ClassifierManifest;
}

/**
 * The converted classifiers in folders of models, sorted by id: in the folder itself or one level down, where
 * `dataset … score` keeps its own. A damaged one is passed over.
 *
 * @param directories  where an id is in two of them, the first wins
 */
export async function listClassifierFolders(directories: readonly string[]): Promise<ClassifierFolder[]> {
  const found = new Map<string, ClassifierFolder>();
  for (const root of directories) {
    for (const id of await findFolderIds(root, CLASSIFIER_MANIFEST_PATH)) {
      if (found.has(id)) continue;
      const directory = join(root, ...id.split('/'));
      try {
        found.set(id, { id, directory, manifest: await readClassifierManifest(await openNodeFolder(directory)) });
      } catch (error) {
        if (!(error instanceof AlignError)) throw error;
      }
    }
  }
  return [...found.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}
