import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LocalHub, startLocalHub } from '../../e2e/local-hub.ts';
import { readClassifierManifest } from '../convert/classifier/classifier-manifest.ts';
import { CLASSIFIER_CASES, classifierCheckpointFolder } from '../convert/classifier/small-classifier.fixture.ts';
import { openNodeFolder } from './node-folder.ts';
import { prepareClassifier } from './prepare-classifier.ts';
import { RemoteClient } from './remote-client.ts';

const ID = 'mohameddhiab/humor-no-humor';
const files = Object.fromEntries(classifierCheckpointFolder(CLASSIFIER_CASES[1]!).files);
let directory: string;
let hub: LocalHub | undefined;
beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), 'metaaligner-prepare-'))));
afterEach(async () => {
  await hub?.close();
  await rm(directory, { recursive: true });
});

const prepare = (
  reference: string,
  variant: 'fp32' | 'q8' = 'fp32',
  endpoint = hub?.endpoint ?? 'http://127.0.0.1:9',
) =>
  prepareClassifier({
    reference,
    variant,
    endpoint,
    cacheDirectory: join(directory, 'cache'),
    client: new RemoteClient(),
  });

describe('a classifier of the hub', () => {
  it('is downloaded and converted once, and then needs no hub', async () => {
    hub = await startLocalHub({ repositories: { [ID]: { files } } });
    const first = await prepare(ID);
    expect(first.source).toMatch(/^mohameddhiab\/humor-no-humor@[0-9a-f]{40}$/);
    expect(await readdir(first.directory)).not.toContain('.arriving');
    const sent = hub.sentBytes;
    expect(await prepare(ID)).toEqual(first);
    expect(hub.sentBytes).toBe(sent);
    await prepare(ID, 'q8');
    const { variants } = await readClassifierManifest(await openNodeFolder(first.directory));
    expect(Object.keys(variants)).toEqual(['fp32', 'q8']);
    expect(await prepare(ID, 'q8', 'http://127.0.0.1:9')).toEqual(first);
  });

  it('is refused when it is no classifier, has no weights or does not exist', async () => {
    const { 'model.safetensors': _, ...bare } = files;
    const config = new TextEncoder().encode(
      JSON.stringify({ architectures: ['LlamaForCausalLM'], model_type: 'llama' }),
    );
    hub = await startLocalHub({
      repositories: { 'a/bare': { files: bare }, 'a/llama': { files: { ...files, 'config.json': config } } },
    });
    await expect(prepare('a/bare')).rejects.toMatchObject({ code: 'weights-missing' });
    await expect(prepare('a/llama')).rejects.toMatchObject({ code: 'unsupported-model' });
    await expect(prepare('a/nothing')).rejects.toMatchObject({ code: 'access-denied' });
    await expect(prepare('https://example.org/x')).rejects.toMatchObject({ code: 'invalid-request' });
  });
});

describe('a classifier’s folder', () => {
  it('is converted into the cache, anew when it has changed, and taken as it is when it is converted', async () => {
    const checkpoint = await mkdtemp(join(directory, 'checkpoint-'));
    for (const [path, bytes] of Object.entries(files)) await writeFile(join(checkpoint, path), bytes);
    const first = await prepare(checkpoint);
    expect(await prepare(checkpoint)).toEqual(first);
    expect(await prepare(first.directory)).toMatchObject({ directory: first.directory });
    await expect(prepare(first.directory, 'q8')).rejects.toMatchObject({ code: 'weights-missing' });
    await writeFile(join(checkpoint, 'tokenizer_config.json'), '{}');
    expect((await prepare(checkpoint)).directory).not.toBe(first.directory);
  });
});
