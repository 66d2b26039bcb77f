import { type FuzzTarget, mutated } from '../convert/checkpoint/fuzz.fixture.ts';
import { MemorySource } from '../convert/checkpoint/checkpoint.fixture.ts';
import { MANIFEST_PATH } from '../convert/manifest.ts';
import { isInsidePath, parseManifest } from '../convert/parse-manifest.ts';
import { HUB_ENDPOINT, openHubRepository } from './hub.ts';
import { openArchive, readFolderManifest } from './model-archive.ts';
import type { RemoteClient } from './remote-client.ts';
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

/** The hub's answers: the commit, then the list of its files. */
function listingTarget(): FuzzTarget {
  const listing = [
    { type: 'directory', oid: '', size: 0, path: 'onnx' },
    { type: 'file', oid: 'a'.repeat(40), size: 10, path: 'config.json' },
    { type: 'file', oid: 'b'.repeat(40), size: 4e9, path: 'model.bin', lfs: { oid: 'c'.repeat(64), size: 4e9 } },
  ];
  const bytes = new TextEncoder().encode(JSON.stringify({ info: { sha: 'd'.repeat(40) }, listing }));
  return {
    name: 'hub listing',
    inputs: mutated([{ bytes, headerStart: 0, headerEnd: bytes.length }]),
    async open(input) {
      const text = new TextDecoder().decode(input);
      const cut = text.indexOf(',"listing":');
      const answers = [text.slice('{"info":'.length, cut), text.slice(cut + ',"listing":'.length, -1)];
      const client: Pick<RemoteClient, 'smallFile'> = {
        smallFile: async () => ({ bytes: new TextEncoder().encode(answers.shift()), headers: new Headers() }),
      };
      const { files } = await openHubRepository({ id: 'a/b', revision: 'main' }, client);
      for (const { path, url, sizeBytes } of files) {
        if (!isInsidePath(path) || !url.startsWith(`${HUB_ENDPOINT}/a/b/resolve/`) || !(sizeBytes >= 0)) {
          throw new Error(`${path} at ${url} with ${sizeBytes} bytes was let through.`);
        }
      }
    },
    codes: ['weights-unreachable'],
  };
}

export function weightsFuzzTargets(): FuzzTarget[] {
  return [manifestTarget(), archiveTarget(), listingTarget()];
}
