import { type Remote, wrap } from 'comlink';
import type { StepsOptions, StepsResult } from './steps.ts';
import type { TrialOptions, TrialResult, TrialWorker } from './trial.worker.ts';

/** Each trial has a worker of its own: ORT keeps some of what it was told until its realm ends. */
async function inWorker<Result>(use: (worker: Remote<TrialWorker>) => Promise<Result>): Promise<Result> {
  const worker = new Worker(new URL('./trial.worker.ts', import.meta.url), { type: 'module' });
  try {
    return await use(wrap<TrialWorker>(worker));
  } finally {
    worker.terminate();
  }
}

const measureWebGpu = {
  calls: (options: TrialOptions): Promise<TrialResult> => inWorker((worker) => worker.measure(options)),
  steps: (options: StepsOptions): Promise<StepsResult> => inWorker((worker) => worker.steps(options)),
};

declare global {
  interface Window {
    measureWebGpu: typeof measureWebGpu;
  }
}
window.measureWebGpu = measureWebGpu;
