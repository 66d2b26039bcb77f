import { mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readAll, readText } from '../convert/byte-source.ts';
import { createNodeTarget, openNodeFolder } from './node-folder.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'metaaligner-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const bytes = (text: string) => new TextEncoder().encode(text);

describe('openNodeFolder', () => {
  it('lists files by path with slashes, through links to files, without hidden ones', async () => {
    await mkdir(join(directory, 'onnx'));
    await mkdir(join(directory, '.cache'));
    await writeFile(join(directory, '.cache', 'x'), '');
    await writeFile(join(directory, 'onnx', 'model.onnx'), 'graph');
    await writeFile(join(directory, 'config.json'), '{}');
    await symlink('config.json', join(directory, 'linked.json'));
    await symlink('nowhere', join(directory, 'broken.json'));
    await symlink('.', join(directory, 'loop'));
    const folder = await openNodeFolder(directory);
    expect(await folder.list()).toEqual(['config.json', 'linked.json', 'onnx/model.onnx']);
    expect(await readText(await folder.open('linked.json'))).toBe('{}');
  });

  it('reads exactly the bytes of a range', async () => {
    await writeFile(join(directory, 'x'), Uint8Array.from([0, 1, 2, 3, 4]));
    const source = await (await openNodeFolder(directory)).open('x');
    expect(source.sizeBytes).toBe(5);
    expect(await source.read(1, 3)).toEqual(Uint8Array.from([1, 2, 3]));
    expect(await source.read(5, 0)).toEqual(new Uint8Array(0));
    expect(await readAll(source)).toEqual(Uint8Array.from([0, 1, 2, 3, 4]));
  });

  it('refuses a range past the end, also of a file that became shorter', async () => {
    await writeFile(join(directory, 'x'), 'abc');
    const source = await (await openNodeFolder(directory)).open('x');
    await expect(source.read(1, 3)).rejects.toMatchObject({ code: 'checkpoint-corrupt' });
    await truncate(join(directory, 'x'), 1);
    await expect(source.read(0, 3)).rejects.toMatchObject({
      code: 'checkpoint-corrupt',
      details: { sizeBytes: 1, neededBytes: 3 },
    });
  });

  it.each(['absent', 'a/b', '../secret', '/etc/passwd'])('has no %s', async (path) => {
    const folder = await openNodeFolder(directory);
    await expect(folder.open(path)).rejects.toMatchObject({ code: 'weights-missing' });
  });

  it('says when there is no such folder, or it is a file', async () => {
    await writeFile(join(directory, 'x'), '');
    await expect(openNodeFolder(join(directory, 'y'))).rejects.toMatchObject({ code: 'weights-missing' });
    await expect(openNodeFolder(join(directory, 'x'))).rejects.toMatchObject({ code: 'weights-missing' });
  });
});

describe('createNodeTarget', () => {
  it('shows a file under its name only when it is whole', async () => {
    const target = createNodeTarget(join(directory, 'out'));
    const file = await target.create('onnx/model.onnx');
    await file.write(bytes('ab'));
    await file.write(bytes('c'));
    expect(await (await openNodeFolder(join(directory, 'out'))).list()).toEqual([]);
    await file.close();
    expect(await readdir(join(directory, 'out/onnx'))).toEqual(['model.onnx']);
    expect(await readFile(join(directory, 'out/onnx/model.onnx'), 'utf8')).toBe('abc');
  });

  it('leaves nothing of an aborted file, and the old file where there was one', async () => {
    await writeFile(join(directory, 'x'), 'old');
    const file = await createNodeTarget(directory).create('x');
    await file.write(bytes('new'));
    await file.abort();
    expect(await readdir(directory)).toEqual(['x']);
    expect(await readFile(join(directory, 'x'), 'utf8')).toBe('old');
  });

  it('takes back the files and folders that it made, and only those', async () => {
    await writeFile(join(directory, 'kept'), 'old');
    const target = createNodeTarget(directory);
    for (const path of ['kept', 'new', 'a/b/c']) {
      const file = await target.create(path);
      await file.write(bytes(path));
      await file.close();
    }
    await target.rollBack();
    expect(await readdir(directory)).toEqual(['kept']);
  });

  it('keeps a folder that something else was put into', async () => {
    const target = createNodeTarget(join(directory, 'out'));
    await (await target.create('x')).close();
    await writeFile(join(directory, 'out', 'theirs'), '');
    await target.rollBack();
    expect(await readdir(join(directory, 'out'))).toEqual(['theirs']);
  });

  it('refuses a path outside the folder', async () => {
    await expect(createNodeTarget(directory).create('../x')).rejects.toMatchObject({ code: 'weights-missing' });
  });

  it('reports a full disk with the bytes that fitted', async (context) => {
    if (process.platform !== 'linux') context.skip('no /dev/full here');
    await symlink('/dev/full', join(directory, `.x.${process.pid}.part`));
    const file = await createNodeTarget(directory).create('x');
    await expect(file.write(bytes('abc'))).rejects.toMatchObject({ code: 'storage-full' });
    await file.abort();
  });

  it('reports a folder that cannot be made', async () => {
    await writeFile(join(directory, 'file'), '');
    await expect(createNodeTarget(join(directory, 'file')).create('x')).rejects.toMatchObject({
      code: 'invalid-request',
      message: expect.stringContaining('cannot be written') as string,
    });
  });
});
