import { cp, mkdir, mkdtemp, readdir, readlink, realpath, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { gunzipSync } from 'node:zlib';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ModelManifest } from '../src/convert/manifest.ts';
import { type RunningServer, startServer } from './main.ts';

const GRAPH = Uint8Array.from({ length: 3_000_000 }, (_, i) => i % 251);
const SECRET = 'not to be served';

const manifestOf = (name: string): ModelManifest => ({
  formatVersion: 1,
  name,
  source: 'test',
  family: 'imhi',
  config: {
    vocabularySize: 10,
    hiddenSize: 16,
    intermediateSize: 32,
    layerCount: 1,
    headCount: 1,
    kvHeadCount: 1,
    headDim: 16,
    rmsNormEpsilon: 1e-5,
    ropeTheta: 10000,
    contextLength: 64,
    isEmbeddingTied: true,
    bosTokenId: 1,
    eosTokenIds: [2],
  },
  parameterCount: 1,
  variants: {
    q8: [
      { path: 'onnx/model.onnx', sizeBytes: GRAPH.length },
      { path: 'onnx/leak', sizeBytes: 1 },
    ],
  },
  sidecars: [{ path: 'config.json', sizeBytes: 2 }],
});

async function makeModel(directory: string, name: string) {
  await mkdir(join(directory, 'onnx'), { recursive: true });
  await writeFile(join(directory, 'onnx', 'model.onnx'), GRAPH);
  await writeFile(join(directory, 'config.json'), '{}');
  await writeFile(join(directory, 'unlisted.txt'), SECRET);
  await writeFile(join(directory, 'metaaligner.json'), JSON.stringify(manifestOf(name)));
}

const LONG_SCRIPT = 'export const same = 1;\n'.repeat(500);

let root: string;
let server: RunningServer;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'metaaligner-server-'));
  const page = join(root, 'dist');
  await mkdir(join(page, 'assets'), { recursive: true });
  await writeFile(join(page, 'index.html'), '<!doctype html><title>page</title>');
  await writeFile(join(page, 'assets', 'index-B7PI925R.js'), 'export {}');
  await writeFile(join(page, 'assets', 'long-B7PI925R.js'), LONG_SCRIPT);
  await writeFile(join(page, 'assets', 'ort-B7PI925R.wasm'), 'wasm');
  await writeFile(join(page, 'assets', 'ort-B7PI925R.mjs'), 'export {}');
  await writeFile(join(page, '.env'), SECRET);
  await makeModel(join(page, 'models', 'demo'), 'Demo');
  await makeModel(join(page, 'models', 'both'), 'The page’s');
  const models = join(root, 'models');
  await makeModel(join(models, 'both'), 'The user’s');
  await makeModel(join(models, 'Owner', 'Name 1.1B'), 'Nested');
  await mkdir(join(models, 'damaged'));
  await writeFile(join(models, 'damaged', 'metaaligner.json'), '{"formatVersion":1}');
  await mkdir(join(models, 'unfinished'));
  await writeFile(join(models, 'unfinished', 'config.json'), '{}');
  const classifier = join(models, 'classifiers', 'humour');
  await mkdir(join(classifier, 'onnx'), { recursive: true });
  await writeFile(join(classifier, 'onnx', 'model.onnx'), GRAPH);
  await writeFile(join(classifier, 'config.json'), '{}');
  await writeFile(join(classifier, 'unlisted.txt'), SECRET);
  const variants = { fp32: [{ path: 'onnx/model.onnx', sizeBytes: GRAPH.length }] };
  const listed = { formatVersion: 1, source: 'made/humour', parameterCount: 7, variants };
  await writeFile(join(classifier, 'classifier.json'), JSON.stringify(listed));
  await mkdir(join(models, 'classifiers', 'cut'));
  await writeFile(join(models, 'classifiers', 'cut', 'classifier.json'), JSON.stringify(listed));
  await writeFile(join(root, 'secret.txt'), SECRET);
  await symlink(join(root, 'secret.txt'), join(models, 'both', 'onnx', 'leak'));
  await symlink(join(root, 'secret.txt'), join(page, 'leak.txt'));
  await makeModel(join(root, 'outside'), 'Outside');
  await symlink(join(root, 'outside'), join(models, 'linked'));
  server = await startServer({ port: 0, pageDirectory: page, modelsDirectory: models });
});
afterAll(async () => {
  await server.close();
  await rm(root, { recursive: true, force: true });
});

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

