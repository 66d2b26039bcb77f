import type { StateCreator } from 'zustand/vanilla';

import type { AlignErrorData } from '../align/errors.ts';
import type {
  StoredModel,
  StoredModelKey,
  StoreReport,
  TransferEvent,
  TransferPlan,
  TransferRequest,
} from '../../workers/weights-protocol.ts';
import type { ConvertedModel } from '../worker-client/model-library.ts';
import type { AppDependencies, AppState } from './app-store.ts';
import { isAbort, toErrorData } from './error-data.ts';

type TransferProgress = Extract<TransferEvent, { type: 'transfer-progress' }>;

/** A model on its way into the browser, by what the visitor named it. */
export type Transfer =
  | { status: 'planning' }
  | { status: 'planned'; plan: TransferPlan; request: TransferRequest }
  | {
      status: 'running';
      request: TransferRequest;
      /** Undefined until the first bytes came. */
      progress: TransferProgress | undefined;
      /** Why nothing moves at the moment. */
      trouble: string | undefined;
    }
  | { status: 'failed'; error: AlignErrorData; request: TransferRequest };

type StoreState =
  | { status: 'loading' }
  /** `models` are those of the report as ones that can be loaded: made once, so that they stay the same objects. */
  | { status: 'ready'; report: StoreReport; models: readonly ConvertedModel[] }
  | { status: 'failed'; error: AlignErrorData };

/** What is done with a stored model at the moment, or was found by it. */
export type StoredModelTask =
  | { status: 'checking'; doneBytes: number; totalBytes: number }
  | { status: 'checked'; damaged: readonly string[] }
  | { status: 'exporting' }
  | { status: 'failed'; error: AlignErrorData };

export interface WeightsSlice {
  store: StoreState;
  /** By `TransferRequest.reference`. */
  transfers: Readonly<Record<string, Transfer>>;
  /** By {@link storedModelId}. */
  tasks: Readonly<Record<string, StoredModelTask>>;
  importing: { doneBytes: number; totalBytes: number } | undefined;
  importError: AlignErrorData | undefined;
  listStored: () => Promise<void>;
  /** Looks at what a model would take. */
  planTransfer: (request: TransferRequest) => Promise<void>;
  /** Begins, or goes on with one that was begun. @returns the model when it is stored */
  startTransfer: (request: TransferRequest) => Promise<ConvertedModel | undefined>;
  /** What came stays. */
  pauseTransfer: (reference: string) => Promise<void>;
  /** The plan is put aside; nothing of it was begun. */
  closeTransfer: (reference: string) => void;
  discardUnfinished: (key: StoredModelKey) => Promise<void>;
  removeStored: (key: StoredModelKey) => Promise<void>;
  verifyStored: (key: StoredModelKey) => Promise<void>;
  /** @returns the file, or undefined with the reason in `tasks` */
  exportStored: (key: StoredModelKey) => Promise<Blob | undefined>;
  importStored: (file: File) => Promise<void>;
  persistStore: () => Promise<boolean>;
}

export function storedModelId({ source, variant }: StoredModelKey): string {
  return `stored:${source}:${variant}`;
}

/** A stored model as one that can be loaded. */
function storedModel(model: StoredModel): ConvertedModel {
  const { name, source, revision, family, parameterCount, contextLength, variant, variantBytes } = model;
  return {
    id: storedModelId(model),
    name,
    source,
    revision,
    family,
    parameterCount,
    contextLength,
    variants: [{ variant, sizeBytes: variantBytes }],
    location: { kind: 'stored', source, variant },
  };
}

export function createWeightsSlice({ weights }: AppDependencies): StateCreator<AppState, [], [], WeightsSlice> {
  return (set, get) => {
    const setTransfer = (reference: string, transfer: Transfer | undefined) => {
      const { [reference]: _, ...others } = get().transfers;
      set({ transfers: transfer === undefined ? others : { ...others, [reference]: transfer } });
    };
    const setTask = (key: StoredModelKey, task: StoredModelTask | undefined) => {
      const { [storedModelId(key)]: _, ...others } = get().tasks;
      set({ tasks: task === undefined ? others : { ...others, [storedModelId(key)]: task } });
    };
    return {
      store: { status: 'loading' },
      transfers: {},
      tasks: {},
      importing: undefined,
      importError: undefined,

      async listStored() {
        try {
          const report = await weights.report();
          set({ store: { status: 'ready', report, models: report.models.map(storedModel) } });
        } catch (error) {
          set({ store: { status: 'failed', error: toErrorData(error) } });
        }
      },

      async planTransfer(request) {
        const { reference } = request;
        setTransfer(reference, { status: 'planning' });
        try {
          setTransfer(reference, { status: 'planned', plan: await weights.plan(request), request });
        } catch (error) {
          setTransfer(reference, { status: 'failed', error: toErrorData(error), request });
        }
      },

      async startTransfer(request) {
        const { reference } = request;
        const show = (progress: TransferProgress | undefined, trouble: string | undefined) =>
          setTransfer(reference, { status: 'running', request, progress, trouble });
        show(undefined, undefined);
        // The browser may refuse or ask; the transfer does not wait for it.
        void get().persistStore();
        try {
          const key = await weights.transfer(request, (event) => {
            const transfer = get().transfers[reference];
            if (transfer?.status !== 'running') return;
            if (event.type === 'transfer-retry') show(transfer.progress, event.message);
            else show(event, undefined);
          });
          await get().listStored();
          setTransfer(reference, undefined);
          const { store } = get();
          return store.status === 'ready' ? store.models.find(({ id }) => id === storedModelId(key)) : undefined;
        } catch (error) {
          await get().listStored();
          setTransfer(reference, isAbort(error) ? undefined : { status: 'failed', error: toErrorData(error), request });
          return undefined;
        }
      },

      async pauseTransfer(reference) {
        await weights.pause(reference);
      },

      closeTransfer(reference) {
        setTransfer(reference, undefined);
      },

      async discardUnfinished(key) {
        await weights.discard(key);
        await get().listStored();
      },

      async removeStored(key) {
        const { model } = get();
        if (model.status !== 'none' && model.model.id === storedModelId(key)) await get().unloadModel();
        await weights.remove(key);
        setTask(key, undefined);
        await get().listStored();
      },

      async verifyStored(key) {
        setTask(key, { status: 'checking', doneBytes: 0, totalBytes: 1 });
        try {
          const damaged = await weights.verify(key, ({ doneBytes, totalBytes }) =>
            setTask(key, { status: 'checking', doneBytes, totalBytes }),
          );
          setTask(key, { status: 'checked', damaged });
        } catch (error) {
          setTask(key, { status: 'failed', error: toErrorData(error) });
        }
      },

      async exportStored(key) {
        setTask(key, { status: 'exporting' });
        try {
          const file = await weights.exportModel(key);
          setTask(key, undefined);
          return file;
        } catch (error) {
          setTask(key, { status: 'failed', error: toErrorData(error) });
          return undefined;
        }
      },

      async importStored(file) {
        set({ importing: { doneBytes: 0, totalBytes: file.size }, importError: undefined });
        try {
          await weights.importModel(file, ({ doneBytes, totalBytes }) => set({ importing: { doneBytes, totalBytes } }));
        } catch (error) {
          set({ importError: toErrorData(error) });
        } finally {
          set({ importing: undefined });
          await get().listStored();
        }
      },

      async persistStore() {
        const isPersistent = await weights.persist();
        const { store } = get();
        if (store.status === 'ready') set({ store: { ...store, report: { ...store.report, isPersistent } } });
        return isPersistent;
      },
    };
  };
}
