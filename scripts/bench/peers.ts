import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const FOLDER = join(ROOT, '.cache/bench-peers');
const WLLAMA = '@wllama/wllama';
const WLLAMA_VERSION = '3.13.0';

/** Where wllama's package is. */
export const PEERS_DIRECTORY = join(FOLDER, 'node_modules');

/** What only the bench needs is no dependency of the project: it is installed when it is first asked for. */
export function installWllama(): void {
  if (versionAt(PEERS_DIRECTORY, WLLAMA) === WLLAMA_VERSION) return;
  mkdirSync(FOLDER, { recursive: true });
  if (!existsSync(join(FOLDER, 'package.json'))) writeFileSync(join(FOLDER, 'package.json'), '{ "private": true }\n');
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--save-exact', '--loglevel=error'];
  execFileSync('npm', ['install', '--prefix', FOLDER, ...options, `${WLLAMA}@${WLLAMA_VERSION}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** Its CPU build alone. */
export function installLlamaCpp(): void {
  execFileSync('bash', [join(ROOT, 'scripts/install-llama-cpp.sh')], { stdio: ['ignore', 'ignore', 'inherit'] });
}

export function versions(): string {
  const modules = join(ROOT, 'node_modules');
  const packages = ['onnxruntime-node', 'onnxruntime-web', '@huggingface/transformers', 'node-llama-cpp'];
  const found = [...packages.map((name) => [modules, name] as const), [PEERS_DIRECTORY, WLLAMA] as const];
  const named = found.flatMap(([folder, name]) => {
    const version = versionAt(folder, name);
    return version === undefined ? [] : [`${name} ${version}`];
  });
  return [`Node ${process.version}`, ...named].join(', ');
}

function versionAt(modules: string, name: string): string | undefined {
  const path = join(modules, name, 'package.json');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version : undefined;
}
