import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { build, type Plugin } from 'vite';

/** Its name never changes: browsers look for a new version under the address they know. */
const SERVICE_WORKER = 'service-worker.js';
/** Our server makes this list anew for each request, with the user's own models in it: it cannot be held to a checksum. */
const MODEL_LIST = 'models/index.json';
/** As the list of models; the page does without it offline. */
const CLASSIFIER_LIST = 'models/classifiers.json';
/** Fonts of scripts that few texts use are fetched when they are first needed; texts about models are not for the page. */
const NOT_KEPT = /\.md$|(?<!-latin-wght-normal-[\w-]{8})\.woff2$/;

/**
 * Writes the service worker after the page, with the list of all files that the page is made of: the precache manifest of
 * workbox-precaching. (workbox-build makes such a list too, and brings Babel and Rollup with it.)
 *
 * @param policy  Content-Security-Policy for hosts that send none
 */
export function serviceWorker(entry: string, policy: string): Plugin {
  let directory = '';
  let isPageBuild = false;
  return {
    name: 'metaaligner-service-worker',
    apply: 'build',
    configResolved({ build: { outDir, ssr }, root }) {
      directory = resolve(root, outDir);
      isPageBuild = ssr === false;
    },
    async closeBundle() {
      if (!isPageBuild) return;
      const files = await listFiles(directory);
      const models = JSON.parse(await readFile(join(directory, MODEL_LIST), 'utf8')) as unknown;
      await build({
        configFile: false,
        logLevel: 'warn',
        define: { SHELL: JSON.stringify({ files, models, policy }), 'process.env.NODE_ENV': '"production"' },
        build: {
          outDir: directory,
          emptyOutDir: false,
          copyPublicDir: false,
          target: 'es2022',
          lib: { entry, formats: ['iife'], name: 'serviceWorker', fileName: () => SERVICE_WORKER },
        },
      });
    },
  };
}

async function listFiles(directory: string) {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = [];
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    const url = relative(directory, path).split(sep).join('/');
    const isMadeAnew = [SERVICE_WORKER, MODEL_LIST, CLASSIFIER_LIST].includes(url);
    if (!entry.isFile() || isMadeAnew || NOT_KEPT.test(url)) continue;
    const bytes = await readFile(path);
    const digest = (algorithm: string) => createHash(algorithm).update(bytes).digest('base64');
    // A name in assets/ holds a hash: the file never changes under it.
    const revision = url.startsWith('assets/') ? null : digest('sha256').slice(0, 16);
    files.push({ url, revision, integrity: `sha384-${digest('sha384')}` });
  }
  return files.sort((a, b) => (a.url < b.url ? -1 : 1));
}
