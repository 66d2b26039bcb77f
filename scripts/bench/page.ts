import { wrap } from 'comlink';
import type { BenchWorker } from './ours.worker.ts';

/** Each in a worker of its own, as a page would have it; called by `bench-decode.ts`. */
export const bench = {
  ours: wrap<BenchWorker>(new Worker(new URL('./ours.worker.ts', import.meta.url), { type: 'module' })),
  theirs: wrap<BenchWorker>(new Worker(new URL('./transformers-js.worker.ts', import.meta.url), { type: 'module' })),
};

declare global {
  interface Window {
    bench: typeof bench;
  }
}
window.bench = bench;
