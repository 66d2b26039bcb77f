import { familyOfName } from '../align/catalogue.ts';
import { AlignError } from '../align/errors.ts';
import type { TemplateId } from '../align/prompt.ts';
import type { Variant } from '../align/variant.ts';
import type { Checkpoint } from '../convert/checkpoint/checkpoint.ts';
import { openCheckpoint } from '../convert/checkpoint/open-checkpoint.ts';
import { convertedBytes, convertInPlace, type ConvertPosition } from '../convert/convert-in-place.ts';
import { MANIFEST_PATH, type ModelManifest } from '../convert/manifest.ts';
import { MAX_MANIFEST_BYTES, parseManifest } from '../convert/parse-manifest.ts';
import { type AcquisitionCost, chooseSource, estimateCost, type ModelOffer } from './choose-source.ts';
import { downloadFiles } from './download.ts';
import { openHubRepository, openUrlRepository, parseModelReference } from './hub.ts';
import { type Pace, realPace } from './pace.ts';
import type { RemoteClient } from './remote-client.ts';
import { RemoteFolder } from './remote-folder.ts';
import type { RemoteFile, RemoteRepository } from './remote-repository.ts';
import type { CreateStreamHash } from './sha256.ts';
import { SpeedMeter, type TransferProgress } from './speed-meter.ts';
import { StagedFiles } from './staged-files.ts';
import { chunkLength, type Staging, type StoredFile } from './staging.ts';
import { BLOCK_BYTES, type StreamState } from './streamed-source.ts';

export interface AcquisitionRequest {
  /** What {@link parseModelReference} reads. */
  reference: string;
  variant: Variant;
  /** The hub or a mirror, without a slash at its end. */
  endpoint: string;
  /** Template that the model was trained on, where the user knows better than its name. */
  family?: TemplateId | undefined;
}

/** What will be got, from where, and what it takes. */
export interface AcquisitionPlan {
  request: AcquisitionRequest;
  repository: RemoteRepository;
  offer: ModelOffer;
  /** `publisher`: every file has a checksum from its publisher; `first-use`: what comes first is trusted. */
  trust: 'publisher' | 'first-use';
  cost: AcquisitionCost;
  manifest: ModelManifest | undefined;
}

/** 1 had no pieces of incomplete weights. */
const STATE_VERSION = 2;

/** What a staging remembers of an acquisition. JSON data. */
interface AcquisitionState {
  version: typeof STATE_VERSION;
  revision: string;
  /** Of a conversion. */
  position?: ConvertPosition;
  streams?: Record<string, StreamState>;
  /** Conversions of this checkpoint that ended with a checksum that does not match. */
  wrongAttempts?: number;
}

/** What is known of the device and the connection; see {@link estimateCost}. */
export interface PlanContext {
  staging?: Staging | undefined;
  bytesPerSecond?: number | undefined;
  convertPerSecond?: number | undefined;
  freeBytes?: number | undefined;
  signal?: AbortSignal | undefined;
  pace?: Pace;
}

/** A first part of the weights is fetched to measure the connection. */
const PROBE_BYTES = 1 << 20;

/**
 * Looks at a repository and says what getting the model would take. Nothing is stored. An acquisition that was begun
 * goes on with the revision that it began with.
 *
 * @throws AlignError as `openHubRepository` and `chooseSource`; `unsupported-model` for a checkpoint that is no Llama
 */
export async function planAcquisition(
  request: AcquisitionRequest,
  client: RemoteClient,
  context: PlanContext = {},
): Promise<AcquisitionPlan> {
  const { signal, pace = realPace } = context;
  const state = await readState(context.staging);
  const reference = parseModelReference(request.reference, request.endpoint);
  const repository =
    reference.kind === 'url'
      ? await openUrlRepository(reference.url, client, signal)
      : await openHubRepository({ id: reference.id, revision: state?.revision ?? reference.revision }, client, {
          endpoint: request.endpoint,
          signal,
        });
  const manifest = await readManifest(repository, client, signal);
  const offer = chooseSource(repository, request.variant, manifest);
  const keepBytes =
    offer.kind === 'ready'
      ? sizeOf(offer.files)
      : await estimateConverted(repository, offer, request, client, state?.streams, signal);
  const bytesPerSecond = context.bytesPerSecond ?? (await measureSpeed(offer.files, client, pace, signal));
  const isSameRevision = state?.revision === repository.revision;
  const alreadyBytes = isSameRevision ? await alreadyLoaded(offer, context.staging, state) : 0;
  return {
    request,
    repository,
    offer,
    trust:
      repository.kind === 'hub' && offer.files.every(({ digest }) => digest !== undefined) ? 'publisher' : 'first-use',
    cost: estimateCost(offer, keepBytes, { ...context, bytesPerSecond, alreadyBytes }),
    manifest,
  };
}

