import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder of this package, whether its sources run or the program that was built of them, which lies deeper in it. */
export const PACKAGE_FOLDER = withPackageJson(import.meta.dirname);

function withPackageJson(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder;
  if (folder === dirname(folder)) throw new Error(`${import.meta.dirname} is in no package; this is a bug.`);
  return withPackageJson(dirname(folder));
}
