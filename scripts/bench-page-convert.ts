/**
 * Prints what it takes to get a model in the page: a checkpoint of TinyLlama's shape (1.1B parameters, pseudo-random,
 * made on the first run in .cache/) comes from a hub on this machine and is converted by the page into IndexedDB. Then
 * how long a browser started anew takes from IndexedDB to the first token, and transformers.js from its Cache API, with
 * the same files, device, threads and prompt, in turns.
 *
 * Memory is the resident memory of all processes of the browser above what it had with the page open and idle.
 *
 * Usage: npm run bench:page-convert -- [--variant q8] [--format safetensors|torch|gguf] [--layers 22] [--starts 3]
 * Only q8 starts on wasm in a reasonable time; for other variants just the conversion is measured.
 */
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type BrowserContext, chromium, type Page } from '@playwright/test';
import { createServer, type Plugin, type ViteDevServer } from 'vite';
import { VARIANTS } from '../src/align/variant.ts';
import { openCheckpoint } from '../src/convert/checkpoint/open-checkpoint.ts';
import { convertInPlace } from '../src/convert/convert-in-place.ts';
import { convertCheckpoint } from '../src/convert/convert.ts';
import { isInsidePath } from '../src/convert/parse-manifest.ts';
import { createNodeTarget, openNodeFolder } from '../src/weights/node-folder.ts';
import { startLocalHub } from '../e2e/local-hub.ts';
import playwrightConfig from '../playwright.config.ts';
import { CHECKPOINT_FORMATS, makeCheckpoint, TINY_LLAMA } from './bench-convert/make-checkpoint.ts';
import { median } from './bench/measurement.ts';

const CACHE = resolve(import.meta.dirname, '../.cache');
const REPOSITORY = 'bench/Benchmark';
const SAMPLE_MS = 100;

const { values } = parseArgs({
  options: {
    variant: { type: 'string', default: 'q8' },
    format: { type: 'string', default: 'safetensors' },
    layers: { type: 'string', default: String(TINY_LLAMA.layerCount) },
    starts: { type: 'string', default: '3' },
  },
});
const variant = VARIANTS.find((name) => name === values.variant);
const format = CHECKPOINT_FORMATS.find((name) => name === values.format);
const [layerCount, starts] = [Number(values.layers), Number(values.starts)];
if (variant === undefined || format === undefined || !(layerCount >= 1) || !(starts >= 0)) {
  console.error(
    `Usage: npm run bench:page-convert -- [--variant ${VARIANTS.join('|')}] [--format ${CHECKPOINT_FORMATS.join('|')}] ` +
      '[--layers N] [--starts N]',
  );
  process.exit(2);
}

const isWhole = layerCount === TINY_LLAMA.layerCount;
const checkpoint =
  isWhole && format === 'safetensors'
    ? join(CACHE, 'bench-convert/checkpoint')
    : join(CACHE, `bench-page-convert/${format}-${layerCount}`);
await makeCheckpoint(checkpoint, { ...TINY_LLAMA, layerCount }, format);
const names = await readdir(checkpoint);
const sizes = await Promise.all(names.map(async (name) => (await stat(join(checkpoint, name))).size));
const sourceBytes = sizes.reduce((sum, size) => sum + size, 0);
console.log(
  `${cpus().length} cores of ${cpus()[0]?.model.trim()}, Node ${process.version}, load ${loadavg()[0]?.toFixed(1)}; ` +
    `${layerCount} layers, ${megabytes(sourceBytes)} of ${format}, to ${variant}`,
);

// On disk: a browser without a profile keeps IndexedDB in memory.
await mkdir(join(CACHE, 'bench-page-convert'), { recursive: true });
const profile = await mkdtemp(join(CACHE, 'bench-page-convert/profile-'));
const converted = join(CACHE, 'bench-page-convert/converted');
const hub = await startLocalHub({
  repositories: { [REPOSITORY]: { files: Object.fromEntries(names.map((name) => [name, join(checkpoint, name)])) } },
});
const server = await createServer({
  logLevel: 'error',
  server: { port: 0, hmr: false, watch: null },
  plugins: [convertedFiles()],
});
await server.listen();
try {
  await measureArithmetic();
  const key = await measureConversion(server);
  if (variant === 'q8' && starts > 0) await measureStarts(server, key);
} finally {
  await hub.close();
  await server.close();
  await rm(profile, { recursive: true, force: true });
  await rm(converted, { recursive: true, force: true });
}

/** One core, the files in the system's memory, and nothing stored: what TypeScript makes of the numbers. */
async function measureArithmetic() {
  const pieces = new Map<string, Uint8Array>();
  const opened = await openCheckpoint(await openNodeFolder(checkpoint));
  const startMs = performance.now();
  await convertInPlace(
    opened,
    {
      declare: async () => {},
      write: async () => {},
      keepPiece: async (name, bytes) => void pieces.set(name, bytes),
      readPiece: async (name) => pieces.get(name)!,
      dropPiece: (name) => void pieces.delete(name),
    },
    { variants: [variant!], name: 'Benchmark', source: 'pseudo-random weights', family: undefined },
  );
  const seconds = (performance.now() - startMs) / 1000;
  console.log(`the conversion alone, in Node on one core: ${megabytes(sourceBytes / seconds)}/s of source`);
}

