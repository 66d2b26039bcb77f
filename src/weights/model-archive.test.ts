import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IDBFactory } from 'fake-indexeddb';
import 'fake-indexeddb/auto';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { AlignError } from '../align/errors.ts';
import { readAll, type SourceFolder } from '../convert/byte-source.ts';
import { convertedSmallLlama } from '../convert/small-llama.fixture.ts';
import { blobSource } from './blob-folder.ts';
import { archiveModel, importModel, openArchive, readFolderManifest } from './model-archive.ts';
import { WeightCache } from './weight-cache.ts';

const KEY = { source: 'random weights, seed 1', variant: 'q4' } as const;

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory();
});

async function archiveOf(folder: SourceFolder): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of archiveModel(folder)) pieces.push(piece);
  return Buffer.concat(pieces);
}

const open = (bytes: Uint8Array) => openArchive(blobSource('model.tar', new Blob([Uint8Array.from(bytes)])));

async function expectSame(one: SourceFolder, other: SourceFolder): Promise<void> {
  const paths = [...(await one.list())].sort();
  expect([...(await other.list())].sort()).toEqual(paths);
  for (const path of paths) {
    const [a, b] = [await readAll(await one.open(path)), await readAll(await other.open(path))];
    expect(Buffer.compare(a, b), path).toBe(0);
  }
}

describe('a model’s archive', () => {
  it('holds the folder, byte for byte', async () => {
    const folder = await convertedSmallLlama(['q4']);
    await expectSame(folder, await open(await archiveOf(folder)));
  });

  it('is unpacked by tar, and a folder packed by tar is read', async () => {
    const folder = await convertedSmallLlama(['q4']);
    const directory = mkdtempSync(join(tmpdir(), 'metaaligner-archive-'));
    try {
      writeFileSync(join(directory, 'model.tar'), await archiveOf(folder));
      execFileSync('tar', ['-xf', 'model.tar'], { cwd: directory });
      const path = 'onnx/model_q4.onnx_data';
      expect(Buffer.compare(readFileSync(join(directory, path)), folder.files.get(path)!)).toBe(0);
      rmSync(join(directory, 'model.tar'));
      execFileSync('tar', ['-cf', '../packed.tar', '.'], { cwd: directory });
      const packed = join(directory, '..', 'packed.tar');
      await expectSame(folder, await open(readFileSync(packed)));
      rmSync(packed);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('goes from one browser into another, and what arrives is checked', async () => {
    const folder = await convertedSmallLlama(['q4', 'q8']);
    const cache = await WeightCache.open();
    const { manifest, variants } = await readFolderManifest(folder);
    expect(variants).toEqual(['q8', 'q4']);
    await importModel(folder, { manifest, variant: 'q4' }, await cache.stage(KEY));
    const archive = await archiveOf(cache.folder(KEY));

    globalThis.indexedDB = new IDBFactory();
    const other = await WeightCache.open();
    const opened = await open(archive);
    const again = await readFolderManifest(opened);
    expect(again.variants).toEqual(['q4']);
    await importModel(opened, { manifest: again.manifest, variant: 'q4' }, await other.stage(KEY));
    await expectSame(opened, other.folder(KEY));
    expect(await other.verify(KEY)).toEqual([]);
  });

  it('is refused when a byte is not what its checksum says', async () => {
    const folder = await convertedSmallLlama(['q4']);
    const { manifest } = await readFolderManifest(folder);
    const withSums = { ...manifest, sidecars: manifest.sidecars.map((file) => ({ ...file, sha256: 'ab'.repeat(32) })) };
    const cache = await WeightCache.open();
    const wrong = importModel(folder, { manifest: withSums, variant: 'q4' }, await cache.stage(KEY));
    await expect(wrong).rejects.toMatchObject({ code: 'weights-corrupt' });
    expect(await cache.models()).toEqual([]);
  });

  it('says what is missing in a file that is no model', async () => {
    const empty = await open(new Uint8Array(1024));
    await expect(readFolderManifest(empty)).rejects.toMatchObject({ code: 'weights-missing' });
    await expect(open(Buffer.from('x'.repeat(600)))).rejects.toMatchObject({ code: 'weights-corrupt' });
  });

  it('fails with a typed error however it is damaged', async () => {
    const archive = Uint8Array.from((await archiveOf(await convertedSmallLlama(['q4']))).subarray(0, 4096));
    await fc.assert(
      fc.asyncProperty(fc.nat(4095), fc.nat(255), fc.nat(4096), async (offset, value, length) => {
        const bytes = archive.with(offset, value).slice(0, length);
        try {
          await readFolderManifest(await open(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(AlignError);
        }
      }),
      { numRuns: 300 },
    );
  });
});
