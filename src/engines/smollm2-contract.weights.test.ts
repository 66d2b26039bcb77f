import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'vitest';
import { VARIANT_FILE_NAMES } from '../convert/write-graphs.ts';
import { createBehindServer } from './behind-server.fixture.ts';
import { ENGINE_CONTRACT, type Subject, type SubjectOptions } from './engine.contract.ts';
import { createLlamaCppEngine } from './llama-cpp-engine.ts';
import { isLlamaCppMissing } from './llama-cpp.fixture.ts';
import { createNodeEngine } from './node-engine.ts';

const FOLDER = process.env.SMOLLM2_MODEL ?? '.cache/models/smollm2-135m-instruct';
const GGUF = process.env.SMOLLM2_GGUF ?? '.cache/smollm2/smollm2-135m-instruct.gguf';

/** Short: some cases fill it. */
const CONFIG = { vocabularySize: 49_152, contextLength: 160, eosTokenIds: [2] };

/** 4-bit weights: a prompt's tokens are scored the same in steps of any size (`minStepTokens`). */
const createOnnx = ({ prefillChunkTokens, ...change }: SubjectOptions) =>
  createNodeEngine({
    graphPath: join(FOLDER, 'onnx', `${VARIANT_FILE_NAMES.q4}.onnx`),
    config: { ...CONFIG, ...change },
    threads: 1,
    minStepTokens: 2,
    ...(prefillChunkTokens !== undefined && { prefillChunkTokens }),
  });

interface SubjectOnSmolLm2 {
  isMissing: boolean;
  isOfOneAtATime: boolean;
  readsEdits: boolean;
  subject: Subject;
}

const SUBJECTS: Record<string, SubjectOnSmolLm2> = {
  onnx: { isMissing: !existsSync(FOLDER), isOfOneAtATime: true, readsEdits: false, subject: { create: createOnnx } },
  'llama-cpp': {
    isMissing: isLlamaCppMissing || !existsSync(GGUF),
    isOfOneAtATime: true,
    readsEdits: true,
    subject: {
      create: ({ prefillChunkTokens, ...change }) =>
        createLlamaCppEngine({
          path: GGUF,
          config: { ...CONFIG, ...change },
          device: 'cpu',
          threads: 1,
          ...(prefillChunkTokens !== undefined && { prefillChunkTokens }),
        }),
    },
  },
  openai: {
    isMissing: !existsSync(FOLDER),
    isOfOneAtATime: false,
    readsEdits: false,
    subject: {
      create: async (options) => createBehindServer(await createOnnx(options), { ...CONFIG, ...options }),
    },
  },
};

// Two at a time (vitest.config.ts): each runs on one core.
describe.concurrent.each(Object.entries(SUBJECTS))(
  'the %s engine on SmolLM2',
  (_name, { isMissing, subject, ...kind }) => {
    const cases = ENGINE_CONTRACT.filter(
      (each) => (each.isOfOneAtATime !== true || kind.isOfOneAtATime) && (each.readsEdits !== true || kind.readsEdits),
    );
    it.skipIf(isMissing).each(cases)('$name', (contractCase) => contractCase.run(subject));
  },
);
