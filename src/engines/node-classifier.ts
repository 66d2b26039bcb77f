import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { toEngineError } from './engine-error.ts';
import type { StartClassifierSession } from './load-classifier.ts';

/**
 * For `loadClassifier`, on a folder on disk: onnxruntime-node's CPU provider maps the external data by itself.
 *
 * @param options.threads  without it ORT takes one per physical core
 * @throws (the start) AlignError `out-of-memory`, `engine-failed`
 */
export function startNodeSession({
  directory,
  threads,
}: {
  directory: string;
  threads?: number;
}): StartClassifierSession {
  return async ([graph]) => {
    if (graph === undefined) throw new Error('A variant without files; this is a bug.');
    try {
      const session = await InferenceSession.create(join(directory, ...graph.path.split('/')), {
        executionProviders: ['cpu'],
        graphOptimizationLevel: 'all',
        logSeverityLevel: 3,
        ...(threads !== undefined && { intraOpNumThreads: threads }),
      });
      return { session, Tensor };
    } catch (error) {
      throw toEngineError(error, 'cpu', 'loading the classifier');
    }
  };
}