/** Sends the path as it is: `fetch` would tidy it first. */
function get(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    const request = httpRequest({ hostname, port, path, method, headers }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(pieces) }),
      );
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end();
  });
}

it('packs the page’s own text, and no model', async () => {
  const path = '/assets/long-B7PI925R.js';
  const accepting = { 'accept-encoding': 'gzip' };
  const { headers, body } = await get(path, accepting);
  expect(headers['content-encoding']).toBe('gzip');
  expect(gunzipSync(body).toString()).toBe(LONG_SCRIPT);
  expect((await get(path)).body.toString()).toBe(LONG_SCRIPT);
  const etag = String(headers.etag);
  expect(etag).toMatch(/^W\//);
  expect((await get(path, { ...accepting, 'if-none-match': etag })).status).toBe(304);
  expect((await get(MODEL_FILE, accepting)).headers['content-encoding']).toBeUndefined();
});

const MODEL_FILE = '/models/both/onnx/model.onnx';

describe('the page', () => {
  it.each([
    ['/', 'text/html; charset=utf-8', 'no-cache'],
    ['/index.html', 'text/html; charset=utf-8', 'no-cache'],
    ['/assets/index-B7PI925R.js', 'text/javascript; charset=utf-8', 'public, max-age=31536000, immutable'],
    ['/assets/ort-B7PI925R.wasm', 'application/wasm', 'public, max-age=31536000, immutable'],
    ['/assets/ort-B7PI925R.mjs', 'text/javascript; charset=utf-8', 'public, max-age=31536000, immutable'],
  ])('serves %s as %s, %s', async (path, type, cacheControl) => {
    const { status, headers } = await get(path);
    expect({ status, type: headers['content-type'], cacheControl: headers['cache-control'] }).toEqual({
      status: 200,
      type,
      cacheControl,
    });
  });

  it.each(['/', '/absent', '/models/index.json', MODEL_FILE])('is isolated and locked down at %s', async (path) => {
    const { headers } = await get(path);
    expect(headers).toMatchObject({
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    });
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self' 'wasm-unsafe-eval';");
    expect(policy).toContain(
      "connect-src 'self' http://127.0.0.1:* http://localhost:* https://huggingface.co https://*.huggingface.co https://*.hf.co;",
    );
    expect(policy).not.toContain('unsafe-inline');
  });

  it('lets the page call the mirrors and servers that are named, and no others', async () => {
    const named = await startServer({
      port: 0,
      pageDirectory: join(root, 'dist'),
      modelsDirectory: root,
      mirrors: ['https://mirror.example'],
      servers: ['https://aligner.example'],
    });
    const policy = (await fetch(named.url)).headers.get('content-security-policy');
    await named.close();
    expect(policy).toMatch(/connect-src [^;]*\*\.hf\.co https:\/\/mirror\.example https:\/\/aligner\.example;/);
  });

  it('answers GET and HEAD only', async () => {
    const post = await get('/', {}, 'POST');
    expect(post.status).toBe(405);
    expect(post.headers.allow).toBe('GET, HEAD');
    const head = await get(MODEL_FILE, {}, 'HEAD');
    expect({ status: head.status, length: head.headers['content-length'], body: head.body.length }).toEqual({
      status: 200,
      length: String(GRAPH.length),
      body: 0,
    });
  });
});

describe('the classifiers', () => {
  it('are listed apart from the models, but one that is not whole', async () => {
    const { body } = await get('/models/classifiers.json');
    expect(JSON.parse(body.toString())).toEqual([
      { id: 'classifiers/humour', baseUrl: 'classifiers/humour/', source: 'made/humour', parameterCount: 7 },
    ]);
  });

  it('are served as their manifest lists them, and no more', async () => {
    expect((await get('/models/classifiers/humour/onnx/model.onnx')).body.equals(Buffer.from(GRAPH))).toBe(true);
    expect((await get('/models/classifiers/humour/config.json')).status).toBe(200);
    expect((await get('/models/classifiers/humour/unlisted.txt')).status).toBe(404);
  });
});

it('lets the page speak to the servers that it was started with', async () => {
  const options = { port: 0, pageDirectory: join(root, 'dist'), modelsDirectory: join(root, 'models') };
  const judged = await startServer({ ...options, servers: ['https://judge.example:8000'] });
  const { headers } = await fetch(judged.url);
  await judged.close();
  const connect = /connect-src ([^;]*)/.exec(headers.get('content-security-policy')!)![1];
  expect(connect!.split(' ').at(-1)).toBe('https://judge.example:8000');
});

describe('the models', () => {
  it('are listed with addresses below the list; the user’s come before the page’s', async () => {
    const { body, headers } = await get('/models/index.json');
    expect(headers['cache-control']).toBe('no-cache');
    expect(JSON.parse(body.toString())).toEqual([
      { id: 'Owner/Name 1.1B', baseUrl: 'Owner/Name%201.1B/', manifest: manifestOf('Nested') },
      { id: 'both', baseUrl: 'both/', manifest: manifestOf('The user’s') },
      { id: 'demo', baseUrl: 'demo/', manifest: manifestOf('Demo') },
      { id: 'damaged', baseUrl: 'damaged/', manifest: null },
    ]);
  });

  it.each([MODEL_FILE, '/models/demo/onnx/model.onnx', '/models/Owner/Name%201.1B/onnx/model.onnx'])(
    'are served whole: %s',
    async (path) => {
      const { status, body } = await get(path);
      expect(status).toBe(200);
      expect(body.equals(GRAPH)).toBe(true);
    },
  );

  it.each([
    ['bytes=0-0', 0, 1],
    ['bytes=2999999-', 2_999_999, 3_000_000],
    ['bytes=10-99999999', 10, 3_000_000],
    ['bytes=-5', 2_999_995, 3_000_000],
  ])('are served by range: %s', async (range, start, end) => {
    const { status, headers, body } = await get(MODEL_FILE, { range });
    expect(status).toBe(206);
    expect(headers['content-range']).toBe(`bytes ${start}-${end - 1}/${GRAPH.length}`);
    expect(headers['content-length']).toBe(String(end - start));
    expect(body.equals(GRAPH.subarray(start, end))).toBe(true);
  });

  it.each(['bytes=3000000-', 'bytes=-0'])('have no bytes at %s', async (range) => {
    const { status, headers } = await get(MODEL_FILE, { range });
    expect(status).toBe(416);
    expect(headers['content-range']).toBe(`bytes */${GRAPH.length}`);
  });

  it.each(['bytes=5-1', 'bytes=0-1,5-6', 'bytes=-', 'pages=1-2'])('are sent whole for %s', async (range) => {
    expect((await get(MODEL_FILE, { range })).status).toBe(200);
  });

  it('are sent again only when they changed', async () => {
    const etag = String((await get(MODEL_FILE)).headers.etag);
    expect((await get(MODEL_FILE, { 'if-none-match': etag })).status).toBe(304);
    expect((await get(MODEL_FILE, { range: 'bytes=0-1', 'if-range': etag })).status).toBe(206);
    expect((await get(MODEL_FILE, { range: 'bytes=0-1', 'if-range': '"old"' })).status).toBe(200);
    await writeFile(join(root, 'models', 'Owner', 'Name 1.1B', 'config.json'), '{ }');
    const path = '/models/Owner/Name%201.1B/config.json';
    const before = String((await get(path)).headers.etag);
    await writeFile(join(root, 'models', 'Owner', 'Name 1.1B', 'config.json'), '{  }');
    expect((await get(path, { 'if-none-match': before })).status).toBe(200);
  });

  it('appear as soon as they are converted', async () => {
    const directory = join(root, 'models', 'late');
    await cp(join(root, 'outside'), directory, { recursive: true });
    expect((await get('/models/late/config.json')).status).toBe(200);
    await rm(directory, { recursive: true });
    expect((await get('/models/late/config.json')).status).toBe(404);
  });
});

describe('what lies outside', () => {
  it.each([
    '/../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/%2e%2e%2fsecret.txt',
    '/%252e%252e/secret.txt',
    '/..%5csecret.txt',
    '/assets/../../secret.txt',
    '/assets/%2e%2e/%2e%2e/secret.txt',
    '//secret.txt',
    '/models/both/../../secret.txt',
    '/models/both/%2e%2e/%2e%2e/secret.txt',
    '/models/both/..%2f..%2fsecret.txt',
    '/models/../secret.txt',
    '/models/%2e%2e%2f%2e%2e%2fsecret.txt',
    '/models/both/unlisted.txt',
    '/models/both/onnx/leak',
    '/models/linked/config.json',
    '/models/unfinished/config.json',
    '/models/damaged/metaaligner.json',
    '/leak.txt',
    '/.env',
    '/%2eenv',
    '/index.html%00.js',
    '/assets',
    '/assets/',
    '/%',
    '/%ff',
    `/${'a'.repeat(300)}`,
  ])('is not served: %s', async (path) => {
    const { status, body } = await get(path);
    expect(status).toBe(404);
    expect(body.toString()).not.toContain(SECRET);
  });

  it.each(['evil.example', 'evil.example:4173', 'localhost.evil.example', '127.0.0.1.evil.example'])(
    'is host “%s”, whose requests are refused',
    async (host) => {
      expect((await get('/', { host })).status).toBe(403);
    },
  );

  it.each(['localhost:9999', 'LOCALHOST', '127.0.0.1:1', '[::1]:4173'])('is not host “%s”', async (host) => {
    expect((await get('/', { host })).status).toBe(200);
  });
});

describe('clients that do not read', () => {
  let page: string;
  let weights: string;
  beforeAll(async () => {
    page = join(root, 'slow');
    await mkdir(page);
    await writeFile(join(page, 'index.html'), '<!doctype html>');
    weights = join(await realpath(page), 'weights.bin');
    await writeFile(weights, '');
    // Far more than lies in the buffers between.
    await truncate(weights, 200e6);
  });

  const timesOpen = async () => {
    const open = await readdir('/proc/self/fd');
    const targets = await Promise.all(open.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
    return targets.filter((target) => target === weights).length;
  };

  /** Five from each address, which ask for the weights and take nothing. */
  const askFrom = (addresses: readonly string[], port: number) =>
    addresses.flatMap((localAddress) =>
      Array.from({ length: 5 }, () => {
        const socket = connect({ port, host: '127.0.0.1', localAddress }).on('error', () => {});
        socket.pause().write('GET /weights.bin HTTP/1.1\r\nhost: localhost\r\n\r\n');
        return socket;
      }),
    );

  it('are cut off, and a bounded number of files is open for them, of one address and of all', async () => {
    const slow = await startServer({ port: 0, pageDirectory: page, slowReaderMs: 300, filesAtATime: 8 });
    const port = Number(new URL(slow.url).port);
    for (const [addresses, bound] of [
      [['127.0.0.1'], 2],
      [['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5'], 8],
    ] as const) {
      const sockets = askFrom(addresses, port);
      let most = 0;
      const sample = async () => {
        const times = await timesOpen();
        most = Math.max(most, times);
        return times;
      };
      const wait = { timeout: 20_000, interval: 10 };
      await vi.waitFor(async () => expect(await sample()).toBe(bound), wait);
      await vi.waitFor(async () => expect(await sample()).toBe(0), wait);
      expect(most).toBe(bound);
      for (const socket of sockets) socket.destroy();
    }
    await slow.close();
  }, 60_000);

  it('keep nobody from the page, and no other address from its weights', async () => {
    // None of them is cut off here.
    const slow = await startServer({ port: 0, pageDirectory: page, slowReaderMs: 120_000, filesAtATime: 4 });
    const port = Number(new URL(slow.url).port);
    const sockets = askFrom(['127.0.0.1'], port);
    await vi.waitFor(async () => expect(await timesOpen()).toBe(1), { timeout: 10_000, interval: 10 });
    const statusOf = (localAddress: string, path: string) =>
      new Promise((resolve, reject) => {
        const headers = { range: 'bytes=0-9' };
        httpRequest({ host: '127.0.0.1', localAddress, port, path, headers, timeout: 10_000 }, (response) => {
          resolve(response.resume().statusCode);
        })
          .on('timeout', () => reject(new Error(`${localAddress} waits for ${path}`)))
          .on('error', reject)
          .end();
      });
    expect(await statusOf('127.0.0.1', '/index.html')).toBe(206);
    expect(await statusOf('127.0.0.2', '/weights.bin')).toBe(206);
    for (const socket of sockets) socket.destroy();
    await slow.close();
  }, 60_000);
});

describe('startServer', () => {
  it('says which port is taken and what to do', async () => {
    const port = Number(new URL(server.url).port);
    await expect(startServer({ port, pageDirectory: join(root, 'dist') })).rejects.toMatchObject({
      code: 'invalid-request',
      message: expect.stringContaining(`Port ${port} of 127.0.0.1 is in use`) as string,
    });
  });

  it('says that the page is not built', async () => {
    await expect(startServer({ port: 0, pageDirectory: join(root, 'models') })).rejects.toMatchObject({
      code: 'invalid-request',
      message: expect.stringContaining('npm run build') as string,
    });
  });
});
