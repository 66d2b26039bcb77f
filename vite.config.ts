import { resolve } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import react from '@vitejs/plugin-react';
import { type Connect, defaultClientConditions, defineConfig, type Plugin } from 'vite';
import { listedClassifiers, listedModels, modelRoutes } from './server/routes/models.ts';
import { contentSecurityPolicy, HUB_ORIGINS, ISOLATION_HEADERS } from './server/security.ts';
import { kernels } from './scripts/kernels-plugin.ts';
import { serviceWorker } from './scripts/service-worker-plugin.ts';

const PAGE_MODELS = resolve(import.meta.dirname, 'public/models');
const USER_MODELS = resolve(import.meta.dirname, 'models');

/** `/models` while developing, as the server has it, and its lists for hosts that only have files. */
function models(): Plugin {
  const app = modelRoutes([USER_MODELS, PAGE_MODELS]);
  app.notFound(() => new Response('There is no such model.\n', { status: 404, headers: ISOLATION_HEADERS }));
  const answer = getRequestListener(app.fetch);
  const middleware: Connect.NextHandleFunction = (request, response, next) => {
    if (!request.url?.startsWith('/models/')) return next();
    for (const [name, value] of Object.entries(ISOLATION_HEADERS)) response.setHeader(name, value);
    void answer(request, response);
  };
  return {
    name: 'metaaligner-models',
    configureServer: (server) => void server.middlewares.use(middleware),
    configurePreviewServer: (server) => void server.middlewares.use(middleware),
    async generateBundle() {
      const source = JSON.stringify(await listedModels([PAGE_MODELS]));
      this.emitFile({ type: 'asset', fileName: 'models/index.json', source });
      const classifiers = JSON.stringify(await listedClassifiers([PAGE_MODELS]));
      this.emitFile({ type: 'asset', fileName: 'models/classifiers.json', source: classifiers });
    },
  };
}

export default defineConfig({
  // Works in any folder of a host.
  base: './',
  plugins: [
    react(),
    models(),
    kernels(),
    serviceWorker(resolve(import.meta.dirname, 'workers/offline.worker.ts'), contentSecurityPolicy(HUB_ORIGINS)),
  ],
  resolve: {
    // ORT's loader (.mjs) as a file of its own: bundled into ours, its threads would start the whole worker again.
    conditions: ['onnxruntime-web-use-extern-wasm', ...defaultClientConditions],
  },
  // Its files find each other by address, which pre-bundling moves.
  optimizeDeps: { exclude: ['onnxruntime-web'] },
  worker: { format: 'es', plugins: () => [kernels()] },
  build: {
    target: 'es2022',
    // Everything a file: a data: address would need a hole in the Content-Security-Policy.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1500,
  },
  server: { host: '127.0.0.1', headers: ISOLATION_HEADERS },
  preview: { host: '127.0.0.1', headers: ISOLATION_HEADERS },
});
