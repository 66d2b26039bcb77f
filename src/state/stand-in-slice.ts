import type { StateCreator } from 'zustand/vanilla';

import { type AlignErrorData, isDeviceFault } from '../align/errors.ts';
import type { ConvertedModel } from '../worker-client/model-library.ts';
import type { AppDependencies, AppState } from './app-store.ts';
import type { Wish } from './model-slice.ts';
import { hostOfModel, type KnownServer } from './server-slice.ts';

/** A model of this device in whose place a server's is used. */
export interface StandIn {
  /** The visitor's own choice. */
  model: ConvertedModel;
  /** Why it does not run here. */
  error: AlignErrorData;
  /** How often it was tried since it was chosen. */
  tries: number;
  /** It is tried again when the visitor aligns after this, milliseconds of `now`. */
  nextTryMs: number;
}

/** What a visitor agreed to, with what a load needs. */
export interface StandInWish extends Wish {
  /** The server that may be used when this device cannot run a model; undefined: none. */
  fallbackServer: string | undefined;
}

export interface StandInSlice {
  standIn: StandIn | undefined;
  /**
   * Loads the model that the visitor chose; where this device cannot run it, the one that stands in for it at the server that
   * the visitor agreed to.
   *
   * @returns whether either is ready
   */
  chooseModel: (model: ConvertedModel, wish: StandInWish) => Promise<boolean>;
  /**
   * Makes ready what the visitor chose, before a run: tries a model again that a server stands in for, when it is time to; lets
   * a server stand in for one whose device keeps going away.
   *
   * @returns whether it is ready
   */
  readyModel: (model: ConvertedModel, wish: StandInWish) => Promise<boolean>;
  /** Uses a server's model in the place of the one that is chosen, which failed. @returns whether it is ready */
  takeStandIn: (substitute: ConvertedModel, wish: Wish) => Promise<boolean>;
  /** After a run that failed: as {@link chooseModel} after a load that did. @returns whether a server stands in now */
  standInAfterRun: (wish: StandInWish) => Promise<boolean>;
}

/** So many losses of a device in a row say that it is no good. */
export const LOSSES_TO_STAND_IN = 2;

/** A device may come back: other tabs are closed, a driver recovers. Each failure doubles the wait. */
const FIRST_RETRY_MS = 120_000;
const LAST_RETRY_MS = 3_600_000;

/**
 * What a server has in the place of a model: the same by its name, else one of its family.
 *
 * @returns undefined where only the visitor can tell
 */
export function substituteFor(
  model: ConvertedModel,
  servers: readonly KnownServer[],
  url?: string,
): ConvertedModel | undefined {
  if (model.location.kind === 'server') return undefined;
  const offered = servers.filter((server) => url === undefined || server.url === url).flatMap(({ models }) => models);
  const names = [model.id, model.name, model.source].map(bareName);
  return (
    offered.find(({ source }) => names.includes(bareName(source))) ??
    offered.find(({ family }) => family !== undefined && family === model.family)
  );
}

function bareName(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1).toLowerCase();
}

export function createStandInSlice({ now }: AppDependencies): StateCreator<AppState, [], [], StandInSlice> {
  return (set, get) => {
    /** What failed on this device, and is the visitor's choice. */
    const failure = (): Pick<StandIn, 'model' | 'error'> | undefined => {
      const { model: state } = get();
      if (state.status === 'failed' && isDeviceFault(state.error)) return { model: state.model, error: state.error };
      const isUnsound = state.status === 'ready' && state.lossError !== undefined && state.losses >= LOSSES_TO_STAND_IN;
      return isUnsound && state.lossError !== undefined ? { model: state.model, error: state.lossError } : undefined;
    };
    /** The engine may have failed in a run alone, and its model seem to be there. */
    const failureOfRun = (): Pick<StandIn, 'model' | 'error'> | undefined => {
      const { model: state, run } = get();
      if (state.status !== 'ready' || hostOfModel(state.model) !== undefined) return undefined;
      return run.status === 'failed' && isDeviceFault(run.error) ? { model: state.model, error: run.error } : undefined;
    };
    /** Rather than that its load was overtaken by another, or given up. */
    const hasFailed = (model: ConvertedModel) => {
      const { model: state } = get();
      return state.status === 'failed' && state.model === model;
    };
    /** Where the visitor agreed. */
    const standInIfAgreed = async (wish: StandInWish): Promise<boolean> => {
      const failed = failure();
      if (failed === undefined || wish.fallbackServer === undefined) return false;
      const substitute = substituteFor(failed.model, get().servers, wish.fallbackServer);
      return substitute === undefined ? false : get().takeStandIn(substitute, wish);
    };
    return {
      standIn: undefined,

      async chooseModel(model, wish) {
        if (get().standIn?.model !== model) set({ standIn: undefined });
        const isReady = await get().loadModel(model, wish);
        // Where the visitor has chosen another meanwhile, that one is none of this call's.
        if (!isReady) return hasFailed(model) && standInIfAgreed(wish);
        set({ standIn: undefined });
        return true;
      },

      async readyModel(model, wish) {
        const { model: state, standIn } = get();
        if (state.status !== 'ready') return get().chooseModel(model, wish);
        if (standIn !== undefined && now() >= standIn.nextTryMs) return get().chooseModel(standIn.model, wish);
        if (failure() !== undefined) await standInIfAgreed(wish);
        return get().model.status === 'ready';
      },

      async takeStandIn(substitute, wish) {
        const failed = failure() ?? failureOfRun();
        const { standIn: before } = get();
        const { model: state } = get();
        const isReady = await get().loadModel(substitute, wish);
        if (failed === undefined) return isReady;
        if (!isReady) {
          // The visitor has chosen meanwhile, or let go.
          if (!hasFailed(substitute)) return false;
          set({ standIn: undefined });
          const { model: after } = get();
          // What runs here, however badly, is better than a server that does not answer.
          if (state.status === 'ready') {
            const isOnCpu = state.info.device === 'wasm';
            return get().loadModel(failed.model, isOnCpu ? { device: 'wasm', variant: 'auto' } : wish);
          }
          if (after.status === 'failed') set({ model: { ...after, model: failed.model } });
          return false;
        }
        const tries = before?.model === failed.model ? before.tries + 1 : 1;
        const waitMs = Math.min(FIRST_RETRY_MS * 2 ** (tries - 1), LAST_RETRY_MS);
        set({ standIn: { ...failed, tries, nextTryMs: now() + waitMs } });
        return true;
      },

      async standInAfterRun(wish) {
        const failed = failure() ?? failureOfRun();
        if (get().run.status !== 'failed' || failed === undefined || wish.fallbackServer === undefined) return false;
        const substitute = substituteFor(failed.model, get().servers, wish.fallbackServer);
        return substitute === undefined ? false : get().takeStandIn(substitute, wish);
      },
    };
  };
}

/** The server that is used in the place of a model, and why; undefined where none is. */
export function standInFacts({ standIn, model }: Pick<AppState, 'standIn' | 'model'>): StandIn | undefined {
  return model.status !== 'none' && hostOfModel(model.model) !== undefined ? standIn : undefined;
}
