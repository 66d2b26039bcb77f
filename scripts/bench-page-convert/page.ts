import { wrap } from 'comlink';
import { createWeightsClient } from '../../src/worker-client/weights-client.ts';
import type { StoredModelKey, TransferRequest } from '../../workers/weights-protocol.ts';
import type { WarmStartOptions, WarmStartWorker } from './ours.worker.ts';

/** Called by `bench-page-convert.ts`. */
export const bench = {
  async convert(request: TransferRequest): Promise<{ key: StoredModelKey; seconds: number; keptBytes: number }> {
    const weights = createWeightsClient();
    const startMs = performance.now();
    const key = await weights.transfer(request, () => {});
    const seconds = (performance.now() - startMs) / 1000;
    const { models } = await weights.report();
    const model = models.find(({ source, variant }) => source === key.source && variant === key.variant);
    return { key, seconds, keptBytes: model?.sizeBytes ?? 0 };
  },
  /** In a worker of its own, as a page would have it. @returns milliseconds to the first token */
  startOurs: (options: WarmStartOptions) =>
    wrap<WarmStartWorker>(new Worker(new URL('./ours.worker.ts', import.meta.url), { type: 'module' })).start(options),
  startTheirs: (options: WarmStartOptions) =>
    wrap<WarmStartWorker>(
      new Worker(new URL('./transformers-js.worker.ts', import.meta.url), { type: 'module' }),
    ).start(options),
};

declare global {
  interface Window {
    pageConvert: typeof bench;
  }
}
window.pageConvert = bench;
