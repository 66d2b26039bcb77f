import type { AppState, AppStore } from './app-store.ts';

/**
 * Resolves when the visitor waits for nothing: no model is on its way and nothing runs.
 *
 * @param leastMs  not before that long: who comes to the page may press Load at once
 */
export async function whenAtRest(
  app: AppStore,
  leastMs: number,
  wait: (ms: number) => Promise<unknown> = (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
): Promise<void> {
  await wait(leastMs);
  if (isAtRest(app.getState())) return;
  await new Promise<void>((resolve) => {
    const stop = app.subscribe((state) => {
      if (!isAtRest(state)) return;
      stop();
      resolve();
    });
  });
}

function isAtRest({ model, run, comparison, batch }: AppState): boolean {
  const isBatchRunning = batch.status === 'ready' && batch.activity !== 'resting';
  return model.status !== 'loading' && run.status !== 'running' && comparison?.isRunning !== true && !isBatchRunning;
}
