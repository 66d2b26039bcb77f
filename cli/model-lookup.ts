import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { PACKAGE_FOLDER } from '../server/package-folder.ts';
import { CATALOGUE } from '../src/align/catalogue.ts';
import { AlignError } from '../src/align/errors.ts';
import { MANIFEST_PATH } from '../src/convert/manifest.ts';
import { openNodeFolder } from '../src/weights/node-folder.ts';
import {
  listModelFolders,
  type ModelFolder,
  type ModelFolders,
  readModelFolder,
} from '../src/weights/node-model-folders.ts';

/** Where an id is looked up: the user's folder, then the models that come with the program. */
const DIRECTORIES = [
  resolve('models'),
  join(PACKAGE_FOLDER, 'dist', 'models'),
  join(PACKAGE_FOLDER, 'public', 'models'),
];

/** The models that can be run at once. */
export function localModels(): Promise<ModelFolders> {
  return listModelFolders(DIRECTORIES);
}

/**
 * The model of a folder or an id.
 *
 * @throws AlignError `weights-missing` with the command to run for a checkpoint that is not converted, `unknown-name`
 *   with the list of what exists
 */
export async function findModel(folderOrId: string): Promise<ModelFolder> {
  const status = await stat(folderOrId).catch(() => undefined);
  if (status?.isDirectory() === true) {
    if (await exists(join(folderOrId, MANIFEST_PATH)))
      return readModelFolder(basename(resolve(folderOrId)), folderOrId);
    if (await isCheckpoint(folderOrId)) throw notConverted(folderOrId);
  }
  if (status?.isFile() === true && folderOrId.endsWith('.gguf')) throw notConverted(folderOrId);
  const { models, problems } = await localModels();
  const found = models.find(({ id }) => id === folderOrId);
  if (found !== undefined) return found;
  const problem = problems.find(({ id }) => id === folderOrId);
  if (problem !== undefined) throw problem.error;
  throw unknown(folderOrId, models);
}

function unknown(name: string, models: readonly ModelFolder[]): AlignError {
  const isPublished = CATALOGUE.some(({ id }) => id === name);
  const what = isPublished
    ? `${name} is published but not on this machine: download its files, then convert them with “metaaligner convert --from FOLDER --to models/${name}”.`
    : `There is no converted model “${name}”, neither a folder nor an id.`;
  const here = models.length === 0 ? 'none' : models.map(({ id }) => id).join(', ');
  const published = CATALOGUE.map(({ id }) => id).join(', ');
  return new AlignError('unknown-name', `${what}\nConverted models here: ${here}.\nPublished: ${published}.`, {
    details: { name, models: models.map(({ id }) => id) },
  });
}

function notConverted(path: string): AlignError {
  const name = basename(resolve(path)).replace(/\.gguf$/, '');
  return new AlignError(
    'weights-missing',
    `${path} is a checkpoint that is not converted. Run: metaaligner convert --from ${quoted(path)} --to ${quoted(`models/${name}`)}`,
    { details: { path } },
  );
}

async function isCheckpoint(directory: string): Promise<boolean> {
  const paths = await (await openNodeFolder(directory)).list();
  return paths.some((path) => /^[^/]+\.(safetensors|gguf|bin)$/.test(path));
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}
