import type { StateCreator } from 'zustand/vanilla';

import { AlignError, type AlignErrorData } from '../align/errors.ts';
import type { LoadEvent, LoadRequest } from '../../workers/protocol.ts';
import type { EngineRestart, ReadyModelInfo } from '../worker-client/engine-client.ts';
import type { ConvertedModel } from '../worker-client/model-library.ts';
import type { AppDependencies, AppState } from './app-store.ts';
import { isAbort, toErrorData } from './error-data.ts';
import { FrameBatch } from './frame-batch.ts';

type LoadProgress = Omit<Extract<LoadEvent, { type: 'load-progress' }>, 'type'>;

/** The model in the engine. */
export type ModelState =
  | { status: 'none' }
  /** `progress` is undefined until the first bytes came. */
  | { status: 'loading'; model: ConvertedModel; progress: LoadProgress | undefined; notes: readonly string[] }
  | {
      status: 'ready';
      model: ConvertedModel;
      info: ReadyModelInfo;
      notes: readonly string[];
      /** Which of this page's loads it came by: a model that is loaded again is another one to a run. */
      load: number;
      /** So many times in a row its device had gone away when it did last. */
      losses: number;
      /** The last of them. */
      lossError: AlignErrorData | undefined;
    }
  | { status: 'failed'; model: ConvertedModel; error: AlignErrorData };

/** On what a model is to run, and in which form; a server's runs as the server has it. */
export type Wish = Pick<LoadRequest, 'device' | 'variant'>;

export interface ModelSlice {
  model: ModelState;
  /**
   * Replaces the model in the engine; a run on it is stopped first.
   *
   * @param choice.variant  one that the model does not have counts as `auto`
   * @param signal  gives the load up
   * @returns whether the model is ready; not when it failed, was given up, or another load overtook it
   */
  loadModel: (model: ConvertedModel, choice: Wish, signal?: AbortSignal) => Promise<boolean>;
  /** Frees the model, or gives up the load that is on its way. */
  unloadModel: () => Promise<void>;
  /** It runs on another device, or anew; what is shown of it follows. */
  noteRestart: (restart: EngineRestart) => void;
  /** The model is lost and says why; the next load starts afresh. */
  failModel: (error: unknown) => void;
}

export function createModelSlice({
  client,
  scheduleFrame,
}: AppDependencies): StateCreator<AppState, [], [], ModelSlice> {
  return (set, get) => {
    let latestLoad = 0;
    return {
      model: { status: 'none' },

      async loadModel(model, { device, variant }, signal) {
        if (signal?.aborted) return false;
        const load = ++latestLoad;
        const giveUp = () => void (load === latestLoad && get().unloadModel());
        signal?.addEventListener('abort', giveUp);
        get().stopRun();
        set({ model: { status: 'loading', model, progress: undefined, notes: [] } });
        const notes: string[] = [];
        const events = new FrameBatch<LoadEvent>(scheduleFrame, (batch) => {
          if (load !== latestLoad || get().model.status !== 'loading') return;
          let progress = loadProgress(get().model);
          for (const event of batch) {
            if (event.type === 'load-note') notes.push(event.message);
            else progress = event;
          }
          set({ model: { status: 'loading', model, progress, notes: [...notes] } });
        });
        try {
          const hasVariant = model.variants.some((offered) => offered.variant === variant);
          const info = await client.load(
            { location: model.location, device, variant: hasVariant ? variant : 'auto' },
            (event) => events.push(event),
          );
          if (load !== latestLoad) return false;
          events.flush();
          set({ model: { status: 'ready', model, info, notes, load, losses: 0, lossError: undefined } });
          return true;
        } catch (error) {
          if (load !== latestLoad) return false;
          if (isAbort(error)) set({ model: { status: 'none' } });
          else get().failModel(error);
          return false;
        } finally {
          signal?.removeEventListener('abort', giveUp);
        }
      },

      async unloadModel() {
        latestLoad += 1;
        get().stopRun();
        set({ model: { status: 'none' } });
        try {
          await client.unload();
        } catch (error) {
          // The page has let go of the model already; only a bug can be behind this.
          console.error(error);
        }
      },

      noteRestart({ info, message, lossesInARow: losses }) {
        const lossError = new AlignError('device-lost', message).toJSON();
        set(({ model }) =>
          model.status === 'ready'
            ? { model: { ...model, info, notes: [...model.notes, message], losses, lossError } }
            : {},
        );
      },

      failModel(error) {
        const state = get().model;
        if (state.status === 'none') return;
        latestLoad += 1;
        set({ model: { status: 'failed', model: state.model, error: toErrorData(error) } });
      },
    };
  };
}

function loadProgress(state: ModelState): LoadProgress | undefined {
  return state.status === 'loading' ? state.progress : undefined;
}
