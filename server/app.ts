import { join } from 'node:path';
import { Hono } from 'hono';
import { apiRoutes } from './api/routes.ts';
import type { ServedModel } from './api/served-model.ts';
import { fileResponse, requestedPath } from './file-response.ts';
import { modelRoutes } from './routes/models.ts';
import { HUB_ORIGINS, localHostsOnly, securityHeaders } from './security.ts';

export interface AppOptions {
  /** The built page. Its own models are in `models/`. */
  pageDirectory: string;
  /** Folder of the user's converted models; it need not exist. */
  modelsDirectory: string;
  /** Mirrors of the hub that the page may download from beside it: origins, `*` for any port or subdomain. */
  mirrors?: readonly string[];
  /** What `/v1` runs; without it there is no `/v1`. */
  served?: ServedModel | undefined;
}

/** Vite puts a hash into these names: a file never changes under its name. */
const HASHED_PATH = /^assets\/.*-[\w-]{8}\.\w+$/;

/** The page, the models that it can load, and the interface for other programs. */
export function createApp({ pageDirectory, modelsDirectory, mirrors = [], served }: AppOptions): Hono {
  const app = new Hono();
  app.use(securityHeaders([...HUB_ORIGINS, ...mirrors]), localHostsOnly());
  if (served !== undefined) app.route('/', apiRoutes(served));
  app.use(async (context, next) => {
    if (context.req.method === 'GET' || context.req.method === 'HEAD') return next();
    return context.text('Only GET and HEAD are answered.\n', 405, { Allow: 'GET, HEAD' });
  });
  app.route('/', modelRoutes([modelsDirectory, join(pageDirectory, 'models')]));
  app.get('/*', async (context, next) => {
    const requested = requestedPath(context.req.raw);
    const path = requested === '' ? 'index.html' : requested;
    // Models have their own route, which knows what may be read.
    if (path === undefined || path.startsWith('models/')) return next();
    const cacheControl = HASHED_PATH.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache';
    return (await fileResponse(context.req.raw, pageDirectory, path, cacheControl)) ?? next();
  });
  app.notFound((context) => context.text('There is no such file.\n', 404, { 'Cache-Control': 'no-cache' }));
  app.onError((error, context) => {
    console.error(error);
    return context.text('The server failed; its terminal says how.\n', 500);
  });
  return app;
}
