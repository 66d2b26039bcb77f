import { Hono } from 'hono';
import { MANIFEST_PATH, type ModelManifest } from '../../src/convert/manifest.ts';
import { listModelFolders } from '../../src/weights/node-model-folders.ts';
import { fileResponse, requestedPath } from '../file-response.ts';

const PREFIX = 'models/';
export const MODEL_LIST = `${PREFIX}index.json`;

/** An entry of index.json. `baseUrl` is relative to the list; a null manifest is a damaged folder. */
interface ListedModel {
  id: string;
  baseUrl: string;
  manifest: ModelManifest | null;
}

/** What index.json says about the models in these folders. */
export async function listedModels(directories: readonly string[]): Promise<ListedModel[]> {
  const { models, problems } = await listModelFolders(directories);
  return [
    ...models.map(({ id, manifest }) => ({ id, baseUrl: baseUrlOf(id), manifest })),
    ...problems.map(({ id }) => ({ id, baseUrl: baseUrlOf(id), manifest: null })),
  ];
}

/**
 * `/models/index.json` lists the converted models; `/models/ID/PATH` are their files, those only that their manifest
 * lists.
 *
 * @param directories  folders of models; the first that has an id serves it
 */
export function modelRoutes(directories: readonly string[]): Hono {
  const app = new Hono();

  app.get(`/${MODEL_LIST}`, async (context) => {
    context.header('Cache-Control', 'no-cache');
    return context.json(await listedModels(directories));
  });

  app.get(`/${PREFIX}*`, async (context, next) => {
    const path = requestedPath(context.req.raw)?.slice(PREFIX.length);
    const { models } = await listModelFolders(directories);
    const model = models.find(({ id }) => path?.startsWith(`${id}/`));
    if (path === undefined || model === undefined) return next();
    const inside = path.slice(model.id.length + 1);
    const { variants, sidecars } = model.manifest;
    const listed = [{ path: MANIFEST_PATH }, ...sidecars, ...Object.values(variants).flat()];
    if (!listed.some((file) => file.path === inside)) return next();
    // Kept by the browser, asked about each time: a folder may be converted anew under the same name.
    return (await fileResponse(context.req.raw, model.directory, inside, 'no-cache')) ?? next();
  });

  return app;
}

function baseUrlOf(id: string): string {
  return `${id.split('/').map(encodeURIComponent).join('/')}/`;
}
