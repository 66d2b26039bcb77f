import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Plugin } from 'vite';

const ROOT = resolve(import.meta.dirname, '..');
const SOURCES = resolve(ROOT, 'src/engines/wasm-kernels');
const COMPILER = resolve(ROOT, 'node_modules/assemblyscript/bin/asc.js');
const MODULE = 'virtual:wasm-kernels';

/**
 * Compiles src/engines/wasm-kernels, which is AssemblyScript, twice: for any processor, and with relaxed SIMD.
 *
 * @throws Error with the compiler's messages
 */
export async function compileKernels(): Promise<Record<'plain' | 'relaxed', Uint8Array<ArrayBuffer>>> {
  const features = 'simd,threads,bulk-memory';
  const [plain, relaxed] = await Promise.all([compile(features), compile(`${features},relaxed-simd`)]);
  return { plain, relaxed };
}

async function compile(features: string): Promise<Uint8Array<ArrayBuffer>> {
  const directory = await mkdtemp(join(tmpdir(), 'metaaligner-kernels-'));
  const outFile = join(directory, 'kernels.wasm');
  const options = ['-O3', '--noAssert', '--runtime', 'stub', '--enable', features, '--outFile', outFile];
  // Bounds of the memory that may be imported: the page's is as large as its model.
  const memory = ['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'];
  try {
    // As a process: its types would change those of every array here.
    await promisify(execFile)(process.execPath, [COMPILER, join(SOURCES, 'index.ts'), ...options, ...memory], {
      cwd: ROOT,
    });
    return new Uint8Array(await readFile(outFile));
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Of the page and of each worker, which are built one after the other. */
let compiled: Promise<string> | undefined;

/** Gives `virtual:wasm-kernels`: what {@link compileKernels} makes. */
export function kernels(): Plugin {
  const write = async () => {
    const binaries = Object.entries(await compileKernels());
    const asBase64 = binaries.map(([name, bytes]) => [name, Buffer.from(bytes).toString('base64')]);
    return `const bytesOf = (base64) => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
export const KERNELS = Object.fromEntries(Object.entries(${JSON.stringify(Object.fromEntries(asBase64))})
  .map(([name, base64]) => [name, bytesOf(base64)]));`;
  };
  return {
    name: 'metaaligner-kernels',
    resolveId: (id) => (id === MODULE ? `\0${MODULE}` : undefined),
    async load(id) {
      if (id !== `\0${MODULE}`) return undefined;
      for (const file of await readdir(SOURCES)) this.addWatchFile(resolve(SOURCES, file));
      compiled ??= write();
      // What did not compile is tried again.
      compiled.catch(() => (compiled = undefined));
      return compiled;
    },
    watchChange: (id) => void (id.includes(SOURCES) && (compiled = undefined)),
  };
}
