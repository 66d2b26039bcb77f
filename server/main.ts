import { stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { AlignError } from '../src/align/errors.ts';
import type { ServedModel } from './api/served-model.ts';
import { type AppOptions, createApp } from './app.ts';
import { PACKAGE_FOLDER } from './package-folder.ts';

/** Only this machine reaches it. */
const LOCAL_ADDRESS = '127.0.0.1';

export interface StartOptions extends Partial<AppOptions> {
  /** 0 takes a free one. */
  port: number;
  /** Address to listen on. Others than this machine's own need keys. */
  address?: string;
}

export interface RunningServer {
  /** Ends in `/`. */
  url: string;
  /**
   * Lets nobody in any more and ends. What is being answered has `graceMs` to finish; then it hears that it was stopped.
   * Idempotent.
   *
   * @returns how many requests were not finished
   */
  close(graceMs?: number): Promise<number>;
}

/**
 * Serves the built page, the interface of a model, or both.
 *
 * @throws AlignError `invalid-request` when the page is not built, the port is taken, the address is not this machine's, or
 *   others could call without a key
 */
export async function startServer({
  port,
  address = LOCAL_ADDRESS,
  slowReaderMs = SLOW_READER_MS,
  ...options
}: StartOptions): Promise<RunningServer> {
  const { api } = options;
  if (!isLoopback(address) && api !== undefined && api.keys === undefined) {
    const message = `${address} can be reached from other machines: that needs keys (--keys-file).`;
    throw new AlignError('invalid-request', message, { details: { address } });
  }
  const pageDirectory = 'pageDirectory' in options ? options.pageDirectory : join(PACKAGE_FOLDER, 'dist');
  const modelsDirectory = options.modelsDirectory ?? resolve('models');
  if (pageDirectory !== undefined) await checkBuilt(pageDirectory);
  const app = createApp({ ...options, slowReaderMs, pageDirectory, modelsDirectory });
  const answer = getRequestListener(app.fetch);
  const server = createServer(TIMEOUTS, (request, response) => void answer(request, response));
  server.maxConnections = MAX_CONNECTIONS;
  server.setTimeout(slowReaderMs);
  await listen(server, port, address);
  const { port: actualPort } = server.address() as AddressInfo;
  let closed: Promise<number> | undefined;
  return {
    url: `http://${isIP(address) === 6 ? `[${address}]` : address}:${actualPort}/`,
    close: (graceMs = 0) => (closed ??= close(server, api?.served, graceMs)),
  };
}

/** A client that sends its request a byte a minute holds nothing for long. Milliseconds. */
const TIMEOUTS = { headersTimeout: 10_000, requestTimeout: 60_000, connectionsCheckingInterval: 5_000 };

const MAX_CONNECTIONS = 10_000;

const SLOW_READER_MS = 30_000;

async function close(server: Server, served: ServedModel | undefined, graceMs: number): Promise<number> {
  const closed = new Promise<void>((resolve, reject) => {
    server.close((error) => (error === undefined ? resolve() : reject(error)));
  });
  // Clients hear that their run was ended before their connections are.
  const left = (await served?.close(graceMs)) ?? 0;
  await new Promise((resolve) => setImmediate(resolve));
  server.closeAllConnections();
  await closed;
  return left;
}

async function checkBuilt(pageDirectory: string): Promise<void> {
  const page = join(pageDirectory, 'index.html');
  const isBuilt = await stat(page).then(
    (status) => status.isFile(),
    () => false,
  );
  if (isBuilt) return;
  throw new AlignError('invalid-request', `The page is not built: there is no ${page}. Run “npm run build” first.`, {
    details: { page },
  });
}

export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}

function listen(server: Server, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') {
        const message = `Port ${port} of ${address} is in use. Take another with --port, or --port 0 for a free one.`;
        reject(new AlignError('invalid-request', message, { cause: error, details: { port } }));
      } else if (error.code === 'EACCES') {
        const message = `Port ${port} may not be opened by this user. Take one above 1023 with --port.`;
        reject(new AlignError('invalid-request', message, { cause: error, details: { port } }));
      } else if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') {
        const message = `${address} is no address of this machine; 0.0.0.0 is all of them.`;
        reject(new AlignError('invalid-request', message, { cause: error, details: { address } }));
      } else reject(error);
    });
    server.listen(port, address, resolve);
  });
}
