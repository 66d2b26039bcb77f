import { spawnSync } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');
const DESCRIPTION = 'Rewrites another model';

/** The package as it is installed, to be changed. */
let copy: string;
beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), 'metaaligner-built-'));
  for (const name of ['cli', 'server', 'src', 'dist-cli', 'package.json']) {
    await cp(join(ROOT, name), join(copy, name), {
      recursive: true,
      filter: (path) => !/\.(test|fixture)\.ts$|fixtures$/.test(path),
    });
  }
  await symlink(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  const { folder } = JSON.parse(await readFile(join(copy, 'dist-cli/current.json'), 'utf8')) as { folder: string };
  await replace(join(copy, 'dist-cli', folder, 'main.js'), DESCRIPTION, 'BUILT');
});
afterAll(() => rm(copy, { recursive: true, force: true }));

async function replace(path: string, text: string, other: string): Promise<void> {
  const content = await readFile(path, 'utf8');
  expect(content).toContain(text);
  await writeFile(path, content.replace(text, other));
}

function help(): string {
  const { stdout, stderr } = spawnSync(process.execPath, [join(copy, 'cli/metaaligner.mjs'), '--help'], {
    cwd: tmpdir(),
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  return stdout;
}

it('runs the program that was built of the sources that are here', async () => {
  expect(help()).toContain('BUILT');
});

it('runs the sources once one of them is another, even of the same size and time', async () => {
  const source = join(copy, 'cli/main.ts');
  const [content, { atime, mtime }] = [await readFile(source), await stat(source)];
  await replace(source, DESCRIPTION, 'Rewrites one more model'.slice(0, DESCRIPTION.length));
  await utimes(source, atime, mtime);
  expect(help()).toContain('Rewrites one more mode');
  await writeFile(source, content);
  expect(help()).toContain('BUILT');
});

it('runs the sources where nothing is built', async () => {
  await rm(join(copy, 'dist-cli/current.json'));
  expect(help()).toContain(DESCRIPTION);
});
