import { expose } from 'comlink';
import type { SourceFolder } from '../src/convert/byte-source.ts';
import { openClassifierCheckpoint } from '../src/convert/checkpoint/open-classifier.ts';
import {
  CLASSIFIER_MANIFEST_PATH,
  type ClassifierManifest,
  readClassifierManifest,
} from '../src/convert/classifier/classifier-manifest.ts';
import { convertClassifier } from '../src/convert/classifier/convert-classifier.ts';
import type { ClassifierVariant } from '../src/convert/onnx/sequence-classifier-graph.ts';
import type { Classifier } from '../src/engines/classifier.ts';
import { loadClassifier } from '../src/engines/load-classifier.ts';
import { ORT_FILES } from '../src/engines/ort-files.ts';
import { probeWebGpu, wasmThreads } from '../src/engines/probe-webgpu.ts';
import { startWebSession } from '../src/engines/web-classifier.ts';
import { blobFolder } from '../src/weights/blob-folder.ts';
import { openHubClassifier, variantToKeep } from '../src/weights/classifier-cache.ts';
import { httpClassifierFolder } from '../src/weights/http-folder.ts';
import { parseModelReference } from '../src/weights/hub.ts';
import { memoryFolder } from '../src/weights/memory-folder.ts';
import { RemoteClient } from '../src/weights/remote-client.ts';
import { WeightCache } from '../src/weights/weight-cache.ts';
import { installErrorTransfer } from './protocol.ts';
import type { ClassifierLocation, ClassifierProgress, ClassifierRequest, ScoresWorkerApi } from './scores-protocol.ts';
import { type ScoresHost, ScoresService } from './scores-service.ts';

/** A message for every piece of a download would be thousands. */
const PROGRESS_INTERVAL_MS = 50;
/** Above it the exact form may not leave a page's memory room to run. */
const MAX_EXACT_BYTES = 1.5e9;

/** Classifiers of the hub; a record of the cache names a variant, and holds whichever was made. */
const openCache = () => WeightCache.open({ databaseName: 'metaaligner-classifiers' });
const keyOf = (source: string) => ({ source, variant: 'fp32' as const });

const host: ScoresHost = {
  async load(request, onProgress, signal) {
    const report = throttled(onProgress);
    const folder = await openFolder(request.location, report, signal);
    const manifest = await readClassifierManifest(folder);
    const choice = await choose(manifest, request.device);
    const start = (device: 'wasm' | 'webgpu') =>
      startWebSession({
        device,
        threads: wasmThreads(),
        ortFiles: ORT_FILES,
        signal,
        onProgress: (doneBytes, totalBytes) => report({ phase: 'reading', doneBytes, totalBytes }),
      });
    const load = (device: 'wasm' | 'webgpu') => loadClassifier(folder, choice.variant, start(device));
    let { device } = choice;
    let classifier: Classifier;
    try {
      classifier = await load(device);
    } catch (error) {
      signal.throwIfAborted();
      if (request.device !== 'auto' || device === 'wasm') throw error;
      device = 'wasm';
      classifier = await load(device);
    }
    const { source, parameterCount } = manifest;
    const { labels, maxTokens } = classifier;
    return { classifier, info: { source, labels, maxTokens, parameterCount, variant: choice.variant, device } };
  },

  async kept() {
    const arrivals = await (await openCache()).arrivals();
    return arrivals.map(({ source, storedBytes }) => ({ reference: source, storedBytes }));
  },

  async forget(reference) {
    await locked(reference, async () => (await openCache()).discardArrival(keyOf(reference)));
  },
};

/** A real GPU takes the exact form; the 8-bit one is made for the CPU. */
async function choose(
  { variants }: ClassifierManifest,
  wish: ClassifierRequest['device'],
): Promise<{ variant: ClassifierVariant; device: 'wasm' | 'webgpu' }> {
  const sizeBytes = variants.fp32?.reduce((sum, file) => sum + file.sizeBytes, 0);
  const hasSmallExact = sizeBytes !== undefined && (sizeBytes <= MAX_EXACT_BYTES || variants.q8 === undefined);
  const variant = hasSmallExact ? 'fp32' : 'q8';
  if (wish !== 'auto') return { variant, device: wish };
  const { available, isSoftware } = await probeWebGpu(navigator.gpu);
  return { variant, device: available && !isSoftware && variant === 'fp32' ? 'webgpu' : 'wasm' };
}

async function openFolder(
  location: ClassifierLocation,
  onProgress: (progress: ClassifierProgress) => void,
  signal: AbortSignal,
): Promise<SourceFolder> {
  switch (location.kind) {
    case 'url':
      return httpClassifierFolder(location.baseUrl, { signal });
    case 'files':
      return openPicked(blobFolder(location.name, location.files), onProgress, signal);
    case 'hub': {
      const { endpoint, token } = location;
      const reference = parseModelReference(location.reference, endpoint);
      if (reference.kind === 'url') return httpClassifierFolder(reference.url, { signal });
      const { id, revision } = reference;
      const key = keyOf(revision === 'main' ? id : `${id}@${revision}`);
      const access = token === undefined ? undefined : { origin: new URL(endpoint).origin, token };
      return locked(key.source, async () => {
        const staging = await (await openCache()).stage(key);
        return openHubClassifier({ id, revision, endpoint }, staging, new RemoteClient({ access }), {
          signal,
          onProgress: (phase, doneBytes, totalBytes) => onProgress({ phase, doneBytes, totalBytes }),
        });
      });
    }
    default:
      return location satisfies never;
  }
}

/** A checkpoint as published is converted in memory: it is picked anew with each visit. */
async function openPicked(
  folder: SourceFolder,
  onProgress: (progress: ClassifierProgress) => void,
  signal: AbortSignal,
): Promise<SourceFolder> {
  if ((await folder.list()).includes(CLASSIFIER_MANIFEST_PATH)) return folder;
  const checkpoint = await openClassifierCheckpoint(folder);
  const target = memoryFolder(folder.name);
  await convertClassifier(checkpoint, target, {
    variants: [variantToKeep(checkpoint)],
    source: folder.name,
    signal,
    onProgress: ({ doneBytes, totalBytes }) => onProgress({ phase: 'converting', doneBytes, totalBytes }),
  });
  return target;
}

/** One tab at a time brings or removes a classifier. */
async function locked<Result>(reference: string, work: () => Promise<Result>): Promise<Result> {
  if (!('locks' in navigator)) return work();
  return await navigator.locks.request(`metaaligner-classifier ${reference}`, work);
}

function throttled(call: (progress: ClassifierProgress) => void): (progress: ClassifierProgress) => void {
  let [calledMs, phase] = [-Infinity, ''];
  return (progress) => {
    const nowMs = performance.now();
    if (nowMs - calledMs < PROGRESS_INTERVAL_MS && progress.phase === phase) return;
    [calledMs, phase] = [nowMs, progress.phase];
    call(progress);
  };
}

installErrorTransfer();
expose(new ScoresService(host) satisfies ScoresWorkerApi);