export interface AcquireOptions {
  signal?: AbortSignal | undefined;
  onProgress?: (progress: TransferProgress) => void;
  pace?: Pace;
  connections?: number;
  /** sha256 by path as an earlier download of the same revision found them, where the host publishes none. */
  firstUse?: ReadonlyMap<string, string>;
  /** For what is hashed while it comes and when it is read back. */
  createHash?: CreateStreamHash;
}

/**
 * Gets a planned model into a staging and publishes it. May be called again with the same staging after any end: it
 * goes on with what is there, unless that is of another revision.
 *
 * @throws AlignError; what was stored so far stays for the next call, but for files whose checksum is wrong
 */
export async function acquire(
  plan: AcquisitionPlan,
  staging: Staging,
  client: RemoteClient,
  options: AcquireOptions = {},
): Promise<ModelManifest> {
  let state = await readState(staging);
  if (state !== undefined && state.revision !== plan.repository.revision) {
    await staging.clear();
    state = undefined;
  }
  if (state === undefined) {
    // What a state of another version spoke of; chunks of a download are checked and kept.
    if (plan.offer.kind === 'checkpoint') await staging.clear();
    state = { version: STATE_VERSION, revision: plan.repository.revision };
    await staging.write([], state);
  }
  return plan.offer.kind === 'ready'
    ? download(plan, staging, client, options)
    : convert(plan, plan.offer, state, staging, client, options);
}

async function download(
  plan: AcquisitionPlan,
  staging: Staging,
  client: RemoteClient,
  options: AcquireOptions,
): Promise<ModelManifest> {
  const { repository, request, trust } = plan;
  if (plan.manifest === undefined) throw new Error('A ready folder has a manifest; this is a bug.');
  const files = await downloadFiles(plan.offer.files, staging, client, options);
  // Only the variant that is there; with the checksums of what is there.
  const manifest = withChecksums(
    {
      ...plan.manifest,
      family: request.family ?? plan.manifest.family,
      variants: { [request.variant]: plan.manifest.variants[request.variant] },
    },
    files,
  );
  await staging.publish({ manifest, files, revision: repository.revision, trust });
  return manifest;
}

async function convert(
  plan: AcquisitionPlan,
  offer: ModelOffer,
  state: AcquisitionState,
  staging: Staging,
  client: RemoteClient,
  options: AcquireOptions,
): Promise<ModelManifest> {
  const { repository, request } = plan;
  const { signal, pace = realPace, onProgress } = options;
  const totalBytes = sizeOf(offer.files.filter(isWeights));
  const meter = new SpeedMeter(() => pace.now());
  const report = (phase: TransferProgress['phase'], file: string, loadedBytes: number) => {
    meter.add(loadedBytes);
    onProgress?.({
      phase,
      file,
      loadedBytes,
      totalBytes,
      bytesPerSecond: meter.bytesPerSecond(),
      secondsLeft: meter.secondsLeft(totalBytes),
    });
  };
  const folder = new RemoteFolder(repository.name, offer.files, client, {
    signal,
    streams: state.streams,
    createHash: options.createHash,
    onProgress: (file, hashedBytes) => report('converting', file, hashedBytes),
  });
  const target = new StagedFiles(staging);
  const name = repository.name.split('/').at(-1) ?? repository.name;
  try {
    const manifest = await convertInPlace(await openCheckpoint(folder), target, {
      variants: [request.variant],
      name,
      source: repository.name,
      family: request.family ?? familyOfName(name),
      from: state.position,
      ...(signal !== undefined && { signal }),
      onStep: (position) =>
        target.commit(folder.save().then((streams): AcquisitionState => ({ ...state, position, streams }))),
    });
    await folder.finish();
    await target.commit(undefined);
    await target.settle();
    const files = await target.hashAll((path) => report('finishing', path, totalBytes), signal, options.createHash);
    const checked = withChecksums(manifest, files);
    await staging.publish({ manifest: checked, files, revision: repository.revision, trust: plan.trust });
    return checked;
  } catch (error) {
    // Nothing is written any more when this ends; what failed there has this error's reason or is less than it.
    await target.settle().catch(() => {});
    if (!isWrong(error)) throw error;
    // Nobody can say which of its bytes were wrong, so all of them are fetched again: once.
    await staging.clear();
    if ((state.wrongAttempts ?? 0) > 0) throw error;
    const again: AcquisitionState = { version: STATE_VERSION, revision: state.revision, wrongAttempts: 1 };
    await staging.write([], again);
    return convert(plan, offer, again, staging, client, options);
  }
}

