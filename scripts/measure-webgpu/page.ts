import { wrap } from 'comlink';
import type { TrialOptions, TrialWorker } from './trial.worker.ts';

/** Each trial has a worker of its own: ORT keeps some of what it was told until its realm ends. */
async function measure(options: TrialOptions): Promise<Awaited<ReturnType<TrialWorker['measure']>>> {
  const worker = new Worker(new URL('./trial.worker.ts', import.meta.url), { type: 'module' });
  try {
    return await wrap<TrialWorker>(worker).measure(options);
  } finally {
    worker.terminate();
  }
}

declare global {
  interface Window {
    measureWebGpu: typeof measure;
  }
}
window.measureWebGpu = measure;
