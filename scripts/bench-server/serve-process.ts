import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

export interface ServeProcess {
  /** Ends in `/`. */
  url: string;
  /** Resident bytes, as its own /metrics says. */
  residentBytes(): Promise<number>;
  /** @returns what it wrote on its terminal */
  stop(): Promise<string>;
}

/** Starts the real command in a process of its own. */
export async function startServe(args: readonly string[]): Promise<ServeProcess> {
  const command = [join(ROOT, 'cli/metaaligner.mjs'), 'serve', '--no-page', '--port', '0', ...args];
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'ignore', 'pipe'] });
  let printed = '';
  const url = await new Promise<string>((resolve, reject) => {
    child.once('exit', () => reject(new Error(`serve ended: ${printed}`)));
    child.stderr.on('data', (piece: Buffer) => {
      printed += piece.toString();
      const found = /at (http:\/\/127\.0\.0\.1:\d+\/)v1/.exec(printed);
      if (found !== null) resolve(found[1]!);
    });
  });
  return {
    url,
    async residentBytes() {
      const text = await (await fetch(`${url}metrics`)).text();
      return Number(/^metaaligner_resident_memory_bytes (\S+)$/m.exec(text)?.[1]);
    },
    async stop() {
      child.kill('SIGTERM');
      await once(child, 'close');
      return printed;
    },
  };
}
