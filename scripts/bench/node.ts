import { basename, dirname } from 'node:path';
import { env } from '@huggingface/transformers';
import type { ChatTokenizer } from '../../src/align/tokenizer.ts';
import type { Variant } from '../../src/align/variant.ts';
import { NODE_SUPPORT } from '../../src/engines/choose-variant.ts';
import { loadModel } from '../../src/engines/load-model.ts';
import { createNodeDecoder, nodeEngineOptions } from '../../src/engines/node-engine.ts';
import { openNodeFolder } from '../../src/weights/node-folder.ts';
import type { Runner } from './measurement.ts';
import { ourRunner } from './our-runner.ts';
import { installLlamaCpp } from './peers.ts';
import { transformersJsRunner } from './transformers-js-runner.ts';

export interface NodeSubject {
  /** Of a converted model. */
  directory: string;
  variant: Variant;
  threads: number;
}

export async function openOurs(subject: NodeSubject): Promise<Runner & { tokenizer: ChatTokenizer }> {
  const { directory, variant, threads } = subject;
  let runner: Runner | undefined;
  const { model } = await loadModel(await openNodeFolder(directory), {
    support: NODE_SUPPORT,
    wish: { device: 'cpu', variant },
    async startEngine(start) {
      const options = nodeEngineOptions({ directory, threads }, start);
      const ours = ourRunner(await createNodeDecoder(options), options.config);
      runner = ours;
      return ours.engine;
    },
  });
  return { ...runner!, tokenizer: model.tokenizer };
}

export async function openTransformersJs({ directory, variant, threads }: NodeSubject): Promise<Runner> {
  env.allowRemoteModels = false;
  env.localModelPath = dirname(directory);
  return transformersJsRunner(basename(directory), variant, 'cpu', threads);
}

/** Not a literal: it is installed on demand, and its types with it. */
const PACKAGE: string = 'node-llama-cpp';

/** The part of it that is used. */
interface NodeLlamaCpp {
  getLlama: (options: Record<string, unknown>) => Promise<{
    loadModel(options: Record<string, unknown>): Promise<{
      createContext(options: Record<string, unknown>): Promise<{
        getSequence(): {
          clearHistory(): Promise<void>;
          /** The token that `next` is given is written in place of its own. */
          evaluate(
            tokens: readonly number[],
            options: Record<string, unknown>,
          ): AsyncGenerator<number, void, number | undefined>;
        };
      }>;
    }>;
    dispose(): Promise<void>;
  }>;
}

export async function openNodeLlamaCpp(ggufPath: string, threads: number): Promise<Runner> {
  installLlamaCpp();
  const { getLlama } = (await import(PACKAGE)) as NodeLlamaCpp;
  const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, maxThreads: threads });
  const model = await llama.loadModel({ modelPath: ggufPath, gpuLayers: 0 });
  const context = await model.createContext({ contextSize: 2048, sequences: 1, threads });
  const sequence = context.getSequence();
  return {
    /** Always anew. */
    async generate({ promptIds, newTokens, forcedIds }) {
      await sequence.clearHistory();
      const startMs = performance.now();
      let firstTokenMs = 0;
      const tokenIds: number[] = [];
      const written = sequence.evaluate(promptIds, { temperature: 0, yieldEogToken: true });
      for (
        let next = await written.next();
        next.done !== true;
        next = await written.next(forcedIds && tokenIds.at(-1))
      ) {
        if (tokenIds.length === 0) firstTokenMs = performance.now() - startMs;
        tokenIds.push(forcedIds?.[tokenIds.length] ?? next.value);
        if (tokenIds.length === newTokens) break;
      }
      const totalMs = performance.now() - startMs;
      await written.return();
      return { tokenIds, firstTokenMs, totalMs };
    },
    dispose: () => llama.dispose(),
  };
}
