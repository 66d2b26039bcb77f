import { mkdir, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AlignError } from '../align/errors.ts';
import { isInsidePath } from '../convert/parse-manifest.ts';
import { downloadFiles } from './download.ts';
import { openHubRepository } from './hub.ts';
import { NodeStaging } from './node-staging.ts';
import type { RemoteClient } from './remote-client.ts';

/** One file of a data set at the hub. */
export interface DatasetFile {
  id: string;
  /** Branch, tag or commit. */
  revision: string;
  path: string;
}

/**
 * @param address  `hf://datasets/OWNER/NAME/PATH` or `hf://datasets/OWNER/NAME@REVISION/PATH`, as Python's libraries write it
 * @returns undefined for what is no such address
 * @throws AlignError `invalid-request` for one that is not whole
 */
export function parseDatasetAddress(address: string): DatasetFile | undefined {
  if (!address.startsWith('hf://')) return undefined;
  const [, owner, name, revision = 'main', path] =
    /^hf:\/\/datasets\/([\w][\w.-]*)\/([\w][\w.-]*)(?:@([\w][\w.-]*))?\/(.+)$/.exec(address) ?? [];
  if (owner === undefined || name === undefined || path === undefined || !isInsidePath(path)) {
    throw new AlignError('invalid-request', `“${address}” is not of the form hf://datasets/OWNER/NAME/PATH.`, {
      details: { address },
    });
  }
  return { id: `${owner}/${name}`, revision, path };
}

export interface FetchOptions {
  endpoint: string;
  client: RemoteClient;
  /** Where files are kept, by data set. */
  directory: string;
  signal?: AbortSignal;
  onProgress?: (loadedBytes: number, totalBytes: number) => void;
}

/**
 * A file of the hub on disk, checked against its checksum. One that is there is taken as it is, without a network; a
 * download that was interrupted goes on.
 *
 * @returns its path
 * @throws AlignError `weights-missing` with the data files that the data set has; as `openHubRepository` and `downloadFiles`
 */
export async function fetchDatasetFile({ id, revision, path }: DatasetFile, options: FetchOptions): Promise<string> {
  const { endpoint, client, directory, signal, onProgress } = options;
  const folder = join(directory, `${id.replace('/', '--')}${revision === 'main' ? '' : `@${revision}`}`);
  const target = join(folder, ...path.split('/'));
  const isThere = await stat(target).then(
    () => true,
    () => false,
  );
  if (isThere) return target;
  const repository = await openHubRepository({ id, revision }, client, { endpoint, signal, type: 'datasets' });
  const file = repository.files.find((each) => each.path === path);
  if (file === undefined) {
    const data = repository.files
      .map((each) => each.path)
      .filter((each) => /\.(parquet|jsonl|csv|tsv)(\.gz)?$/i.test(each));
    const there = data.slice(0, 20).join(', ') || 'none';
    throw new AlignError('weights-missing', `${id} has no ${path}; data files that it has: ${there}.`, {
      details: { id, path, data },
    });
  }
  // By the file's checksum: pieces of another version are not taken for this one's.
  const staging = await NodeStaging.open(join(folder, `.${file.digest?.hex.slice(0, 16) ?? repository.revision}`));
  try {
    await downloadFiles([file], staging, client, {
      signal,
      onProgress: ({ loadedBytes, totalBytes }) => onProgress?.(loadedBytes, totalBytes),
    });
    await staging.close();
    await mkdir(dirname(target), { recursive: true });
    await rename(join(staging.filesDirectory, ...path.split('/')), target);
    await staging.discard();
  } finally {
    await staging.close();
  }
  return target;
}
