import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LocalHub, startLocalHub } from '../../e2e/local-hub.ts';
import { fetchDatasetFile, parseDatasetAddress } from './hub-dataset.ts';
import { RemoteClient } from './remote-client.ts';

const ID = 'Anthropic/hh-rlhf';
const PATH = 'harmless-base/train.jsonl.gz';
let directory: string;
let hub: LocalHub;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'metaaligner-hub-dataset-'));
  const files = { [PATH]: new TextEncoder().encode('{}\n'), 'README.md': new Uint8Array() };
  hub = await startLocalHub({ repositories: { [`datasets/${ID}`]: { files } } });
});
afterEach(async () => {
  await hub.close();
  await rm(directory, { recursive: true });
});

const fetchFile = (path: string, endpoint = hub.endpoint) =>
  fetchDatasetFile({ id: ID, revision: 'main', path }, { endpoint, client: new RemoteClient(), directory });

describe('a file of a data set at the hub', () => {
  it('is downloaded once', async () => {
    const path = await fetchFile(PATH);
    expect(await readFile(path, 'utf8')).toBe('{}\n');
    expect(await fetchFile(PATH, 'http://127.0.0.1:9')).toBe(path);
  });

  it('is refused where there is none, with those that there are', async () => {
    await expect(fetchFile('test.parquet')).rejects.toMatchObject({
      code: 'weights-missing',
      message: expect.stringContaining(PATH) as string,
    });
  });
});

describe('the address of a data file', () => {
  it('names data set, revision and path', () => {
    expect(parseDatasetAddress(`hf://datasets/${ID}/${PATH}`)).toEqual({ id: ID, revision: 'main', path: PATH });
    expect(parseDatasetAddress('hf://datasets/a/b@v1/x.parquet')).toEqual({
      id: 'a/b',
      revision: 'v1',
      path: 'x.parquet',
    });
    expect(parseDatasetAddress('pairs.csv')).toBeUndefined();
  });

  it.each(['hf://a/b/c.csv', 'hf://datasets/a', 'hf://datasets/a/b/../c', 'hf://datasets/a/b/'])(
    'is refused as %s',
    (address) => {
      expect(() => parseDatasetAddress(address)).toThrow(/hf:\/\/datasets\/OWNER\/NAME\/PATH/);
    },
  );
});
