import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';

const BIN = resolve(import.meta.dirname, 'metaaligner.mjs');

export interface CliResult {
  code: number | null;
  stdout: Buffer;
  stderr: string;
}

export interface RunningCli {
  child: ChildProcess;
  /** What was written to stderr so far. */
  stderr(): string;
  ended: Promise<CliResult>;
}

/** Starts the real command, as a shell would. */
export function startCli(args: readonly string[], options: { cwd?: string; stdin?: string } = {}): RunningCli {
  const child = spawn(process.execPath, [BIN, ...args], { cwd: options.cwd, stdio: 'pipe' });
  const stdout: Buffer[] = [];
  let stderr = '';
  child.stdout.on('data', (piece: Buffer) => stdout.push(piece));
  child.stderr.on('data', (piece: Buffer) => (stderr += piece.toString()));
  child.stdin.end(options.stdin ?? '');
  const ended = new Promise<CliResult>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout: Buffer.concat(stdout), stderr }));
  });
  return { child, stderr: () => stderr, ended };
}

export function runCli(args: readonly string[], options?: { cwd?: string; stdin?: string }): Promise<CliResult> {
  return startCli(args, options).ended;
}
