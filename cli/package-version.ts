import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_FOLDER } from '../server/package-folder.ts';

export function packageVersion(): string {
  return readPackage().version;
}

/** @returns the exact version that this package is installed with */
export function dependencyVersion(name: string): string {
  const version = readPackage().dependencies[name];
  if (version === undefined) throw new Error(`${name} is no dependency; this is a bug.`);
  return version;
}

function readPackage() {
  return JSON.parse(readFileSync(join(PACKAGE_FOLDER, 'package.json'), 'utf8')) as {
    version: string;
    dependencies: Record<string, string>;
  };
}
