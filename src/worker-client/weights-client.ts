import { proxy } from 'comlink';
import type {
  CheckEvent,
  StoredModelKey,
  StoreReport,
  TransferEvent,
  TransferPlan,
  TransferRequest,
  WeightsWorkerApi,
} from '../../workers/weights-protocol.ts';
import { createWorkerCalls } from './worker-calls.ts';

/** What the stores know of getting and keeping models; see `WeightsWorkerApi` for each. */
export interface WeightsClient {
  report(): Promise<StoreReport>;
  plan(request: TransferRequest): Promise<TransferPlan>;
  transfer(request: TransferRequest, onEvent: (event: TransferEvent) => void): Promise<StoredModelKey>;
  pause(reference: string): Promise<void>;
  discard(key: StoredModelKey): Promise<void>;
  remove(key: StoredModelKey): Promise<void>;
  verify(key: StoredModelKey, onEvent: (event: CheckEvent) => void): Promise<string[]>;
  exportModel(key: StoredModelKey): Promise<Blob>;
  importModel(file: File, onEvent: (event: CheckEvent) => void): Promise<StoredModelKey[]>;
  /** Asks the browser not to delete the site's data by itself. @returns whether it agreed */
  persist(): Promise<boolean>;
}

function startWeightsWorker(): Worker {
  return new Worker(new URL('../../workers/weights.worker.ts', import.meta.url), { type: 'module', name: 'weights' });
}

/** The weights' worker, started by the first call; a crash rejects what was pending, and the next call starts another. */
export function createWeightsClient(startWorker: () => Worker = startWeightsWorker): WeightsClient {
  const { call } = createWorkerCalls<WeightsWorkerApi>(startWorker, 'The download’s', () => {
    // Whoever waited was told.
  });
  return {
    report: () => call((api) => api.report()),
    plan: (request) => call((api) => api.plan(request)),
    transfer: (request, onEvent) => call((api) => api.transfer(request, proxy(onEvent))),
    pause: (reference) => call((api) => api.pause(reference)),
    discard: (key) => call((api) => api.discard(key)),
    remove: (key) => call((api) => api.remove(key)),
    verify: (key, onEvent) => call((api) => api.verify(key, proxy(onEvent))),
    exportModel: (key) => call((api) => api.exportModel(key)),
    importModel: (file, onEvent) => call((api) => api.importModel(file, proxy(onEvent))),
    // Workers cannot ask for it.
    persist: async () => (await navigator.storage?.persist?.()) ?? false,
  };
}