/** A file of the checkpoint is not what was published or not what it was before. */
function isWrong(error: unknown): boolean {
  return error instanceof AlignError && error.code === 'weights-corrupt' && error.details.url !== undefined;
}

function withChecksums(manifest: ModelManifest, files: readonly StoredFile[]): ModelManifest {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const add = ({ path, sizeBytes }: { path: string; sizeBytes: number }) => {
    const sha256 = byPath.get(path)?.sha256;
    return { path, sizeBytes, ...(sha256 !== undefined && { sha256 }) };
  };
  return {
    ...manifest,
    variants: Object.fromEntries(Object.entries(manifest.variants).map(([variant, list]) => [variant, list.map(add)])),
    sidecars: manifest.sidecars.map(add),
  };
}

async function readManifest(
  { files, name }: RemoteRepository,
  client: RemoteClient,
  signal: AbortSignal | undefined,
): Promise<ModelManifest | undefined> {
  const file = files.find(({ path }) => path === MANIFEST_PATH);
  if (file === undefined) return undefined;
  const { bytes } = await client.smallFile(file.url, MAX_MANIFEST_BYTES, signal);
  return parseManifest(new TextDecoder().decode(bytes), name);
}

async function estimateConverted(
  { name }: RemoteRepository,
  { files }: ModelOffer,
  { variant }: AcquisitionRequest,
  client: RemoteClient,
  streams: AcquisitionState['streams'],
  signal: AbortSignal | undefined,
): Promise<number> {
  const checkpoint: Checkpoint = await openCheckpoint(new RemoteFolder(name, files, client, { signal, streams }));
  const sidecarBytes = [...checkpoint.sidecars.values()].reduce((sum, text) => sum + text.length, 0);
  return convertedBytes(checkpoint.config, variant) + sidecarBytes;
}

async function measureSpeed(
  files: readonly RemoteFile[],
  client: RemoteClient,
  pace: Pace,
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  const [largest] = [...files].sort((one, other) => other.sizeBytes - one.sizeBytes);
  if (largest === undefined || largest.sizeBytes < 4 * PROBE_BYTES) return undefined;
  let startedAt: number | undefined;
  let bytes = 0;
  for await (const piece of client.bytes(largest, 0, PROBE_BYTES, signal)) {
    // Counted from the first piece on: what came before it is the way there, not the speed.
    if (startedAt === undefined) startedAt = pace.now();
    else bytes += piece.length;
  }
  const elapsedMs = pace.now() - (startedAt ?? 0);
  return elapsedMs > 0 && bytes > 0 ? (bytes * 1000) / elapsedMs : undefined;
}

async function alreadyLoaded(
  offer: ModelOffer,
  staging: Staging | undefined,
  state: AcquisitionState | undefined,
): Promise<number> {
  if (staging === undefined) return 0;
  if (offer.kind === 'checkpoint') {
    const streams = Object.entries(state?.streams ?? {});
    return streams.reduce((sum, [path, { block }]) => {
      const file = offer.files.find((candidate) => candidate.path === path);
      return sum + Math.min(block * BLOCK_BYTES, file?.sizeBytes ?? 0);
    }, 0);
  }
  let bytes = 0;
  for (const file of offer.files) {
    for (const index of await staging.listChunks(file.path)) bytes += chunkLength(file.sizeBytes, index);
  }
  return bytes;
}

/** A state of another version of the program is none: the acquisition begins anew. */
async function readState(staging: Staging | undefined): Promise<AcquisitionState | undefined> {
  const state = (await staging?.readState()) as Partial<AcquisitionState> | undefined;
  return state?.version === STATE_VERSION && typeof state.revision === 'string'
    ? (state as AcquisitionState)
    : undefined;
}

function isWeights({ path }: RemoteFile): boolean {
  return /\.(safetensors|gguf|bin)$/i.test(path);
}

function sizeOf(files: readonly RemoteFile[]): number {
  return files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
