import { describe, expect, it } from 'vitest';
import { VARIANTS } from '../align/variant.ts';
import type { Checkpoint, CheckpointTensor } from './checkpoint/checkpoint.ts';
import { type ConvertPosition, convertInPlace } from './convert-in-place.ts';
import { convertCheckpoint } from './convert.ts';
import type { InPlaceTarget } from './in-place-target.ts';
import { MemoryFolder, randomCheckpoint, SMALL_LLAMA } from './small-llama.fixture.ts';

const OPTIONS = { variants: VARIANTS, name: 'n', source: 's', family: 'imhi' } as const;

class MemoryTarget implements InPlaceTarget {
  readonly files = new Map<string, Uint8Array>();
  readonly pieces = new Map<string, Uint8Array>();

  async declare(path: string, sizeBytes: number): Promise<void> {
    if (!this.files.has(path)) this.files.set(path, new Uint8Array(sizeBytes));
  }

  async write(path: string, offset: number, bytes: Uint8Array): Promise<void> {
    this.files.get(path)!.set(bytes, offset);
  }

  async keepPiece(name: string, bytes: Uint8Array): Promise<void> {
    this.pieces.set(name, bytes);
  }

  async readPiece(name: string): Promise<Uint8Array> {
    return this.pieces.get(name)!;
  }

  dropPiece(name: string): void {
    this.pieces.delete(name);
  }
}

/** The tensors at these places of one file, in an order that no graph has; reads are recorded. */
function scattered(checkpoint: Checkpoint): { checkpoint: Checkpoint; reads: string[] } {
  const reads: string[] = [];
  const names = [...checkpoint.tensors.keys()].sort().reverse();
  const tensors = [...checkpoint.tensors].map(([name, tensor]): [string, CheckpointTensor] => [
    name,
    {
      ...tensor,
      location: { file: 'x', offsetBytes: names.indexOf(name) * 1000 },
      readRows: async (first, count) => {
        reads.push(`${name} ${first}`);
        return tensor.readRows(first, count);
      },
    },
  ]);
  return { checkpoint: { ...checkpoint, tensors: new Map(tensors) }, reads };
}

async function expected(checkpoint: Checkpoint): Promise<MemoryFolder> {
  const folder = new MemoryFolder();
  await convertCheckpoint(checkpoint, folder, OPTIONS);
  return folder;
}

describe.each([
  ['untied', SMALL_LLAMA],
  [
    'tied, odd sizes',
    { ...SMALL_LLAMA, isEmbeddingTied: true, hiddenSize: 48, intermediateSize: 80, headCount: 3, kvHeadCount: 1 },
  ],
])('convertInPlace, %s', (_name, config) => {
  it('writes the bytes of convertCheckpoint whatever the order of the tensors', async () => {
    const { checkpoint } = scattered(randomCheckpoint(config));
    const folder = await expected(checkpoint);
    const target = new MemoryTarget();
    const manifest = await convertInPlace(checkpoint, target, OPTIONS);
    const written = JSON.parse(new TextDecoder().decode(folder.files.get('metaaligner.json'))) as unknown;
    expect(JSON.parse(JSON.stringify(manifest))).toEqual(written);
    expect([...target.files.keys()].sort()).toEqual(
      [...folder.files.keys()].filter((path) => path !== 'metaaligner.json').sort(),
    );
    for (const [path, bytes] of target.files) expect(Buffer.compare(bytes, folder.files.get(path)!), path).toBe(0);
  });

  it('reads each tensor once, in the order of the file', async () => {
    const { checkpoint, reads } = scattered(randomCheckpoint(config));
    await convertInPlace(checkpoint, new MemoryTarget(), OPTIONS);
    expect(reads).toEqual(
      [...checkpoint.tensors.keys()]
        .sort()
        .reverse()
        .map((name) => `${name} 0`),
    );
  });

  it('goes on at any step and ends with the same bytes', async () => {
    const { checkpoint } = scattered(randomCheckpoint(config));
    const folder = await expected(checkpoint);
    const options = { ...OPTIONS, stepBytes: 3000 };
    for (const stopAt of [1, 7, 13, 20, 33]) {
      const target = new MemoryTarget();
      let steps = 0;
      let from: ConvertPosition | undefined;
      const stopped = convertInPlace(checkpoint, target, {
        ...options,
        onStep: async (position) => {
          from = position;
          if (++steps === stopAt) throw new Error('stop');
        },
      });
      await expect(stopped).rejects.toThrow('stop');
      await convertInPlace(checkpoint, target, { ...options, from });
      for (const [path, bytes] of target.files) expect(Buffer.compare(bytes, folder.files.get(path)!), path).toBe(0);
    }
  });
});

it.each(VARIANTS)('goes on within a tensor, %s, and keeps no piece at the end', async (variant) => {
  const config = { ...SMALL_LLAMA, vocabularySize: 40_000, layerCount: 1 };
  const checkpoint = randomCheckpoint(config);
  const options = { ...OPTIONS, variants: [variant] };
  const folder = new MemoryFolder();
  await convertCheckpoint(checkpoint, folder, options);
  const target = new MemoryTarget();
  const positions: ConvertPosition[] = [];
  const stopped = convertInPlace(checkpoint, target, {
    ...options,
    onStep: async (position) => {
      positions.push(position);
      if (position.row > 0) throw new Error('stop');
    },
  });
  await expect(stopped).rejects.toThrow('stop');
  expect(target.pieces.size).toBe(1);
  await convertInPlace(checkpoint, target, { ...options, from: positions.at(-1) });
  for (const [path, bytes] of target.files) expect(Buffer.compare(bytes, folder.files.get(path)!), path).toBe(0);
  expect(target.pieces.size).toBe(0);
});
