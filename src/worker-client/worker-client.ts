import { proxy, type Remote, wrap } from 'comlink';
import { AlignError } from '../align/errors.ts';
import { type EngineWorkerApi, installErrorTransfer } from '../../workers/protocol.ts';
import type { EngineClient } from './engine-client.ts';

/** A worker that runs, or ran until it crashed. */
interface Session {
  worker: Worker;
  api: Remote<EngineWorkerApi>;
  /** Calls that wait for an answer; a crash rejects them. */
  pending: Set<(error: AlignError) => void>;
}

function startEngineWorker(): Worker {
  return new Worker(new URL('../../workers/engine.worker.ts', import.meta.url), { type: 'module', name: 'engine' });
}

/**
 * The engine in a worker, started by the first call. After a crash the next call starts another.
 *
 * @param startWorker  tests give it a port
 */
export function createWorkerClient(startWorker: () => Worker = startEngineWorker): EngineClient {
  installErrorTransfer();
  const crashListeners = new Set<(error: AlignError) => void>();
  let session: Session | undefined;
  let lastRun = 0;

  function start(): Session {
    const worker = startWorker();
    const started: Session = { worker, api: wrap<EngineWorkerApi>(worker), pending: new Set() };
    const crash = (message: string, details: Record<string, unknown>) => {
      if (session !== started) return;
      session = undefined;
      worker.terminate();
      const error = new AlignError('worker-crashed', message, { details });
      for (const reject of started.pending) reject(error);
      for (const listener of crashListeners) listener(error);
    };
    worker.addEventListener('error', (event) => {
      event.preventDefault();
      const { message = '', filename = '', lineno } = event as Partial<ErrorEvent>;
      // A script that does not load has an event without a message.
      const why = message === '' ? 'its script did not load' : message;
      crash(`The engine’s worker stopped: ${why}.`, { message, filename, lineno });
    });
    worker.addEventListener('messageerror', () => {
      crash('The engine’s worker sent a message that cannot be read.', {});
    });
    void watchLock(started, () => crash('The engine’s worker went away, probably out of memory.', {}));
    return started;
  }

  /** Asks the worker, but not for longer than it lives. */
  function call<Result>(ask: (api: Remote<EngineWorkerApi>) => Promise<Result>): Promise<Result> {
    const { api, pending } = (session ??= start());
    return new Promise<Result>((resolve, reject) => {
      pending.add(reject);
      ask(api)
        .then(resolve, reject)
        .finally(() => pending.delete(reject));
    });
  }

  return {
    probe: () => call((api) => api.probe()),
    load: (request, onEvent) => call((api) => api.load(request, proxy(onEvent))),
    unload: async () => {
      if (session !== undefined) await call((api) => api.unload());
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
              if (!isOver) onEvent(event);
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
    countPromptTokens: (request) => call((api) => api.countPromptTokens(request)),
    onCrash(listener) {
      crashListeners.add(listener);
      return () => crashListeners.delete(listener);
    },
  };
}

let lastLock = 0;

/**
 * Notices a worker that goes away without an `error` event, as one does that runs out of memory: the Web Lock that it
 * holds comes free. Web Locks need a secure context, which WebGPU needs as well.
 */
async function watchLock({ api }: Session, onGone: () => void): Promise<void> {
  if (!('locks' in navigator)) return;
  lastLock += 1;
  // Other tabs of this page share the names.
  const name = `metaaligner-engine-${performance.timeOrigin}-${Math.random()}-${lastLock}`;
  await api.holdLock(name);
  await navigator.locks.request(name, onGone);
}
