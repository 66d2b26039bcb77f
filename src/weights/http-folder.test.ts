import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { readAll, readText } from '../convert/byte-source.ts';
import type { ModelManifest } from '../convert/manifest.ts';
import { httpClassifierFolder, httpFolder } from './http-folder.ts';

const WEIGHTS = Uint8Array.from({ length: 10_000 }, (_, i) => (i * 7) % 251);
const CONFIG = '{"model_type":"llama"}';

function manifestText(weightsBytes = WEIGHTS.length): string {
  const manifest: ModelManifest = {
    formatVersion: 1,
    name: 'Tiny',
    source: 'test',
    family: undefined,
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
    variants: { q8: [{ path: 'onnx/model.onnx_data', sizeBytes: weightsBytes }] },
    sidecars: [{ path: 'config.json', sizeBytes: CONFIG.length }],
  };
  return JSON.stringify(manifest);
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** Serves the folder as a plain file server with ranges does, but for the paths that a test answers itself. */
async function serve(overrides: Record<string, Handler> = {}): Promise<{ base: string; requests: string[] }> {
  const requests: string[] = [];
  const files: Record<string, Uint8Array> = {
    '/m/metaaligner.json': Buffer.from(manifestText()),
    '/m/config.json': Buffer.from(CONFIG),
    '/m/onnx/model.onnx_data': WEIGHTS,
  };
  server = createServer((request, response) => {
    const path = request.url ?? '';
    requests.push(`${request.method} ${path} ${request.headers.range ?? ''}`.trim());
    const handler = overrides[path];
    if (handler !== undefined) return handler(request, response);
    const bytes = files[path];
    if (bytes === undefined) return response.writeHead(404).end();
    sendFile(request, response, bytes);
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return { base: `http://127.0.0.1:${(server.address() as AddressInfo).port}/m/`, requests };
}

function sendFile(request: IncomingMessage, response: ServerResponse, bytes: Uint8Array): void {
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
  const part = range === null ? bytes : bytes.subarray(Number(range[1]), Number(range[2]) + 1);
  response.writeHead(range === null ? 200 : 206, { 'content-length': part.length });
  response.end(request.method === 'HEAD' ? undefined : part);
}

const WEIGHTS_PATH = '/m/onnx/model.onnx_data';

describe('httpFolder', () => {
  it('lists what the manifest names, and the manifest', async () => {
    const { base } = await serve();
    expect(await httpFolder(base).list()).toEqual(['metaaligner.json', 'onnx/model.onnx_data', 'config.json']);
  });

  it('takes an address without its last slash', async () => {
    const { base } = await serve();
    const config = await httpFolder(base.slice(0, -1)).open('config.json');
    expect(await readText(config)).toBe(CONFIG);
  });

  it('downloads a file in one request and reports the bytes as they come', async () => {
    const { base, requests } = await serve();
    const source = await httpFolder(base).open('onnx/model.onnx_data');
    const progress: number[] = [];
    expect(await readAll(source, { onProgress: (bytes) => progress.push(bytes) })).toEqual(WEIGHTS);
    expect(progress.at(-1)).toBe(WEIGHTS.length);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(requests.filter((line) => line.startsWith('GET') && line.includes('onnx_data'))).toHaveLength(1);
  });

  it('asks for the bytes of a range only', async () => {
    const { base, requests } = await serve();
    const source = await httpFolder(base).open('onnx/model.onnx_data');
    expect(await source.read(500, 20)).toEqual(WEIGHTS.slice(500, 520));
    expect(requests.at(-1)).toBe(`GET ${WEIGHTS_PATH} bytes=500-519`);
  });

  it('cuts the range out itself where the server knows no ranges', async () => {
    const { base } = await serve({
      [WEIGHTS_PATH]: (request, response) => {
        delete request.headers.range;
        sendFile(request, response, WEIGHTS);
      },
    });
    const source = await httpFolder(base).open('onnx/model.onnx_data');
    expect(await source.read(9_000, 1_000)).toEqual(WEIGHTS.slice(9_000));
  });

  it('refuses a range past the end without asking for it', async () => {
    const { base } = await serve();
    const source = await httpFolder(base).open('config.json');
    await expect(source.read(0, CONFIG.length + 1)).rejects.toMatchObject({ code: 'checkpoint-corrupt' });
  });

  it('goes on where a download was cut off', async () => {
    let cuts = 0;
    const { base, requests } = await serve({
      [WEIGHTS_PATH]: (request, response) => {
        if (request.method === 'HEAD' || cuts === 2) return sendFile(request, response, WEIGHTS);
        cuts += 1;
        const start = Number(/\d+/.exec(request.headers.range ?? '0')?.[0]);
        response.writeHead(start === 0 ? 200 : 206, { 'content-length': WEIGHTS.length - start });
        response.write(WEIGHTS.subarray(start, start + 3_000), () => response.destroy());
      },
    });
    const source = await httpFolder(base).open('onnx/model.onnx_data');
    expect(await readAll(source)).toEqual(WEIGHTS);
    expect(requests.filter((line) => line.includes('onnx_data bytes='))).toEqual([
      `GET ${WEIGHTS_PATH} bytes=3000-9999`,
      `GET ${WEIGHTS_PATH} bytes=6000-9999`,
    ]);
  });

  it('gives up when a cut off download brings nothing more', async () => {
    const { base } = await serve({
      [WEIGHTS_PATH]: (request, response) => {
        if (request.method === 'HEAD') return sendFile(request, response, WEIGHTS);
        response.destroy();
      },
    });
    const source = await httpFolder(base).open('onnx/model.onnx_data');
    await expect(readAll(source)).rejects.toMatchObject({
      code: 'weights-unreachable',
      details: { url: `${base}onnx/model.onnx_data` },
    });
  });

  it('says that a host does not answer', async () => {
    const { base } = await serve();
    server?.close();
    await expect(httpFolder(base).list()).rejects.toMatchObject({
      code: 'weights-unreachable',
      details: { url: `${base}metaaligner.json` },
    });
  });

  it('asks again after a failure', async () => {
    let isDown = true;
    const { base } = await serve({
      '/m/metaaligner.json': (_request, response) => {
        response.statusCode = isDown ? 503 : 200;
        response.end(manifestText());
      },
    });
    const folder = httpFolder(base);
    await expect(folder.list()).rejects.toMatchObject({ code: 'weights-unreachable', details: { status: 503 } });
    isDown = false;
    expect(await folder.list()).toContain('config.json');
  });

  it('reports a folder that is not there with its status', async () => {
    const { base } = await serve();
    await expect(httpFolder(`${base}elsewhere/`).list()).rejects.toMatchObject({
      code: 'weights-missing',
      details: { status: 404 },
    });
  });

  it('reports a listed file that is not there before anything is downloaded', async () => {
    const { base, requests } = await serve({ [WEIGHTS_PATH]: (_request, response) => response.writeHead(404).end() });
    await expect(httpFolder(base).open('onnx/model.onnx_data')).rejects.toMatchObject({ code: 'weights-missing' });
    expect(requests).not.toContain(`GET ${WEIGHTS_PATH}`);
  });

  it('opens nothing that the manifest does not list', async () => {
    const { base } = await serve();
    await expect(httpFolder(base).open('tokenizer.json')).rejects.toMatchObject({ code: 'weights-missing' });
    await expect(httpFolder(base).open('../m/config.json')).rejects.toMatchObject({ code: 'weights-missing' });
  });

  it.each([
    ['shorter', WEIGHTS.length - 1],
    ['longer', WEIGHTS.length + 1],
  ])('refuses a file %s than the manifest says', async (_name, sizeBytes) => {
    const bytes = new Uint8Array(sizeBytes);
    const { base } = await serve({ [WEIGHTS_PATH]: (request, response) => sendFile(request, response, bytes) });
    await expect(httpFolder(base).open('onnx/model.onnx_data')).rejects.toMatchObject({
      code: 'weights-corrupt',
      details: { sizeBytes: WEIGHTS.length, foundBytes: sizeBytes },
    });
  });

  it.each([
    ['shorter', WEIGHTS.length - 1],
    ['longer', WEIGHTS.length + 1],
  ])('refuses it while it streams where HEAD does not tell: %s', async (_name, sizeBytes) => {
    const { base } = await serve({
      [WEIGHTS_PATH]: (request, response) => {
        if (request.method === 'HEAD') return response.writeHead(405).end();
        // No content-length: the answer is chunked.
        response.write(new Uint8Array(sizeBytes));
        response.end();
      },
    });
    const source = await httpFolder(base).open('onnx/model.onnx_data');
    await expect(readAll(source)).rejects.toMatchObject({ code: 'weights-corrupt' });
  });

  it('takes the length of a compressed answer for what it is', async () => {
    const { base } = await serve({
      [WEIGHTS_PATH]: (request, response) => {
        const body = gzipSync(WEIGHTS);
        response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': body.length });
        response.end(request.method === 'HEAD' ? undefined : body);
      },
    });
    expect(await readAll(await httpFolder(base).open('onnx/model.onnx_data'))).toEqual(WEIGHTS);
  });

  it('gives up on a host that falls silent', async () => {
    const { base } = await serve({
      [WEIGHTS_PATH]: (request, response) => {
        if (request.method === 'HEAD') sendFile(request, response, WEIGHTS);
      },
    });
    const source = await httpFolder(base, { stallMs: 50 }).open('onnx/model.onnx_data');
    await expect(readAll(source)).rejects.toMatchObject({
      code: 'weights-unreachable',
      message: expect.stringContaining('sent nothing for 0.05 s') as string,
    });
  });

  it.each(['folder', 'read'])('ends a download with the reason of the %s’s signal', async (owner) => {
    const { base } = await serve({
      [WEIGHTS_PATH]: (request, response) => {
        if (request.method === 'HEAD') return sendFile(request, response, WEIGHTS);
        response.writeHead(200, { 'content-length': WEIGHTS.length });
        response.write(WEIGHTS.subarray(0, 10));
      },
    });
    const aborter = new AbortController();
    const reason = new DOMException('Overtaken', 'AbortError');
    const folder = httpFolder(base, owner === 'folder' ? { signal: aborter.signal } : {});
    const source = await folder.open('onnx/model.onnx_data');
    const download = readAll(source, {
      ...(owner === 'read' && { signal: aborter.signal }),
      onProgress: () => aborter.abort(reason),
    });
    await expect(download).rejects.toBe(reason);
  });

  it('refuses a manifest that never ends', async () => {
    const { base } = await serve({
      '/m/metaaligner.json': (_request, response) => {
        const more = () => {
          while (!response.destroyed && response.write(Buffer.alloc(1 << 16, 32)));
        };
        response.on('drain', more);
        more();
      },
    });
    await expect(httpFolder(base).list()).rejects.toMatchObject({ code: 'weights-corrupt' });
  });
});

describe('httpClassifierFolder', () => {
  const manifest = JSON.stringify({
    formatVersion: 1,
    source: 'made',
    parameterCount: 1,
    variants: { fp32: [{ path: 'onnx/model.onnx_data', sizeBytes: WEIGHTS.length }] },
  });
  const text =
    (content: string): Handler =>
    (_request, response) =>
      response.end(content);
  const texts = {
    '/m/classifier.json': text(manifest),
    '/m/tokenizer.json': text('{"t":1}'),
    '/m/tokenizer_config.json': text('{}'),
  };

  it('reads the texts at once and the weights when they are asked for', async () => {
    const { base, requests } = await serve(texts);
    const folder = httpClassifierFolder(base);
    expect(await readText(await folder.open('tokenizer.json'))).toBe('{"t":1}');
    expect(requests.filter((one) => one.includes('onnx'))).toEqual([]);
    expect(await readAll(await folder.open('onnx/model.onnx_data'))).toEqual(WEIGHTS);
    await expect(folder.open('onnx/other')).rejects.toMatchObject({ code: 'weights-missing' });
  });

  it('names a text that is missing, and a manifest that is damaged', async () => {
    const { base } = await serve({ '/m/classifier.json': text(manifest) });
    await expect(httpClassifierFolder(base).list()).rejects.toMatchObject({ code: 'weights-missing' });
    server?.close();
    const damaged = await serve({ '/m/classifier.json': text('{') });
    await expect(httpClassifierFolder(damaged.base).list()).rejects.toMatchObject({ code: 'weights-corrupt' });
  });
});
