import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { type LocalHub, type LocalHubOptions, startLocalHub } from '../../e2e/local-hub.ts';
import { openHubRepository, parseModelReference } from './hub.ts';
import { recordedPace } from './pace.fixture.ts';
import { RemoteClient } from './remote-client.ts';

const ID = 'someone/tiny-llama';
const WEIGHTS = Uint8Array.from({ length: 5_000 }, (_, i) => (i * 7) % 251);
const FILES = {
  'config.json': Buffer.from('{"model_type":"llama"}'),
  'model.safetensors': WEIGHTS,
  'onnx/model q4.onnx': Buffer.from('graph'),
};

let hub: LocalHub;

async function open(options: Partial<LocalHubOptions> = {}, token?: string) {
  hub = await startLocalHub({ repositories: { [ID]: { files: FILES } }, ...options });
  const client = new RemoteClient({
    pace: recordedPace(),
    access: token === undefined ? undefined : { origin: hub.endpoint, token },
  });
  return {
    client,
    list: (id = ID, revision = 'main') => openHubRepository({ id, revision }, client, { endpoint: hub.endpoint }),
  };
}

describe('openHubRepository', () => {
  afterEach(() => hub.close());

  it('lists every file with its size and what it hashes to', async () => {
    const { list } = await open();
    const { files, revision } = await list();
    expect(revision).toBe(hub.commitOf(ID));
    expect(files).toHaveLength(3);
    expect(files[1]).toEqual({
      path: 'model.safetensors',
      sizeBytes: 5_000,
      url: `${hub.endpoint}/${ID}/resolve/${revision}/model.safetensors`,
      digest: { algorithm: 'sha256', hex: createHash('sha256').update(WEIGHTS).digest('hex') },
    });
    expect(files[0]?.digest).toEqual({
      algorithm: 'git-blob',
      hex: createHash('sha1').update('blob 22\0{"model_type":"llama"}').digest('hex'),
    });
  });

  it.each([1, 2, 3])('reads a listing of several pages: %i entries a page', async (pageSize) => {
    const { list } = await open({ pageSize });
    expect((await list()).files.map((file) => file.path)).toEqual(Object.keys(FILES));
  });

  it('keeps to the commit that it saw', async () => {
    const { client, list } = await open();
    const { files } = await list();
    await hub.push(ID, 'model.safetensors', new Uint8Array(5_000));
    const pieces: Uint8Array[] = [];
    for await (const piece of client.bytes(files[1]!, 0, 5_000, undefined)) pieces.push(piece);
    expect(Buffer.concat(pieces)).toEqual(Buffer.from(WEIGHTS));
  });

  it('leaves out paths that point out of the folder', async () => {
    const { list } = await open({ repositories: { [ID]: { files: { '../x.bin': WEIGHTS, 'a.bin': WEIGHTS } } } });
    expect((await list()).files.map((file) => file.path)).toEqual(['a.bin']);
  });

  it('says that a gated repository wants its terms accepted, and where', async () => {
    const { client, list } = await open({ repositories: { [ID]: { files: FILES, access: 'gated' } }, token: 'good' });
    // The listing of a gated repository is public; its files are not.
    const { files } = await list();
    await expect(client.bytes(files[1]!, 0, 10, undefined).next()).rejects.toMatchObject({
      code: 'access-denied',
      details: { hubCode: 'GatedRepo' },
    });
  });

  it('takes the token to the hub, and not to where the hub redirects', async () => {
    const { client, list } = await open(
      { repositories: { [ID]: { files: FILES, access: 'gated' } }, token: 'good' },
      'good',
    );
    const { files } = await list();
    await client.bytes(files[1]!, 0, 10, undefined).next();
    await client.bytes(files[1]!, 10, 20, undefined).next();
    expect(hub.requests.find(({ kind }) => kind === 'resolve')?.authorization).toBe('Bearer good');
    const stored = hub.requests.filter(({ kind }) => kind === 'storage');
    expect(stored).toHaveLength(2);
    for (const request of stored) expect(request.authorization).toBeUndefined();
  });

  it('cannot tell a private repository from none', async () => {
    const { list } = await open({ repositories: { [ID]: { files: FILES, access: 'private' } } });
    await expect(list()).rejects.toMatchObject({ code: 'access-denied', details: { id: ID } });
    await expect(list('someone/else')).rejects.toMatchObject({
      code: 'access-denied',
      message: expect.stringContaining('no such repository, or it is private') as string,
    });
  });

  it('names a revision that is not there', async () => {
    const { list } = await open();
    await expect(list(ID, 'v9')).rejects.toMatchObject({
      code: 'weights-missing',
      message: expect.stringContaining('no such revision') as string,
    });
  });

  it('asks again after 429 and 503, as late as the hub wants', async () => {
    const pace = recordedPace();
    hub = await startLocalHub({
      repositories: { [ID]: { files: FILES } },
      fault: ({ kind, count }) => {
        if (kind !== 'api' || count > 2) return undefined;
        return count === 1
          ? { kind: 'status', status: 429, headers: { 'retry-after': '7' } }
          : { kind: 'status', status: 503 };
      },
    });
    const client = new RemoteClient({ pace });
    await openHubRepository({ id: ID, revision: 'main' }, client, { endpoint: hub.endpoint });
    expect(pace.pausesMs).toEqual([7_000, 750]);
  });

  it('gives up when the hub stays down', async () => {
    const { list } = await open({ fault: () => ({ kind: 'status', status: 500 }) });
    await expect(list()).rejects.toMatchObject({ code: 'weights-unreachable', details: { status: 500 } });
  });
});

describe('parseModelReference', () => {
  it.each([
    [
      'MetaAligner/MetaAligner-HH-RLHF-1.1B',
      { kind: 'hub', id: 'MetaAligner/MetaAligner-HH-RLHF-1.1B', revision: 'main' },
    ],
    [' gpt2@v1 ', { kind: 'hub', id: 'gpt2', revision: 'v1' }],
    ['https://huggingface.co/a/b', { kind: 'hub', id: 'a/b', revision: 'main' }],
    ['https://huggingface.co/a/b/tree/dev', { kind: 'hub', id: 'a/b', revision: 'dev' }],
    ['https://example.org/models/x', { kind: 'url', url: 'https://example.org/models/x/' }],
  ])('reads %s', (text, reference) => {
    expect(parseModelReference(text)).toEqual(reference);
  });

  it.each(['', 'a/b/c', '../x', 'a b', 'a@', 'a/b@c@d', 'https://huggingface.co/a/b/blob/main/x'])(
    'refuses “%s”',
    async (text) => {
      expect(() => parseModelReference(text)).toThrow(/neither a hub id/);
    },
  );
});
