import { AlignError } from '../align/errors.ts';
import { shards } from './choose-source.ts';
import type { RemoteFile, RemoteRepository } from './remote-repository.ts';

const SIDECARS = new Set([
  'config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'vocab.txt',
  'vocab.json',
  'merges.txt',
]);

/**
 * What of a repository a published classifier is made from.
 *
 * @throws AlignError `weights-missing` where it has no weights that we read
 */
export function classifierFiles({ name, files }: RemoteRepository): RemoteFile[] {
  const safetensors = shards(files, 'model', 'safetensors');
  const weights = safetensors.length > 0 ? safetensors : shards(files, 'pytorch_model', 'bin');
  if (weights.length > 0) return [...files.filter(({ path }) => SIDECARS.has(path)), ...weights];
  throw new AlignError('weights-missing', `${name} has neither model.safetensors nor pytorch_model.bin.`, {
    details: { name },
  });
}
