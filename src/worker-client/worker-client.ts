import { proxy } from 'comlink';
import type { AlignError } from '../align/errors.ts';
import type { EngineWorkerApi } from '../../workers/protocol.ts';
import type { EngineRestart, LocalClient } from './engine-client.ts';
import { createWorkerCalls } from './worker-calls.ts';

function startEngineWorker(): Worker {
  return new Worker(new URL('../../workers/engine.worker.ts', import.meta.url), { type: 'module', name: 'engine' });
}

/**
 * The engine in a worker, started by the first call. After a crash the next call starts another.
 *
 * @param startWorker  tests give it a port
 */
export function createWorkerClient(startWorker: () => Worker = startEngineWorker): LocalClient {
  const crashListeners = new Set<(error: AlignError) => void>();
  const restartListeners = new Set<(restart: EngineRestart) => void>();
  let lastRun = 0;
  const { call, isRunning } = createWorkerCalls<EngineWorkerApi>(startWorker, 'The engine’s', (error) => {
    for (const listener of crashListeners) listener(error);
  });

  return {
    probe: () => call((api) => api.probe()),
    load: (request, onEvent) => call((api) => api.load(request, proxy(onEvent))),
    unload: async () => {
      if (isRunning()) await call((api) => api.unload());
    },
    async align(request, onEvent, signal) {
      lastRun += 1;
      const runId = `run-${lastRun}`;
      let isOver = false;
      const cancel = () =>
        void call((api) => api.cancel(runId)).catch(() => {
          // A worker that is gone has no run to cancel.
        });
      signal.addEventListener('abort', cancel);
      try {
        await call((api) => {
          const run = api.align(
            runId,
            request,
            proxy((event) => {
              if (event.type === 'engine-restarted') for (const listener of restartListeners) listener(event);
              else if (!isOver) onEvent(event);
            }),
          );
          // Messages keep their order: the worker knows the run by then.
          if (signal.aborted) cancel();
          return run;
        });
      } finally {
        isOver = true;
        signal.removeEventListener('abort', cancel);
      }
    },
    async ask(question, signal) {
      signal.throwIfAborted();
      lastRun += 1;
      const runId = `ask-${lastRun}`;
      const cancel = () =>
        void call((api) => api.cancel(runId)).catch(() => {
          // A worker that is gone has nothing to cancel.
        });
      signal.addEventListener('abort', cancel);
      try {
        return await call((api) => api.ask(runId, question));
      } finally {
        signal.removeEventListener('abort', cancel);
      }
    },
    countPromptTokens: (request) => call((api) => api.countPromptTokens(request)),
    onCrash(listener) {
      crashListeners.add(listener);
      return () => crashListeners.delete(listener);
    },
    onRestart(listener) {
      restartListeners.add(listener);
      return () => restartListeners.delete(listener);
    },
  };
}
