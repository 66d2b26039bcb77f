import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ServedModel } from '../../server/api/served-model.ts';
import { startServer } from '../../server/main.ts';
import { localAligner } from '../align/aligner.ts';
import type { Engine } from '../align/engine.ts';
import { GREEDY } from '../align/request.ts';
import type { Tokenizer } from '../align/tokenizer.ts';
import { VARIANT_FILE_NAMES } from '../convert/write-graphs.ts';
import { ENGINE_CONTRACT, type SubjectOptions } from './engine.contract.ts';
import { createNodeEngine } from './node-engine.ts';
import { OpenAiEngine } from './openai-engine.ts';
import { CONTRACT_CONFIG, convertToDisk } from './small-model.fixture.ts';
import { Upstreams } from './upstreams.ts';

/** Only ids are exchanged; the server still makes a text of them. */
const TOKENIZER: Tokenizer = {
  vocabularySize: CONTRACT_CONFIG.vocabularySize,
  bosTokenId: 1,
  eosTokenId: 2,
  encode: (text) => Int32Array.from(text, (letter) => letter.charCodeAt(0)),
  decode: (tokenIds) => tokenIds.map((id) => ` ${id}`).join(''),
};

let folder: Awaited<ReturnType<typeof convertToDisk>>;
let page: string;
beforeAll(async () => {
  folder = await convertToDisk(['fp32']);
  page = await mkdtemp(join(tmpdir(), 'metaaligner-upstream-'));
  await writeFile(join(page, 'index.html'), '<!doctype html><title>page</title>');
});
afterAll(async () => {
  await folder.remove();
  await rm(page, { recursive: true });
});

/** Our own server as it is, with the onnx engine behind it: the contract goes through HTTP and back. */
async function createBehindServer(
  { prefillChunkTokens, ...change }: SubjectOptions,
  concurrency: number,
): Promise<Engine> {
  const config = { ...CONTRACT_CONFIG, ...change };
  const engine = await createNodeEngine({
    graphPath: join(folder.directory, 'onnx', `${VARIANT_FILE_NAMES.fp32}.onnx`),
    config,
    threads: 1,
    concurrency,
    ...(prefillChunkTokens !== undefined && { prefillChunkTokens }),
  });
  const served = new ServedModel({
    id: 'small',
    family: 'hh-rlhf',
    variant: 'fp32',
    aligner: localAligner({ tokenizer: TOKENIZER, engine, checkpointSampling: GREEDY }),
    version: '1.2.3',
    maxWaiting: 10,
    deadlineMs: 60_000,
  });
  const server = await startServer({ port: 0, pageDirectory: page, modelsDirectory: page, api: { served } });
  const upstreams = new Upstreams({
    urls: [`${server.url}v1`],
    apiKey: undefined,
    model: undefined,
    stallMs: 10_000,
  });
  const { contextLength } = await upstreams.discover(new AbortController().signal);
  expect(contextLength).toBe(config.contextLength);
  const behind = new OpenAiEngine(upstreams, { ...config, maxConcurrency: 4 });
  return new Proxy(behind, {
    get(target, name) {
      if (name === 'dispose') return () => target.dispose().then(() => server.close());
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

describe.each([1, 3])('the openai engine before our server, with %d at a time', (concurrency) => {
  const cases = ENGINE_CONTRACT.filter(({ isOfOneAtATime }) => isOfOneAtATime !== true);
  const subject = { create: (options: SubjectOptions) => createBehindServer(options, concurrency) };
  it.each(cases)('$name', (contractCase) => contractCase.run(subject), 60_000);
});
