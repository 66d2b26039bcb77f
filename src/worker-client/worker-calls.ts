import { type Remote, wrap } from 'comlink';
import { AlignError } from '../align/errors.ts';
import { installErrorTransfer } from '../../workers/protocol.ts';

/** A worker that runs, or ran until it crashed. */
interface Session<Api> {
  worker: Worker;
  api: Remote<Api>;
  /** Calls that wait for an answer; a crash rejects them. */
  pending: Set<(error: AlignError) => void>;
}

/** What every worker of ours can do besides its work. */
interface LockHolder {
  holdLock(name: string): Promise<void>;
}

export interface WorkerCalls<Api> {
  /** Asks the worker, but not for longer than it lives. The first call starts it, and the first after a crash. */
  call: <Result>(ask: (api: Remote<Api>) => Promise<Result>) => Promise<Result>;
  isRunning: () => boolean;
}

/**
 * @param who      in messages: `The engine’s`
 * @param onCrash  the worker is gone; calls that were pending have rejected with the same error
 */
export function createWorkerCalls<Api extends LockHolder>(
  startWorker: () => Worker,
  who: string,
  onCrash: (error: AlignError) => void,
): WorkerCalls<Api> {
  installErrorTransfer();
  let session: Session<Api> | undefined;

  function start(): Session<Api> {
    const worker = startWorker();
    const started: Session<Api> = { worker, api: wrap<Api>(worker), pending: new Set() };
    const crash = (message: string, details: Record<string, unknown>) => {
      if (session !== started) return;
      session = undefined;
      worker.terminate();
      const error = new AlignError('worker-crashed', message, { details });
      for (const reject of started.pending) reject(error);
      onCrash(error);
    };
    worker.addEventListener('error', (event) => {
      event.preventDefault();
      const { message = '', filename = '', lineno } = event as Partial<ErrorEvent>;
      // A script that does not load has an event without a message.
      const why = message === '' ? 'its script did not load' : message;
      crash(`${who} worker stopped: ${why}.`, { message, filename, lineno });
    });
    worker.addEventListener('messageerror', () => {
      crash(`${who} worker sent a message that cannot be read.`, {});
    });
    void watchLock(started, () => crash(`${who} worker went away, probably out of memory.`, {}));
    return started;
  }

  return {
    call<Result>(ask: (api: Remote<Api>) => Promise<Result>): Promise<Result> {
      const { api, pending } = (session ??= start());
      return new Promise<Result>((resolve, reject) => {
        pending.add(reject);
        ask(api)
          .then(resolve, reject)
          .finally(() => pending.delete(reject));
      });
    },
    isRunning: () => session !== undefined,
  };
}

let lastLock = 0;

/**
 * Notices a worker that goes away without an `error` event, as one does that runs out of memory: the Web Lock that it
 * holds comes free. Web Locks need a secure context, which WebGPU needs as well.
 */
async function watchLock<Api extends LockHolder>({ api }: Session<Api>, onGone: () => void): Promise<void> {
  if (!('locks' in navigator)) return;
  lastLock += 1;
  // Other tabs of this page share the names.
  const name = `metaaligner-worker-${performance.timeOrigin}-${Math.random()}-${lastLock}`;
  await (api as Remote<LockHolder>).holdLock(name);
  await navigator.locks.request(name, onGone);
}
