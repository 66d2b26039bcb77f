import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { CLASSIFIER_MANIFEST_PATH } from '../../src/convert/classifier/classifier-manifest.ts';
import { MANIFEST_PATH, type ModelManifest } from '../../src/convert/manifest.ts';
import { listClassifierFolders } from '../../src/weights/node-classifier-folders.ts';
import { listModelFolders } from '../../src/weights/node-model-folders.ts';
import { fileResponse, type FileOptionsOf, requestedPath } from '../file-response.ts';

const PREFIX = 'models/';
export const MODEL_LIST = `${PREFIX}index.json`;
const CLASSIFIER_FILES = [CLASSIFIER_MANIFEST_PATH, 'config.json', 'tokenizer.json', 'tokenizer_config.json'];

/** An entry of index.json. `baseUrl` is relative to the list; a null manifest is a damaged folder. */
interface ListedModel {
  id: string;
  baseUrl: string;
  manifest: ModelManifest | null;
}

/** An entry of classifiers.json. */
interface ListedClassifier {
  id: string;
  /** Relative to the list. */
  baseUrl: string;
  /** Where its weights came from. */
  source: string;
  parameterCount: number;
}

/** What index.json says about the models in these folders. */
export async function listedModels(directories: readonly string[]): Promise<ListedModel[]> {
  const { models, problems } = await listModelFolders(directories);
  return [
    ...models.map(({ id, manifest }) => ({ id, baseUrl: baseUrlOf(id), manifest })),
    ...problems.map(({ id }) => ({ id, baseUrl: baseUrlOf(id), manifest: null })),
  ];
}

/** What classifiers.json says about the converted classifiers in these folders. */
export async function listedClassifiers(directories: readonly string[]): Promise<ListedClassifier[]> {
  const classifiers = await listClassifierFolders(directories);
  return classifiers.map(({ id, manifest: { source, parameterCount } }) => ({
    id,
    baseUrl: baseUrlOf(id),
    source,
    parameterCount,
  }));
}

/**
 * `/models/index.json` lists the converted models, `/models/classifiers.json` the converted classifiers;
 * `/models/ID/PATH` are their files, those only that their manifest lists.
 *
 * @param directories  folders of models; the first that has an id serves it
 * @param optionsOf  bounds how many files are sent at a time; by default nothing does
 */
export function modelRoutes(
  directories: readonly string[],
  optionsOf: FileOptionsOf = atOnce,
): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>();

  app.get(`/${MODEL_LIST}`, async (context) => {
    context.header('Cache-Control', 'no-cache');
    return context.json(await listedModels(directories));
  });

  app.get(`/${PREFIX}classifiers.json`, async (context) => {
    context.header('Cache-Control', 'no-cache');
    return context.json(await listedClassifiers(directories));
  });

  app.get(`/${PREFIX}*`, async (context, next) => {
    const path = requestedPath(context.req.raw)?.slice(PREFIX.length);
    if (path === undefined) return next();
    const file = await listedFile(path, directories);
    if (file === undefined) return next();
    // Kept by the browser, asked about each time: a folder may be converted anew under the same name.
    const options = optionsOf(context, 'no-cache');
    return (await fileResponse(context.req.raw, file.directory, file.inside, options)) ?? next();
  });

  return app;
}

const atOnce: FileOptionsOf = (_context, cacheControl) => ({ cacheControl, enter: async () => () => {} });

/** @returns undefined for what no manifest lists */
async function listedFile(
  path: string,
  directories: readonly string[],
): Promise<{ directory: string; inside: string } | undefined> {
  const { models } = await listModelFolders(directories);
  const model = models.find(({ id }) => path.startsWith(`${id}/`));
  if (model !== undefined) {
    const { variants, sidecars } = model.manifest;
    const paths = [{ path: MANIFEST_PATH }, ...sidecars, ...Object.values(variants).flat()].map((file) => file.path);
    return fileIn(model, path, paths);
  }
  const classifier = (await listClassifierFolders(directories)).find(({ id }) => path.startsWith(`${id}/`));
  if (classifier === undefined) return undefined;
  const weights = Object.values(classifier.manifest.variants).flat();
  return fileIn(classifier, path, [...CLASSIFIER_FILES, ...weights.map((file) => file.path)]);
}

function fileIn({ id, directory }: { id: string; directory: string }, path: string, listed: readonly string[]) {
  const inside = path.slice(id.length + 1);
  return listed.includes(inside) ? { directory, inside } : undefined;
}

function baseUrlOf(id: string): string {
  return `${id.split('/').map(encodeURIComponent).join('/')}/`;
}
