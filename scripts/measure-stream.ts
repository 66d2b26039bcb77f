/**
 * Measures the page's main thread while 1,000 tokens of a real engine stream into it beside the diff: the built-in demo
 * aligner on wasm, drawn at temperature 1 and kept from ending, against an answer of 600 words. Its tokens are long, 34 characters
 * each when they are drawn like that; a model of the usual vocabulary writes an eighth of it.
 *
 *     npm run measure:stream -- [--tokens 1000] [--views side-by-side,inline,clean] [--model public/models/demo-aligner]
 *
 * A task over 50 ms counts as long. Two clocks: what passed on the wall, which grows with whatever else the machine does, and
 * what the thread itself computed.
 */
import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Browser, chromium, type Page } from 'playwright';

const { values } = parseArgs({
  options: {
    tokens: { type: 'string', default: '1000' },
    views: { type: 'string', default: 'side-by-side,inline,clean' },
    model: { type: 'string', default: 'public/models/demo-aligner' },
  },
});
const newTokens = Number(values.tokens);
const LONG_MS = 50;
const MODEL = 'Endless';

const WORDS = ['garden', 'water', 'plant', 'the', 'light', 'soil', 'you', 'should', 'a', 'help'];
const ANSWER = Array.from({ length: 600 }, (_, i) => {
  const word = WORDS[(i * 7919 + Math.floor(i / 6)) % WORDS.length] ?? '';
  return `${word}${i % 12 === 11 ? '.' : ''}${i % 100 === 99 ? '\n\n' : ' '}`;
}).join('');

interface TraceEvent {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  /** Microseconds. */
  dur?: number;
  tdur?: number;
  args?: { name?: string };
}

const models = await mkdtemp(join(tmpdir(), 'measure-stream-'));
const port = await freePort();
try {
  await makeEndless(join(models, MODEL));
  const server = spawn('node', ['cli/metaaligner.mjs', 'start', '--port', String(port), '--models', models], {
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  try {
    await new Promise((resolve, reject) => {
      // It says where it is to be found.
      server.stderr.once('data', resolve);
      server.once('exit', () => reject(new Error('The server did not start; npm run build comes first.')));
    });
    const browser = await chromium.launch({
      executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
      chromiumSandbox: false,
    });
    try {
      console.log(`${newTokens} tokens; load average ${loadavg()[0]!.toFixed(1)}\n`);
      for (const view of values.views.split(',')) await measure(browser, view);
    } finally {
      await browser.close();
    }
  } finally {
    server.kill();
  }
} finally {
  await rm(models, { recursive: true });
}

async function measure(browser: Browser, view: string): Promise<void> {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.goto(`http://127.0.0.1:${port}/`);
  await page.evaluate((state) => localStorage.setItem('metaaligner-settings', JSON.stringify({ state, version: 1 })), {
    modelId: MODEL,
    device: 'wasm',
    variant: 'q8',
    maxNewTokens: newTokens,
    editView: view,
    sampling: { temperature: 1, topK: 50, topP: 1, repetitionPenalty: 1, seed: 1 },
  });
  await page.reload();
  await page.getByRole('button', { name: 'Load', exact: true }).click();
  await page.getByText('Loaded', { exact: true }).waitFor({ timeout: 120_000 });
  await page.getByLabel(/^(Context|Query|Question)$/).fill('Human: How do I keep my garden green?\n\nAssistant:');
  await page.getByLabel('Answer', { exact: true }).fill(ANSWER);
  await page.waitForTimeout(1000);
  await browser.startTracing(page, { categories: ['toplevel', '__metadata'] });
  const startMs = performance.now();
  await page.getByRole('button', { name: /^(Align|Load and align)/ }).click();
  await page.locator('section[data-status="done"], section[data-status="failed"]').waitFor({ timeout: 1_200_000 });
  const seconds = (performance.now() - startMs) / 1000;
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: TraceEvent[] };
  const written = await writtenTokens(page);
  const tasks = mainThreadTasks(traceEvents);
  const longest = (of: (task: TraceEvent) => number) =>
    `${tasks.filter((task) => of(task) > LONG_MS * 1000).length} long, longest ${Math.round(
      tasks.reduce((most, task) => Math.max(most, of(task)), 0) / 1000,
    )} ms`;
  console.log(
    `${view.padEnd(14)} ${written}, ${seconds.toFixed(0)} s, ${tasks.length} tasks; computed: ` +
      `${longest(({ tdur = 0 }) => tdur)}; on the wall: ${longest(({ dur = 0 }) => dur)}`,
  );
  await page.close();
}

/** Of the page that has the most tasks: the others are the browser's own. */
function mainThreadTasks(events: readonly TraceEvent[]): TraceEvent[] {
  const mains = events.filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain');
  const lists = mains.map(({ pid, tid }) =>
    events.filter((event) => event.pid === pid && event.tid === tid && event.ph === 'X' && /RunTask$/.test(event.name)),
  );
  return lists.toSorted((a, b) => b.length - a.length)[0] ?? [];
}

async function writtenTokens(page: Page): Promise<string> {
  const text = (await page.locator('section[data-status]').textContent()) ?? '';
  return `${/[\d,.]+ (new )?tokens/.exec(text)?.[0] ?? 'tokens unknown'}, ${text.length} characters`;
}

/** The model's q8 with an end of sequence that no token has. */
async function makeEndless(directory: string): Promise<void> {
  const isOtherVariant = (path: string) => /[\\/]onnx[\\/]/.test(path) && !path.includes('model_quantized.');
  await cp(values.model, directory, { recursive: true, filter: (path) => !isOtherVariant(path) });
  const path = join(directory, 'metaaligner.json');
  const manifest = JSON.parse(await readFile(path, 'utf8')) as {
    name: string;
    config: { vocabularySize: number; eosTokenIds: number[] };
  };
  manifest.name = MODEL;
  manifest.config.eosTokenIds = [manifest.config.vocabularySize];
  await writeFile(path, JSON.stringify(manifest));
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port: free } = server.address() as { port: number };
      server.close(() => resolve(free));
    });
  });
}
