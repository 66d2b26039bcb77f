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
  const printed: Buffer[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    let isUp = false;
    child.once('exit', () => reject(new Error(`serve ended: ${Buffer.concat(printed).toString()}`)));
    child.stderr.on('data', (piece: Buffer) => {
      printed.push(piece);
      // Its log is long: looking through it again and again would be measured too.
      if (isUp) return;
      const found = /at (http:\/\/127\.0\.0\.1:\d+\/)v1/.exec(Buffer.concat(printed).toString());
      isUp = found !== null;
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
      return Buffer.concat(printed).toString();
    },
  };
}
