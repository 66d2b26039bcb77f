import { proxy, wrap } from 'comlink';

import type { Evaluated, NamedFile } from '../../workers/evaluate-files.ts';
import type { EvaluationWorkerApi } from '../../workers/evaluation.worker.ts';
import { installErrorTransfer } from '../../workers/protocol.ts';

export interface EvaluationClient {
  /**
   * One report of all files, read and scored beside the page.
   *
   * @param onFile  with the number of files that are read
   * @throws the signal's reason
   */
  evaluate: (
    files: readonly NamedFile[],
    onFile: (finished: number) => void,
    signal: AbortSignal,
  ) => Promise<Evaluated>;
}

/** The worker lives as long as one report is made: what it took is free again after. */
export function createEvaluationClient(): EvaluationClient {
  installErrorTransfer();
  return {
    async evaluate(files, onFile, signal) {
      signal.throwIfAborted();
      const worker = new Worker(new URL('../../workers/evaluation.worker.ts', import.meta.url), { type: 'module' });
      const stopped = new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        worker.addEventListener('error', ({ message }) => {
          reject(new Error(`The worker that evaluates files stopped${message ? `: ${message}` : ''}.`));
        });
      });
      try {
        const onRead = proxy(async (finished: number) => onFile(finished));
        return await Promise.race([wrap<EvaluationWorkerApi>(worker).evaluate([...files], onRead), stopped]);
      } finally {
        worker.terminate();
      }
    },
  };
}
