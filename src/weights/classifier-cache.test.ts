import { IDBFactory } from 'fake-indexeddb';
import 'fake-indexeddb/auto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type LocalHub, startLocalHub } from '../../e2e/local-hub.ts';
import { loadClassifier } from '../engines/load-classifier.ts';
import { startWebSession } from '../engines/web-classifier.ts';
import { CLASSIFIER_CASES, classifierCheckpointFolder } from '../convert/classifier/small-classifier.fixture.ts';
import { readClassifierManifest } from '../convert/classifier/classifier-manifest.ts';
import { openHubClassifier } from './classifier-cache.ts';
import { RemoteClient } from './remote-client.ts';
import { WeightCache } from './weight-cache.ts';

const ID = 'made/humour';
const [, distilBert] = CLASSIFIER_CASES;
const files = Object.fromEntries(classifierCheckpointFolder(distilBert!).files);
let hub: LocalHub;
beforeEach(() => {
  globalThis.indexedDB = new IDBFactory();
});
afterEach(() => hub.close());

async function open(signal = new AbortController().signal) {
  const cache = await WeightCache.open();
  const staging = await cache.stage({ source: ID, variant: 'fp32' });
  const phases = new Set<string>();
  const folder = await openHubClassifier(
    { id: ID, revision: 'main', endpoint: hub.endpoint },
    staging,
    new RemoteClient(),
    {
      signal,
      onProgress: (phase) => phases.add(phase),
    },
  );
  return { folder, cache, phases: [...phases] };
}

it('brings a classifier once, keeps it converted alone, and scores with it without the hub', async () => {
  hub = await startLocalHub({ repositories: { [ID]: { files } } });
  const { folder, phases } = await open();
  expect(phases).toEqual(['downloading', 'converting']);
  expect((await readClassifierManifest(folder)).source).toBe(`${ID}@${hub.commitOf(ID)}`);
  await hub.close();
  const again = await open();
  expect(again.phases).toEqual([]);
  // The published weights are gone; what stands there is what runs.
  const [arrival] = await again.cache.arrivals();
  const staging = await again.cache.stage({ source: ID, variant: 'fp32' });
  expect(await staging.listChunks('model.safetensors')).toEqual([]);
  expect(arrival!.source).toBe(ID);
  const classifier = await loadClassifier(again.folder, 'fp32', startWebSession({ device: 'wasm', threads: 1 }));
  const [row] = distilBert!.rows;
  const [logits] = await classifier.classify([classifier.encode(...row!.texts)]);
  await classifier.dispose();
  row!.logits.forEach((logit, i) => expect(Math.abs(logits![i]! - logit)).toBeLessThan(1e-4));
});

it('goes on after it was stopped, at the commit that it began with', async () => {
  hub = await startLocalHub({ repositories: { [ID]: { files } } });
  const began = hub.commitOf(ID);
  const stop = new AbortController();
  hub.fault = ({ kind }) => {
    if (kind === 'storage') stop.abort(new DOMException('stopped', 'AbortError'));
    return undefined;
  };
  await expect(open(stop.signal)).rejects.toMatchObject({ name: 'AbortError' });
  hub.fault = undefined;
  await hub.push(ID, 'README.md', new TextEncoder().encode('new'));
  const { folder } = await open();
  expect((await readClassifierManifest(folder)).source).toBe(`${ID}@${began}`);
});

it('says what is no classifier', async () => {
  const config = new TextEncoder().encode('{"architectures":["LlamaForCausalLM"],"model_type":"llama"}');
  hub = await startLocalHub({ repositories: { [ID]: { files: { ...files, 'config.json': config } } } });
  await expect(open()).rejects.toMatchObject({ code: 'unsupported-model' });
});
