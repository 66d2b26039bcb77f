import { describe, expect, it } from 'vitest';
import { readAll } from '../convert/byte-source.ts';
import { blobFolder } from './blob-folder.ts';

const files = [
  { path: 'onnx/model.onnx', blob: new Blob([Uint8Array.from([1, 2, 3, 4])]) },
  { path: 'config.json', blob: new Blob(['{}']) },
];

describe('blobFolder', () => {
  it('lists and reads what was picked', async () => {
    const folder = blobFolder('tiny', files);
    expect(await folder.list()).toEqual(['config.json', 'onnx/model.onnx']);
    const source = await folder.open('onnx/model.onnx');
    expect(await source.read(1, 2)).toEqual(Uint8Array.from([2, 3]));
    expect(await readAll(source)).toEqual(Uint8Array.from([1, 2, 3, 4]));
  });

  it('names the file that was not picked', async () => {
    await expect(blobFolder('tiny', files).open('tokenizer.json')).rejects.toMatchObject({
      code: 'weights-missing',
      details: { path: 'tokenizer.json', folder: 'tiny' },
    });
  });

  it('refuses a range past the end', async () => {
    const source = await blobFolder('tiny', files).open('config.json');
    await expect(source.read(1, 2)).rejects.toMatchObject({ code: 'checkpoint-corrupt' });
  });

  it('says so when the file went away after it was picked', async () => {
    const blob = new Blob(['{}']);
    const gone = Object.assign(blob, {
      slice: () => ({ arrayBuffer: () => Promise.reject(new DOMException('gone', 'NotReadableError')) }),
    }) as unknown as Blob;
    const source = await blobFolder('tiny', [{ path: 'x', blob: gone }]).open('x');
    await expect(source.read(0, 2)).rejects.toMatchObject({
      code: 'weights-unreachable',
      message: expect.stringContaining('Pick it again') as string,
    });
  });
});