async function measureConversion(server: ViteDevServer) {
  const { context, page } = await openBrowser(server);
  const baselineBytes = await settledMemory();
  let peakBytes = 0;
  const timer = setInterval(() => {
    void residentBytes().then((bytes) => {
      peakBytes = Math.max(peakBytes, bytes);
    });
  }, SAMPLE_MS);
  const request = {
    reference: REPOSITORY,
    variant: variant!,
    device: 'wasm' as const,
    endpoint: hub.endpoint,
    token: undefined,
    family: undefined,
  };
  const startSeconds = await processorSeconds();
  const sentBefore = hub.sentBytes;
  const { key, seconds, keptBytes } = await page.evaluate((given) => window.pageConvert.convert(given), request);
  const cpuSeconds = (await processorSeconds()) - startSeconds;
  clearInterval(timer);
  await context.close();
  console.log(
    `converted in ${seconds.toFixed(1)} s (${cpuSeconds.toFixed(1)} s of the browser’s CPU time): ` +
      `${megabytes(sourceBytes / seconds)}/s of source, peak memory ` +
      `${megabytes(peakBytes - baselineBytes)} above ${megabytes(baselineBytes)}, ${megabytes(keptBytes)} stored, ` +
      `${megabytes(hub.sentBytes - sentBefore)} downloaded`,
  );
  return key;
}

async function measureStarts(server: ViteDevServer, key: Awaited<ReturnType<typeof measureConversion>>) {
  await convertCheckpoint(await openCheckpoint(await openNodeFolder(checkpoint)), createNodeTarget(converted), {
    variants: [key.variant],
    name: 'Benchmark',
    source: 'pseudo-random weights',
    family: undefined,
  });
  const address = server.resolvedUrls?.local[0] ?? '';
  const options = {
    key,
    modelUrl: `${address}bench-converted/`,
    threads: availableParallelism(),
    promptIds: [1, 40, 50],
  };
  const start = async (who: 'startOurs' | 'startTheirs') => {
    // A browser of its own for each: nothing of the last one is in memory.
    const { context, page } = await openBrowser(server);
    try {
      return await page.evaluate(([name, given]) => window.pageConvert[name](given), [who, options] as const);
    } finally {
      await context.close();
    }
  };
  // Fills their cache; ours is filled by the conversion.
  await start('startTheirs');
  const turns: { ours: number; theirs: number }[] = [];
  for (let turn = 0; turn < starts; turn++) {
    const isOursFirst = turn % 2 === 0;
    const first = await start(isOursFirst ? 'startOurs' : 'startTheirs');
    const second = await start(isOursFirst ? 'startTheirs' : 'startOurs');
    turns.push(isOursFirst ? { ours: first, theirs: second } : { ours: second, theirs: first });
  }
  const seconds = (times: readonly number[]) => `${(median(times) / 1000).toFixed(2)} s`;
  console.log(
    `warm start to the first token, median of ${starts}: ours ${seconds(turns.map(({ ours }) => ours))}, ` +
      `transformers.js ${seconds(turns.map(({ theirs }) => theirs))}, ratio ` +
      `${median(turns.map(({ ours, theirs }) => ours / theirs)).toFixed(2)} (below 1: ours is faster)`,
  );
}

async function openBrowser(server: ViteDevServer): Promise<{ context: BrowserContext; page: Page }> {
  const context = await chromium.launchPersistentContext(profile, playwrightConfig.use?.launchOptions ?? {});
  const page = context.pages()[0] ?? (await context.newPage());
  page.on('pageerror', (error) => console.error(error.message));
  await page.goto(`${server.resolvedUrls?.local[0] ?? ''}scripts/bench-page-convert/page.html`);
  await page.waitForFunction(() => 'pageConvert' in window);
  return { context, page };
}

/** When the browser has stopped growing after its start. */
async function settledMemory(): Promise<number> {
  let last = 0;
  for (let now = await residentBytes(); Math.abs(now - last) > 2e6; now = await residentBytes()) {
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  return last;
}

async function residentBytes(): Promise<number> {
  const pages = (await browserProcesses()).map(async (id) =>
    Number((await readProcess(id, 'statm')).split(' ')[1] ?? 0),
  );
  return (await Promise.all(pages)).reduce((sum, count) => sum + count, 0) * 4096;
}

/** Of all that the browser runs now. */
async function processorSeconds(): Promise<number> {
  const ticks = (await browserProcesses()).map(async (id) => {
    const fields = afterName(await readProcess(id, 'stat'));
    return Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  });
  return (await Promise.all(ticks)).reduce((sum, count) => sum + count, 0) / 100;
}

/** Ids of the browser on our profile and of all that it started. */
async function browserProcesses(): Promise<string[]> {
  const parents = new Map<string, string>();
  const browsers = new Set<string>();
  for (const id of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const [status, command] = await Promise.all([readProcess(id, 'stat'), readProcess(id, 'cmdline')]);
    parents.set(id, afterName(status)[1] ?? '');
    if (command.includes(`--user-data-dir=${profile}`)) browsers.add(id);
  }
  const isOurs = (id: string | undefined): boolean =>
    id !== undefined && (browsers.has(id) || (parents.has(id) && isOurs(parents.get(id))));
  return [...parents.keys()].filter(isOurs);
}

/** The fields of /proc/ID/stat from the state on: a name may hold spaces. */
function afterName(status: string): string[] {
  return status.slice(status.lastIndexOf(')') + 2).split(' ');
}

/** Empty for a process that has ended. */
function readProcess(id: string, name: string): Promise<string> {
  return readFile(`/proc/${id}/${name}`, 'utf8').catch(() => '');
}

/** What Node converted, which is byte for byte what the page stored. */
function convertedFiles(): Plugin {
  return {
    name: 'bench-converted',
    configureServer(server) {
      server.middlewares.use('/bench-converted/', (request, response) => {
        const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname.slice(1));
        const file = join(converted, path);
        stat(isInsidePath(path) ? file : '').then(
          ({ size }) => {
            response.setHeader('content-length', size);
            createReadStream(file).pipe(response);
          },
          () => {
            response.statusCode = 404;
            response.end();
          },
        );
      });
    },
  };
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6).toLocaleString('en-US')} MB`;
}
