import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const FOLDER = join(ROOT, '.cache/bench-peers');

/** Their packages. */
export const PEERS_DIRECTORY = join(FOLDER, 'node_modules');

/** llama.cpp for the CPU alone: its builds for GPUs are hundreds of megabytes. */
const PEERS = {
  '@wllama/wllama': '3.13.0',
  'node-llama-cpp': '3.22.1',
  [`@node-llama-cpp/${process.platform}-${process.arch}`]: '3.22.1',
};

/** What only the bench needs is no dependency of the project: it is installed when it is first asked for. */
export function installPeers(): void {
  const isThere = Object.entries(PEERS).every(([name, version]) => versionAt(PEERS_DIRECTORY, name) === version);
  if (isThere) return;
  mkdirSync(FOLDER, { recursive: true });
  if (!existsSync(join(FOLDER, 'package.json'))) writeFileSync(join(FOLDER, 'package.json'), '{ "private": true }\n');
  const packages = Object.entries(PEERS).map(([name, version]) => `${name}@${version}`);
  const options = ['--omit=optional', '--no-audit', '--no-fund', '--save-exact', '--loglevel=error'];
  execFileSync('npm', ['install', '--prefix', FOLDER, ...options, ...packages], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, NODE_LLAMA_CPP_SKIP_DOWNLOAD: 'true' },
  });
}

export function versions(): string {
  const ours = ['onnxruntime-node', 'onnxruntime-web', '@huggingface/transformers'];
  const found = [
    ...ours.map((name) => [name, versionAt(join(ROOT, 'node_modules'), name)]),
    ...['@wllama/wllama', 'node-llama-cpp'].map((name) => [name, versionAt(PEERS_DIRECTORY, name)]),
  ];
  return [
    `Node ${process.version}`,
    ...found.flatMap(([name, at]) => (at === undefined ? [] : [`${name} ${at}`])),
  ].join(', ');
}

function versionAt(modules: string, name: string): string | undefined {
  const path = join(modules, name, 'package.json');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version : undefined;
}
