import { join } from 'node:path';
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { compress } from 'hono/compress';
import { logBug } from './api/errors.ts';
import { type ApiOptions, apiRoutes } from './api/routes.ts';
import { WorkQueue } from './api/work-queue.ts';
import { type FileOptionsOf, fileResponse, requestedPath } from './file-response.ts';
import { MODEL_LIST, modelRoutes } from './routes/models.ts';
import { HUB_ORIGINS, knownHostsOnly, securityHeaders } from './security.ts';

export interface AppOptions {
  /** The built page. Its own models are in `models/`. Undefined: the interface alone is served, no page and no models. */
  pageDirectory: string | undefined;
  /** Folder of the user's converted models; it need not exist. */
  modelsDirectory: string;
  /** Mirrors of the hub that the page may download from beside it: origins, `*` for any port or subdomain. */
  mirrors?: readonly string[];
  /**
   * Servers that the page may send texts to beside this one and this machine's, for their models or to be scored: origins as
   * the mirrors'.
   */
  servers?: readonly string[];
  /** Names that the server is called by, beside this machine's own. */
  hosts?: readonly string[];
  /** A connection on which nothing moves for so long is ended: what its reader does not take is held in memory. */
  slowReaderMs: number;
  /** Large files that are sent at a time. */
  filesAtATime?: number;
  /** What `/v1` is; without it there is none. */
  api?: ApiOptions | undefined;
}

/** Vite puts a hash into these names: a file never changes under its name. */
const HASHED_PATH = /^assets\/.*-[\w-]{8}\.\w+$/;

/**
 * Large files that are sent at a time: so many times what one takes is held at most, however many clients ask and read slowly.
 * Those of each address wait in a line of their own.
 */
const FILES_AT_A_TIME = 64;

/** Of these, for one address: who reads steadily and never ends keeps the rest for others. */
const SHARE_OF_AN_ADDRESS = 1 / 4;

/** The page, the models that it can load, and the interface for other programs. */
export function createApp({
  pageDirectory,
  modelsDirectory,
  mirrors = [],
  servers = [],
  hosts = [],
  slowReaderMs,
  filesAtATime = FILES_AT_A_TIME,
  api,
}: AppOptions): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.use(securityHeaders([...HUB_ORIGINS, ...mirrors, ...servers]), knownHostsOnly(hosts));
  if (api !== undefined) app.route('/', apiRoutes(api));
  app.use(async (context, next) => {
    if (context.req.method === 'GET' || context.req.method === 'HEAD') return next();
    return context.text('Only GET and HEAD are answered.\n', 405, { Allow: 'GET, HEAD' });
  });
  if (pageDirectory !== undefined)
    addPage(app, { pageDirectory, modelsDirectory, slowReaderMs, filesAtATime, hasApi: api !== undefined });
  app.notFound((context) => context.text('There is no such file.\n', 404, { 'Cache-Control': 'no-cache' }));
  app.onError((error, context) => {
    // A client that broke off its own request reads no answer.
    if (context.req.raw.signal.aborted) return context.body(null, 400);
    logBug(error);
    return context.text('The server failed; its terminal says how.\n', 500);
  });
  return app;
}

function addPage(
  app: Hono<{ Bindings: HttpBindings }>,
  {
    pageDirectory,
    modelsDirectory,
    slowReaderMs,
    filesAtATime,
    hasApi,
  }: Pick<AppOptions, 'modelsDirectory' | 'slowReaderMs'> & {
    pageDirectory: string;
    filesAtATime: number;
    hasApi: boolean;
  },
): void {
  const perClient = Math.ceil(filesAtATime * SHARE_OF_AN_ADDRESS);
  // As many wait as there may be connections.
  const files = new WorkQueue({ atATime: filesAtATime, perClient, maxWaiting: Infinity });
  const optionsOf: FileOptionsOf = ({ env }, cacheControl) => ({
    cacheControl,
    async enter(signal) {
      const { socket } = env.incoming;
      // Who waits for a turn is not slow.
      socket.setTimeout(0);
      const leave = await files.enter(signal, socket.remoteAddress);
      socket.setTimeout(slowReaderMs);
      return leave;
    },
  });
  if (hasApi) {
    app.use(`/${MODEL_LIST}`, async (context, next) => {
      await next();
      // RFC 8631: the page need not ask a host of files for an interface.
      context.res.headers.set('Link', '</openapi.json>; rel="service-desc"');
    });
  }
  app.route('/', modelRoutes([modelsDirectory, join(pageDirectory, 'models')], optionsOf));
  // Of the page itself; onnxruntime's binary would take a second of CPU at each visit and is kept by the browser anyway.
  app.use(
    '/*',
    compress({ contentTypeFilter: (type) => /^(text|application)\/(html|css|javascript|json)\b/.test(type) }),
  );
  app.get('/*', async (context, next) => {
    const requested = requestedPath(context.req.raw);
    const path = requested === '' ? 'index.html' : requested;
    // Models have their own route, which knows what may be read.
    if (path === undefined || path.startsWith('models/')) return next();
    const cacheControl = HASHED_PATH.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache';
    return (await fileResponse(context.req.raw, pageDirectory, path, optionsOf(context, cacheControl))) ?? next();
  });
}
