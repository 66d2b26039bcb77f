import { join } from 'node:path';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { VARIANT_FILE_NAMES } from '../convert/write-graphs.ts';
import { createBehindServer } from './behind-server.fixture.ts';
import { ENGINE_CONTRACT, type SubjectOptions } from './engine.contract.ts';
import { createNodeEngine } from './node-engine.ts';
import { CONTRACT_CONFIG, convertToDisk } from './small-model.fixture.ts';

let folder: Awaited<ReturnType<typeof convertToDisk>>;
beforeAll(async () => void (folder = await convertToDisk(['fp32'])));
afterAll(() => folder.remove());

async function create({ prefillChunkTokens, ...change }: SubjectOptions, concurrency: number) {
  const config = { ...CONTRACT_CONFIG, ...change };
  const engine = await createNodeEngine({
    graphPath: join(folder.directory, 'onnx', `${VARIANT_FILE_NAMES.fp32}.onnx`),
    config,
    threads: 1,
    concurrency,
    ...(prefillChunkTokens !== undefined && { prefillChunkTokens }),
  });
  return createBehindServer(engine, config);
}

describe.each([1, 3])('the openai engine before our server, with %d at a time', (concurrency) => {
  const cases = ENGINE_CONTRACT.filter(({ isOfOneAtATime }) => isOfOneAtATime !== true);
  const subject = { create: (options: SubjectOptions) => create(options, concurrency) };
  it.each(cases)('$name', (contractCase) => contractCase.run(subject), 60_000);
});
