import type { StateCreator } from 'zustand/vanilla';

import type { Alignment, ModelUsed } from '../align/alignment.ts';
import type { AlignEvent } from '../align/edit.ts';
import type { AlignErrorData } from '../align/errors.ts';
import type { ObjectiveSet } from '../align/objective-sets.ts';
import { newId } from '../align/new-id.ts';
import { type AlignRequest, checkRequest } from '../align/request.ts';
import type { LoadRequest } from '../../workers/protocol.ts';
import type { ConvertedModel } from '../worker-client/model-library.ts';
import type { AppDependencies, AppState } from './app-store.ts';
import { toErrorData } from './error-data.ts';
import { FrameBatch } from './frame-batch.ts';
import { followModel } from './run-slice.ts';
import { hostOfModel } from './server-slice.ts';

type EndEvent = Extract<AlignEvent, { type: 'edit-end' }>;

type CellOutcome =
  | { status: 'waiting' }
  | { status: 'running'; editTokens: number }
  | { status: 'done'; alignment: Alignment }
  /** `skipped`: stopped before its turn. */
  | { status: 'skipped' }
  | { status: 'failed'; error: AlignErrorData };

/** One objective set on one model. */
export interface ComparisonCell {
  /** The history's id of its run. */
  id: string;
  set: ObjectiveSet;
  modelId: string;
  modelName: string;
  /** Of the server that runs it; undefined: it runs here. */
  host: string | undefined;
  outcome: CellOutcome;
}

/** One answer under several objective sets, on one model or several, one run after the other. */
export interface Comparison {
  request: AlignRequest;
  cells: readonly ComparisonCell[];
  isRunning: boolean;
}

export interface ComparisonSlice {
  comparison: Comparison | undefined;
  /**
   * Replaces the comparison before. Every finished run is kept in the history. Resolves when all have ended.
   *
   * @param request  its objectives are those of the first set; each set replaces them
   * @param models  each is loaded once, in this order; one that is loaded already comes first. Afterwards the first is in use
   *   again where the last one ran at a server
   */
  startComparison: (
    request: AlignRequest,
    sets: readonly ObjectiveSet[],
    models: readonly ConvertedModel[],
    choice: Pick<LoadRequest, 'device' | 'variant'>,
  ) => Promise<void>;
  /** The run that is on its way is given up, those after it are skipped, those before it stay. */
  stopComparison: () => void;
}

export function createComparisonSlice({
  client,
  scheduleFrame,
}: AppDependencies): StateCreator<AppState, [], [], ComparisonSlice> {
  return (set, get) => {
    let current: AbortController | undefined;
    return {
      comparison: undefined,

      async startComparison(request, sets, models, choice) {
        current?.abort();
        const controller = new AbortController();
        current = controller;
        const { signal } = controller;
        const cells: ComparisonCell[] = inOrder(models, get()).flatMap((model) =>
          sets.map((objectiveSet) => ({
            id: newId(),
            set: objectiveSet,
            modelId: model.id,
            modelName: model.name,
            host: hostOfModel(model),
            outcome: { status: 'waiting' as const },
          })),
        );
        set({ comparison: { request, cells, isRunning: true } });
        const show = (id: string, outcome: CellOutcome) => {
          if (current === controller) set(({ comparison }) => withOutcome(comparison, id, outcome));
        };

        try {
          for (const [i, model] of inOrder(models, get()).entries()) {
            const ofModel = cells.slice(i * sets.length, (i + 1) * sets.length);
            const ready = await isReady(model);
            for (const { id, set: objectiveSet } of ofModel) {
              // Unloaded or replaced meanwhile: nothing of it can be run.
              const { model: state } = get();
              const isHere = ready && state.status === 'ready' && state.model.id === model.id;
              if (signal.aborted) show(id, { status: 'skipped' });
              else if (!isHere) show(id, loadFailure());
              else await run(id, { ...request, objectives: objectiveSet.objectives });
            }
          }
          // The next Align is not sent to a server only because the comparison ended there. Going back loads nothing.
          const { model: after } = get();
          const [chosen] = models;
          const isAway = after.status === 'ready' && hostOfModel(after.model) !== undefined;
          if (current === controller && isAway && chosen !== undefined && hostOfModel(chosen) === undefined) {
            await get().loadModel(chosen, choice);
          }
        } finally {
          if (current === controller) {
            set(({ comparison }) => ({ comparison: comparison && { ...comparison, isRunning: false } }));
          }
        }

        async function isReady(model: ConvertedModel): Promise<boolean> {
          if (signal.aborted) return false;
          const { model: state } = get();
          return (
            (state.status === 'ready' && state.model.id === model.id) || (await get().loadModel(model, choice, signal))
          );
        }

        function loadFailure(): CellOutcome {
          const { model: state } = get();
          return state.status === 'failed' ? { status: 'failed', error: state.error } : { status: 'skipped' };
        }

        async function run(id: string, one: AlignRequest): Promise<void> {
          show(id, { status: 'running', editTokens: 0 });
          const usedNow = followModel(get().model);
          let end: EndEvent | undefined;
          const progress = new FrameBatch<number>(scheduleFrame, (counts) =>
            show(id, { status: 'running', editTokens: counts.at(-1) ?? 0 }),
          );
          try {
            checkRequest(one);
            await client.align(
              one,
              (event) => {
                if (event.type === 'edit-delta') progress.push(event.editTokens);
                if (event.type === 'edit-end') end = event;
              },
              signal,
            );
          } catch (error) {
            // A frame that is still to come would say that it runs.
            progress.flush();
            const data = toErrorData(error);
            show(id, { status: 'failed', error: data });
            if (data.code === 'device-lost' || data.code === 'worker-crashed') get().failModel(error);
            return;
          }
          progress.flush();
          const alignment = ended(one, usedNow(get().model), end);
          show(id, alignment === undefined ? { status: 'skipped' } : { status: 'done', alignment });
          if (alignment !== undefined) {
            await get().keepEntry({ ...alignment, id, createdAt: Date.now(), isPinned: false, decisions: [] });
          }
        }
      },

      stopComparison() {
        current?.abort();
      },
    };
  };
}

/** The model that is loaded comes first: it is not loaded twice. */
function inOrder(models: readonly ConvertedModel[], { model }: Pick<AppState, 'model'>): ConvertedModel[] {
  const loaded = model.status === 'ready' ? models.filter(({ id }) => id === model.model.id) : [];
  return [...loaded, ...models.filter((one) => !loaded.includes(one))];
}

/** @returns undefined for a run that was stopped */
function ended(request: AlignRequest, model: ModelUsed, end: EndEvent | undefined): Alignment | undefined {
  if (end === undefined || end.finishReason === 'cancelled') return undefined;
  const { edit, finishReason, usage, timings } = end;
  return { model, request, edit, finishReason, usage, timings };
}

function withOutcome(comparison: Comparison | undefined, id: string, outcome: CellOutcome): Partial<AppState> {
  if (comparison === undefined) return {};
  return {
    comparison: {
      ...comparison,
      cells: comparison.cells.map((cell) => (cell.id === id ? { ...cell, outcome } : cell)),
    },
  };
}
