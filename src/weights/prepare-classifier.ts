import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { AlignError } from '../align/errors.ts';
import type { SourceFolder } from '../convert/byte-source.ts';
import { openClassifierCheckpoint } from '../convert/checkpoint/open-classifier.ts';
import {
  CLASSIFIER_MANIFEST_PATH,
  type ClassifierManifest,
  readClassifierManifest,
} from '../convert/classifier/classifier-manifest.ts';
import { convertClassifier } from '../convert/classifier/convert-classifier.ts';
import type { ClassifierVariant } from '../convert/onnx/sequence-classifier-graph.ts';
import { classifierFiles } from './classifier-files.ts';
import { downloadFiles } from './download.ts';
import { openHubRepository, parseModelReference } from './hub.ts';
import { createNodeTarget, openNodeFolder } from './node-folder.ts';
import { NodeStaging } from './node-staging.ts';
import type { RemoteClient } from './remote-client.ts';

export interface ClassifierRequest {
  /** A folder on disk, converted or as published; else a hub id, `owner/name` or `owner/name@revision`. */
  reference: string;
  variant: ClassifierVariant;
  /** Where converted classifiers are kept. */
  cacheDirectory: string;
  /** The hub or a mirror, without a slash at its end. */
  endpoint: string;
  client: RemoteClient;
  signal?: AbortSignal;
  onProgress?: (phase: 'downloading' | 'converting', doneBytes: number, totalBytes: number) => void;
}

export interface PreparedClassifier {
  /** For `loadClassifier` and `startNodeSession`. */
  directory: string;
  /** What it was made from: a hub id with its commit, a folder's name. */
  source: string;
}

/**
 * A converted classifier's folder, whatever it is named by. A published checkpoint is converted into the cache once; one of
 * the hub is downloaded before that, checked against the hub's checksums, going on where an earlier call stopped. What is
 * in the cache is used without a network.
 *
 * @throws AlignError of the hub, of the checkpoint's reader and of the converter; the signal's reason
 */
export async function prepareClassifier(request: ClassifierRequest): Promise<PreparedClassifier> {
  const status = await stat(request.reference).catch(() => undefined);
  return status?.isDirectory() === true ? prepareFolder(request) : prepareFromHub(request);
}

async function prepareFolder(request: ClassifierRequest): Promise<PreparedClassifier> {
  const { reference, variant, cacheDirectory } = request;
  const folder = await openNodeFolder(reference);
  const paths = await folder.list();
  if (paths.includes(CLASSIFIER_MANIFEST_PATH)) {
    const { source, variants } = await readClassifierManifest(folder);
    if (variants[variant] === undefined) throw lacksVariant(reference, variant, Object.keys(variants));
    return { directory: folder.directory, source };
  }
  // Another checkpoint in the same place, or a changed one, is another folder of the cache.
  const hash = createHash('sha256').update(folder.directory);
  for (const path of paths) {
    const { size, mtimeMs } = await stat(join(folder.directory, ...path.split('/')));
    hash.update(`\n${path} ${size} ${mtimeMs}`);
  }
  const name = basename(resolve(reference));
  const directory = join(cacheDirectory, `${name}-${hash.digest('hex').slice(0, 12)}`);
  const existing = await readExisting(directory);
  if (existing?.variants[variant] === undefined) await convert(folder, directory, name, request, existing);
  return { directory, source: name };
}

async function prepareFromHub(request: ClassifierRequest): Promise<PreparedClassifier> {
  const { variant, cacheDirectory, endpoint, client, signal } = request;
  const reference = parseModelReference(request.reference, endpoint);
  if (reference.kind !== 'hub') {
    throw new AlignError('invalid-request', `“${request.reference}” is neither a folder nor a hub id (owner/name).`, {
      details: { reference: request.reference },
    });
  }
  const { id, revision } = reference;
  const directory = join(cacheDirectory, `${id.replace('/', '--')}${revision === 'main' ? '' : `@${revision}`}`);
  const existing = await readExisting(directory);
  if (existing?.variants[variant] !== undefined) return { directory, source: existing.source };

  const staging = await NodeStaging.open(directory);
  try {
    const state = (await staging.readState()) as { revision?: unknown } | undefined;
    const begun = typeof state?.revision === 'string' ? state.revision : undefined;
    const repository = await openHubRepository({ id, revision: begun ?? revision }, client, { endpoint, signal });
    if (begun === undefined) await staging.write([], { revision: repository.revision });
    await downloadFiles(classifierFiles(repository), staging, client, {
      signal,
      onProgress: ({ loadedBytes, totalBytes }) => request.onProgress?.('downloading', loadedBytes, totalBytes),
    });
    const source = `${id}@${repository.revision}`;
    // Variants of another commit do not stand beside each other.
    const kept = existing?.source === source ? existing : undefined;
    await convert(await openNodeFolder(staging.filesDirectory), directory, source, request, kept);
    await staging.discard();
    return { directory, source };
  } finally {
    await staging.close();
  }
}

async function convert(
  folder: SourceFolder,
  directory: string,
  source: string,
  { variant, signal, onProgress }: ClassifierRequest,
  existing: ClassifierManifest | undefined,
): Promise<void> {
  const target = createNodeTarget(directory);
  try {
    await convertClassifier(await openClassifierCheckpoint(folder), target, {
      variants: [variant],
      source,
      existing,
      ...(signal !== undefined && { signal }),
      onProgress: ({ doneBytes, totalBytes }) => onProgress?.('converting', doneBytes, totalBytes),
    });
  } catch (error) {
    await target.rollBack();
    throw error;
  }
}

async function readExisting(directory: string): Promise<ClassifierManifest | undefined> {
  const isThere = await stat(join(directory, CLASSIFIER_MANIFEST_PATH)).then(
    () => true,
    () => false,
  );
  return isThere ? readClassifierManifest(await openNodeFolder(directory)) : undefined;
}

function lacksVariant(folder: string, variant: string, there: readonly string[]): AlignError {
  return new AlignError('weights-missing', `${folder} holds no ${variant}; it holds ${there.join(', ')}.`, {
    details: { folder, variant },
  });
}
