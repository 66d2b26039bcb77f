import { wrap } from 'comlink';
import type { BenchWorker } from './ours.worker.ts';
import { wllamaWorker } from './wllama.ts';

/** Each in a worker of its own, as a page would have it; called by `browser.ts`. */
export const bench = {
  ours: wrap<BenchWorker>(new Worker(new URL('./ours.worker.ts', import.meta.url), { type: 'module' })),
  'transformers.js': wrap<BenchWorker>(
    new Worker(new URL('./transformers-js.worker.ts', import.meta.url), { type: 'module' }),
  ),
  /** It starts a worker by itself. */
  wllama: wllamaWorker(),
};

declare global {
  interface Window {
    bench: typeof bench;
  }
}
window.bench = bench;
