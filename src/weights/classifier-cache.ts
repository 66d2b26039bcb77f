import { openClassifierCheckpoint } from '../convert/checkpoint/open-classifier.ts';
import type { SourceFolder } from '../convert/byte-source.ts';
import { convertClassifier } from '../convert/classifier/convert-classifier.ts';
import { parameterCount } from '../convert/write-graphs.ts';
import type { ClassifierVariant } from '../convert/onnx/sequence-classifier-graph.ts';
import type { CheckpointTensor } from '../convert/checkpoint/checkpoint.ts';
import { classifierFiles } from './classifier-files.ts';
import { downloadFiles } from './download.ts';
import { openHubRepository } from './hub.ts';
import type { RemoteClient } from './remote-client.ts';
import { type StagedFile, stagedFolder, stagedTarget } from './staged-folder.ts';
import type { Staging } from './staging.ts';

/** A classifier at the hub. */
export interface HubClassifier {
  id: string;
  revision: string;
  /** The hub or a mirror, without a slash at its end. */
  endpoint: string;
}

export interface ArriveOptions {
  signal: AbortSignal;
  onProgress: (phase: 'downloading' | 'converting', doneBytes: number, totalBytes: number) => void;
}

/** What stands in a staging of a classifier. */
type State = { revision: string } | { revision: string; converted: StagedFile[] };

const CONVERTED = 'converted/';

/** Above it a classifier is kept in 8 bits: it has to fit into the memory of a page with room to run. */
const MAX_EXACT_BYTES = 600e6;

export function variantToKeep(checkpoint: { tensors: ReadonlyMap<string, CheckpointTensor> }): ClassifierVariant {
  return 4 * parameterCount(checkpoint) <= MAX_EXACT_BYTES ? 'fp32' : 'q8';
}

/**
 * A classifier of the hub as a converted folder in a staging, where it stays: downloaded, checked against the hub's
 * checksums and converted by the first call, going on where an earlier one ended. What is there needs no network.
 *
 * @throws AlignError of the hub, of the checkpoint's reader, of the converter and of the staging; the signal's reason
 */
export async function openHubClassifier(
  { id, revision, endpoint }: HubClassifier,
  staging: Staging,
  client: RemoteClient,
  { signal, onProgress }: ArriveOptions,
): Promise<SourceFolder> {
  const state = (await staging.readState()) as State | undefined;
  if (state !== undefined && 'converted' in state) return stagedFolder(id, staging, state.converted, CONVERTED);
  const repository = await openHubRepository({ id, revision: state?.revision ?? revision }, client, {
    endpoint,
    signal,
  });
  if (state === undefined) await staging.write([], { revision: repository.revision } satisfies State);
  const files = await downloadFiles(classifierFiles(repository), staging, client, {
    signal,
    onProgress: ({ loadedBytes, totalBytes }) => onProgress('downloading', loadedBytes, totalBytes),
  });
  const checkpoint = await openClassifierCheckpoint(stagedFolder(id, staging, files));
  const target = stagedTarget(staging, CONVERTED);
  await convertClassifier(checkpoint, target, {
    variants: [variantToKeep(checkpoint)],
    source: `${id}@${repository.revision}`,
    signal,
    onProgress: ({ doneBytes, totalBytes }) => onProgress('converting', doneBytes, totalBytes),
  });
  const converted = target.files;
  await staging.write(
    [],
    { revision: repository.revision, converted } satisfies State,
    files.map(({ path }) => path),
  );
  return stagedFolder(id, staging, converted, CONVERTED);
}
