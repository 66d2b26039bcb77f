import { type FuzzTarget, mutated } from '../convert/checkpoint/fuzz.fixture.ts';
import { MemorySource } from '../convert/checkpoint/checkpoint.fixture.ts';
import { MANIFEST_PATH } from '../convert/manifest.ts';
import { parseManifest } from '../convert/parse-manifest.ts';
import { openArchive, readFolderManifest } from './model-archive.ts';
import { tinyManifest } from './tiny-manifest.fixture.ts';

function manifestTarget(): FuzzTarget {
  const bytes = new TextEncoder().encode(JSON.stringify(tinyManifest()));
  return {
    name: 'manifest',
    inputs: mutated([{ bytes, headerStart: 0, headerEnd: bytes.length }]),
    open: async (input) => parseManifest(new TextDecoder().decode(input), 'folder'),
    codes: ['weights-corrupt', 'unsupported-model'],
  };
}

/** A tar file of a manifest and a small file, as its headers say. */
function archiveTarget(): FuzzTarget {
  const manifest = new TextEncoder().encode(JSON.stringify(tinyManifest()));
  const bytes = Buffer.concat([
    entry(MANIFEST_PATH, manifest),
    entry('onnx/model_q4.onnx', new Uint8Array(10)),
    Buffer.alloc(1024),
  ]);
  return {
    name: 'exported model',
    inputs: mutated([{ bytes: Uint8Array.from(bytes), headerStart: 0, headerEnd: bytes.length }]),
    async open(input) {
      const folder = await openArchive(new MemorySource('model.tar', input));
      for (const path of await folder.list()) {
        const file = await folder.open(path);
        await file.read(0, Math.min(16, file.sizeBytes));
      }
      await readFolderManifest(folder);
    },
    codes: ['weights-corrupt', 'weights-missing', 'unsupported-model'],
  };
}

function entry(path: string, content: Uint8Array): Buffer {
  const header = Buffer.alloc(512);
  header.write(path, 0);
  header.write('0000644\0', 100);
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('        ', 148);
  header.write('0', 156);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, content, Buffer.alloc(-content.length & 511)]);
}

export function weightsFuzzTargets(): FuzzTarget[] {
  return [manifestTarget(), archiveTarget()];
}
