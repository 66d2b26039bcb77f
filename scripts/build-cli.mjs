/**
 * Makes the program that cli/metaaligner.mjs starts: our own code in one file, with what only some commands need in others
 * beside it. Packages stay where they are installed.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { BUILT, builtProgram, CURRENT, digestOf, ENTRY, ROOT } from '../cli/built-program.mjs';

const root = fileURLToPath(ROOT);
const built = fileURLToPath(BUILT);
/** For so long a program that was started before may still read what was built before. Milliseconds. */
const KEPT_MS = 24 * 3600 * 1000;

/** Others may build at the same time, and nothing half written may be found: folders and the list get their names when done. */
async function buildProgram() {
  const making = join(built, `making-${randomUUID()}`);
  await mkdir(making, { recursive: true });
  /** The bytes that were built, whatever is in the files by then. */
  const sources = new Map();
  const readSources = {
    name: 'metaaligner-sources',
    async load(id) {
      if (!id.endsWith('.ts') || !id.startsWith(root)) return null;
      const bytes = await readFile(id);
      sources.set(relative(root, id).split(sep).join('/'), bytes);
      return bytes.toString();
    },
  };
  const { output } = await build({
    configFile: false,
    root,
    publicDir: false,
    // Its warnings are of modules that some import at once and others later.
    logLevel: 'error',
    plugins: [readSources],
    build: {
      ssr: 'cli/main.ts',
      outDir: making,
      target: 'node20',
      sourcemap: true,
      rolldownOptions: { output: { entryFileNames: ENTRY, chunkFileNames: '[name]-[hash].js' } },
    },
    ssr: { external: true },
  });
  const hash = createHash('sha256');
  for (const { fileName, code = '' } of output) hash.update(`${fileName}\n${code}\n`);
  const folder = hash.digest('hex').slice(0, 16);
  await rename(making, join(built, folder)).catch(async (error) => {
    // The same was built before, and may be in use.
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    await rm(making, { recursive: true });
  });
  const list = `${making}.json`;
  await writeFile(list, JSON.stringify({ folder, digest: digestOf(sources), paths: [...sources.keys()] }));
  await rename(list, CURRENT);
  await removeOld(folder);
}

async function removeOld(folder) {
  for (const name of await readdir(built)) {
    const path = join(built, name);
    const isCurrent = name === folder || path === fileURLToPath(CURRENT);
    if (!isCurrent && Date.now() - (await stat(path)).mtimeMs > KEPT_MS) await rm(path, { recursive: true });
  }
}

/** Before the unit tests (vitest.config.ts): they start the command line some 200 times. */
export async function setup() {
  if (builtProgram() === undefined) await buildProgram();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildProgram();
