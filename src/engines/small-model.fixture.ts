import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Variant } from '../align/variant.ts';
import { convertCheckpoint } from '../convert/convert.ts';
import { randomCheckpoint, SMALL_LLAMA } from '../convert/small-llama.fixture.ts';
import { createNodeTarget } from '../weights/node-folder.ts';

/** The model that every engine is put through the contract with. */
export const CONTRACT_CONFIG = { ...SMALL_LLAMA, contextLength: 160 };

/** Converts random weights into a temporary folder. */
export async function convertToDisk(
  variants: readonly Variant[],
  config = CONTRACT_CONFIG,
): Promise<{ directory: string; remove: () => Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'small-llama-'));
  await convertCheckpoint(randomCheckpoint(config), createNodeTarget(directory), {
    variants,
    name: 'Small random Llama',
    source: 'random weights',
    family: 'hh-rlhf',
  });
  return { directory, remove: () => rm(directory, { recursive: true }) };
}
