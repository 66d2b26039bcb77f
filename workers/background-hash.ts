import { transfer, wrap } from 'comlink';
import { createSha256, type CreateStreamHash } from '../src/weights/sha256.ts';
import type { HashWorkerApi } from './hash.worker.ts';

/** Updates on their way at a time. */
const MAX_PENDING = 2;

/**
 * Hashes in a worker of its own, started by the first one, so that a download and its hash use two cores. Where no
 * worker can be started they are made here.
 */
export function createBackgroundHash(startWorker: () => Worker): CreateStreamHash {
  let started: { api: ReturnType<typeof wrap<HashWorkerApi>>; failed: Promise<never> } | undefined;
  const start = () => {
    const worker = startWorker();
    const failed = new Promise<never>((_, reject) => {
      worker.addEventListener('error', ({ message }) => {
        started = undefined;
        reject(new Error(`The worker that checks downloads stopped${message ? `: ${message}` : ''}.`));
      });
    });
    failed.catch(() => {});
    return { api: wrap<HashWorkerApi>(worker), failed };
  };
  return async (state) => {
    try {
      started ??= start();
    } catch {
      return createSha256(state);
    }
    const { api, failed } = started;
    const orFail = <T>(call: Promise<T>) => Promise.race([call, failed]);
    const id = await orFail(api.create(state));
    const pending: Promise<void>[] = [];
    return {
      async update(bytes) {
        const copy = bytes.slice();
        const done = orFail(api.update(id, transfer(copy, [copy.buffer])));
        // Its failure is told by the call that waits for it.
        done.catch(() => {});
        pending.push(done);
        if (pending.length > MAX_PENDING) await pending.shift();
      },
      save: () => orFail(api.save(id)),
      async digest() {
        await Promise.all(pending);
        return orFail(api.digest(id));
      },
    };
  };
}
