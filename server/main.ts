import { stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { AlignError } from '../src/align/errors.ts';
import { type AppOptions, createApp } from './app.ts';

/** Never another: the models and what is typed are the user's own. */
const HOSTNAME = '127.0.0.1';

export interface StartOptions extends Partial<AppOptions> {
  /** 0 takes a free one. */
  port: number;
}

export interface RunningServer {
  /** Ends in `/`. */
  url: string;
  close(): Promise<void>;
}

/**
 * Serves the built page on this machine.
 *
 * @throws AlignError `invalid-request` when the page is not built or the port is taken
 */
export async function startServer({
  port,
  mirrors = [],
  served,
  ...directories
}: StartOptions): Promise<RunningServer> {
  const pageDirectory = directories.pageDirectory ?? resolve(import.meta.dirname, '..', 'dist');
  const modelsDirectory = directories.modelsDirectory ?? resolve('models');
  const page = join(pageDirectory, 'index.html');
  const isBuilt = await stat(page).then(
    (status) => status.isFile(),
    () => false,
  );
  if (!isBuilt) {
    throw new AlignError('invalid-request', `The page is not built: there is no ${page}. Run “npm run build” first.`, {
      details: { page },
    });
  }
  const app = createApp({ pageDirectory, modelsDirectory, mirrors, served });
  const answer = getRequestListener(app.fetch);
  const server = createServer((request, response) => void answer(request, response));
  await listen(server, port);
  const { port: actualPort } = server.address() as AddressInfo;
  return {
    url: `http://${HOSTNAME}:${actualPort}/`,
    async close() {
      const closed = new Promise<void>((resolve, reject) => {
        server.close((error) => (error === undefined ? resolve() : reject(error)));
      });
      // Clients hear that their run was ended before their connections are.
      await served?.close();
      await new Promise((resolve) => setImmediate(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') {
        const message = `Port ${port} of ${HOSTNAME} is in use. Take another with --port, or --port 0 for a free one.`;
        reject(new AlignError('invalid-request', message, { cause: error, details: { port } }));
      } else if (error.code === 'EACCES') {
        const message = `Port ${port} may not be opened by this user. Take one above 1023 with --port.`;
        reject(new AlignError('invalid-request', message, { cause: error, details: { port } }));
      } else reject(error);
    });
    server.listen(port, HOSTNAME, resolve);
  });
}
