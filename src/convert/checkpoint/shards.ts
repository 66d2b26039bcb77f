import type { ByteSource, SourceFolder } from '../byte-source.ts';
import { corrupt, missing, quote } from './checkpoint-errors.ts';
import { isJsonObject, parseJsonObject } from './json-reader.ts';
import { readText, TEXT_LIMIT_BYTES } from './read-text.ts';
import type { StoredTensor } from './stored-tensor.ts';

/**
 * The tensors of all shards that an index names.
 *
 * @param paths      the folder's files
 * @param indexPath  such as `model.safetensors.index.json`: `{ "weight_map": { tensor: file } }`
 * @returns by name
 * @throws AlignError `weights-missing` with the shard that is not there; `checkpoint-corrupt` if a tensor is not in the
 *   shard that the index names, or in two
 */
export async function readShards(
  folder: SourceFolder,
  paths: readonly string[],
  indexPath: string,
  readShard: (source: ByteSource) => Promise<ReadonlyMap<string, StoredTensor>>,
): Promise<Map<string, StoredTensor>> {
  const index = parseJsonObject(await readText(await folder.open(indexPath), TEXT_LIMIT_BYTES.index), indexPath);
  const weightMap = index.weight_map;
  if (!isJsonObject(weightMap)) throw corrupt(indexPath, 'weight_map must be an object');
  const shardOfTensor = Object.entries(weightMap).map(([tensor, shard]) => {
    if (typeof shard !== 'string') throw corrupt(indexPath, `weight_map must name a file for ${quote(tensor)}`);
    return { tensor, shard };
  });

  const merged = new Map<string, StoredTensor>();
  const shardPaths = new Map<string, string>();
  for (const shard of new Set(shardOfTensor.map((entry) => entry.shard))) {
    // Only what the folder lists: an index that names `../..` or an address opens nothing.
    if (!paths.includes(shard)) throw missing(folder.name, `${indexPath} names ${quote(shard)}, which is not there`);
    for (const [name, tensor] of await readShard(await folder.open(shard))) {
      const other = shardPaths.get(name);
      if (other !== undefined) throw corrupt(shard, `the tensor ${quote(name)} is also in ${other}`, { tensor: name });
      merged.set(name, tensor);
      shardPaths.set(name, shard);
    }
  }
  for (const { tensor, shard } of shardOfTensor) {
    if (shardPaths.get(tensor) !== shard) {
      throw corrupt(indexPath, `the tensor ${quote(tensor)} should be in ${shard} and is not`, { tensor, shard });
    }
  }
  return merged;
}
