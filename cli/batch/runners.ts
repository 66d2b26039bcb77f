import { align } from '../../src/align/align.ts';
import { buildPrompt } from '../../src/align/prompt.ts';
import { complete } from '../../src/batch/completions-endpoint.ts';
import { fits, type OnTooLong, truncateContext } from '../../src/batch/fit-context.ts';
import type { ModelEndpoint } from '../../src/batch/post-with-back-off.ts';
import { RUNTIME_VERSION } from '../../src/engines/node-engine.ts';
import type { ModelFolder } from '../../src/weights/node-model-folders.ts';
import { type GenerateCommandOptions, loadLocalModel } from '../generate-options.ts';
import type { Runner } from './job.ts';

/** A converted model on this machine. The rows that run at a time share each step. */
export async function startLocalRunner(
  folder: ModelFolder,
  options: GenerateCommandOptions & { onTooLong: OnTooLong; batchSize: number },
  signal: AbortSignal,
): Promise<Runner> {
  const { model, variant } = await loadLocalModel(folder, { ...options, concurrency: options.batchSize }, signal);
  const { manifest } = folder;
  const files = (manifest.variants[variant] ?? []).map(({ sizeBytes, sha256 }) => sha256 ?? sizeBytes);
  return {
    identity: { name: manifest.name, source: manifest.source, variant, files, seed: options.seed ?? 0 },
    description: { id: folder.id, name: manifest.name, source: manifest.source, variant, device: model.engine.device },
    versions: { 'onnxruntime-node': RUNTIME_VERSION },
    concurrency: model.engine.maxConcurrency,
    fit: (request) => {
      if (fits(request, model)) return { request };
      return options.onTooLong === 'truncate-context' ? truncateContext(request, model) : undefined;
    },
    run: async (request, runSignal) => {
      const sampling =
        request.sampling === 'checkpoint' && options.seed !== undefined
          ? { ...model.checkpointSampling, seed: options.seed }
          : request.sampling;
      for await (const event of align({ ...request, sampling }, model, runSignal)) {
        if (event.type !== 'edit-end') continue;
        const { edit, finishReason, usage } = event;
        if (finishReason === 'cancelled') throw runSignal.reason;
        return { edit, finishReason, promptTokens: usage.promptTokens, editTokens: usage.editTokens };
      }
      throw new Error('A run ended without edit-end; this is a bug.');
    },
    dispose: () => model.engine.dispose(),
  };
}

/** A model behind a completions interface. Its tokenizer is not here: the server says which prompts are too long. */
export function createEndpointRunner(endpoint: ModelEndpoint, concurrency: number): Runner {
  const identity = { endpoint: endpoint.url, model: endpoint.model };
  return {
    identity,
    description: { ...identity, concurrency },
    versions: {},
    concurrency,
    run: (request, signal) =>
      complete(
        endpoint,
        {
          prompt: buildPrompt(request),
          maxNewTokens: request.maxNewTokens,
          sampling: request.sampling === 'checkpoint' ? undefined : request.sampling,
        },
        { signal },
      ),
    dispose: async () => undefined,
  };
}
