import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { interruptSignal, note } from '../terminal.ts';

export function addStartCommand(program: Command): void {
  program
    .command('start')
    .description('serve the built page on this machine (npm start builds it first)')
    .option('--port <number>', 'port on 127.0.0.1; 0 takes a free one', parsePort, 4173)
    .option('--models <folder>', 'folder of converted models', 'models')
    .option('--mirror <origin...>', 'hosts beside the hub that the page may download models from', parseOrigin, [])
    .option(
      '--server <origin...>',
      'servers that the page may send texts to: whose models it uses, or whose judges score',
      parseOrigin,
      [],
    )
    .action(async (options: { port: number; models: string; mirror: string[]; server: string[] }) => {
      const interrupted = interruptSignal();
      const { startServer } = await import('../../server/main.ts');
      const server = await startServer({
        port: options.port,
        modelsDirectory: resolve(options.models),
        mirrors: options.mirror,
        servers: options.server,
      });
      note(`MetaAligner is at ${server.url} (Ctrl-C stops it).`);
      await untilStopped(interrupted);
      await server.close();
    });
}

/** Until Ctrl-C or SIGTERM. */
export async function untilStopped(interrupted: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    interrupted.addEventListener('abort', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
}

/** As it goes into the page's Content-Security-Policy: nothing there may end one rule and begin another. */
export function parseOrigin(text: string, earlier: string[]): string[] {
  if (!/^https?:\/\/[\w*.-]+(:(\d+|\*))?$/.test(text)) {
    throw new InvalidArgumentError('It must be an origin such as https://mirror.example.');
  }
  return [...earlier, text];
}

export function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError('It must be a number from 0 to 65535.');
  return port;
}
