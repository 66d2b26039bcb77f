import type { StateCreator } from 'zustand/vanilla';

import type { Alignment, ModelUsed } from '../align/alignment.ts';
import type { AlignEvent } from '../align/edit.ts';
import type { AlignErrorCode, AlignErrorData } from '../align/errors.ts';
import { newId } from '../align/new-id.ts';
import { type AlignRequest, checkRequest } from '../align/request.ts';
import type { Decisions } from '../align/review.ts';
import type { ScoreReport } from '../align/scores.ts';
import type { HistoryEntry } from '../history/history-entry.ts';
import type { AppDependencies, AppState } from './app-store.ts';
import { toErrorData } from './error-data.ts';
import { FrameBatch } from './frame-batch.ts';
import type { ModelState } from './model-slice.ts';

type EventOf<Type extends AlignEvent['type']> = Omit<Extract<AlignEvent, { type: Type }>, 'type'>;

/** What a run may use, known once the prompt is tokenized. */
type RunStart = EventOf<'edit-start'>;

export interface RunPace {
  /** Of the first delta. */
  first: { editTokens: number; elapsedMs: number };
  latest: { editTokens: number; elapsedMs: number };
}

/** One alignment. `request` is what was sent: the draft may have changed since. */
export type Run =
  | { status: 'idle' }
  /** Without `start` the prompt is not tokenized yet, without `pace` no text came yet. */
  | {
      status: 'running';
      request: AlignRequest;
      edit: string;
      start: RunStart | undefined;
      /** Of the prompt. */
      readTokens: number;
      pace: RunPace | undefined;
      isStopping: boolean;
    }
  /** `id` is its entry's in the history. `start` is undefined for one that was opened from there. */
  | ({
      status: 'done';
      id: string;
      start: RunStart | undefined;
      decisions: Decisions;
      scores: ScoreReport | undefined;
    } & Alignment)
  /** `edit` is what had come before. */
  | { status: 'failed'; request: AlignRequest; edit: string; error: AlignErrorData };

export interface RunSlice {
  run: Run;
  /** Starts a run, and stops the one before. Resolves when it has ended, well or not. */
  startRun: (request: AlignRequest) => Promise<void>;
  /** The run ends as `cancelled` and keeps what it wrote. Harmless without one. */
  stopRun: () => void;
  /** A run that was kept, as it was left. A run that is on its way is stopped. */
  openRun: (entry: HistoryEntry) => void;
  /** What was decided on the edit's changes; kept in the history. */
  decide: (decisions: Decisions) => void;
  /** Back to `idle`. */
  clearRun: () => void;
}

/** After these the model is gone as well. */
const MODEL_LOST: readonly AlignErrorCode[] = ['device-lost', 'worker-crashed'];

export function createRunSlice({ client, scheduleFrame }: AppDependencies): StateCreator<AppState, [], [], RunSlice> {
  return (set, get) => {
    /** Of the run that is shown; events of any other are dropped. */
    let current: AbortController | undefined;
    return {
      run: { status: 'idle' },

      async startRun(request) {
        current?.abort();
        // They would hold the model up, or take its cores.
        get().stopScoring();
        const controller = new AbortController();
        current = controller;
        const isCurrent = () => current === controller;
        const usedNow = followModel(get().model);
        set({
          run: {
            status: 'running',
            request,
            edit: '',
            start: undefined,
            readTokens: 0,
            pace: undefined,
            isStopping: false,
          },
        });
        const events = new FrameBatch<AlignEvent>(scheduleFrame, (batch) => {
          if (isCurrent())
            set(({ run, model }) => {
              const used = usedNow(model);
              return { run: batch.reduce((before, event) => withEvent(before, event, used), run) };
            });
        });
        try {
          checkRequest(request);
          await client.align(request, (event) => events.push(event), controller.signal);
          events.flush();
          const { run } = get();
          if (!isCurrent()) return;
          if (run.status !== 'done') throw new Error('The engine ended a run without saying how; this is a bug.');
          const { status: _status, start: _start, decisions: _decisions, scores: _scores, ...alignment } = run;
          if (run.edit !== '') {
            await get().keepEntry({ ...alignment, createdAt: Date.now(), isPinned: false, decisions: [] });
          }
        } catch (error) {
          events.flush();
          if (!isCurrent()) return;
          const data = toErrorData(error);
          set(({ run }) => ({ run: { status: 'failed', request, edit: 'edit' in run ? run.edit : '', error: data } }));
          if (MODEL_LOST.includes(data.code)) get().failModel(error);
        }
      },

      stopRun() {
        if (get().run.status !== 'running') return;
        current?.abort();
        set(({ run }) => ({ run: run.status === 'running' ? { ...run, isStopping: true } : run }));
      },

      openRun(entry) {
        current?.abort();
        current = undefined;
        get().stopScoring();
        const { createdAt: _createdAt, isPinned: _isPinned, decisions, scores, ...alignment } = entry;
        set({ run: { status: 'done', start: undefined, decisions: new Map(decisions), scores, ...alignment } });
      },

      decide(decisions) {
        const { run } = get();
        if (run.status !== 'done') return;
        set({ run: { ...run, decisions } });
        void get().keepDecisions(run.id, decisions);
      },

      clearRun() {
        current?.abort();
        current = undefined;
        set({ run: { status: 'idle' } });
      },
    };
  };
}

/** The run after one more event. */
function withEvent(run: Run, event: AlignEvent, model: ModelUsed): Run {
  if (run.status !== 'running') return run;
  switch (event.type) {
    case 'edit-start': {
      const { type: _type, ...start } = event;
      return { ...run, start };
    }
    case 'prompt-progress':
      return { ...run, readTokens: event.readTokens };
    case 'edit-delta': {
      const { text, editTokens, elapsedMs } = event;
      const latest = { editTokens, elapsedMs };
      return { ...run, edit: run.edit + text, pace: { first: run.pace?.first ?? latest, latest } };
    }
    case 'edit-end': {
      const { edit, finishReason, usage, timings } = event;
      const { request, start } = run;
      const id = newId();
      const fresh = { decisions: new Map(), scores: undefined };
      return { status: 'done', id, model, request, start, ...fresh, edit, finishReason, usage, timings };
    }
    default:
      return event satisfies never;
  }
}

/** The model in the engine as a run names it. */
function modelUsed(state: ModelState): ModelUsed {
  if (state.status !== 'ready') throw new Error('A run needs a model that is loaded; this is a bug.');
  const { id, name, source, revision } = state.model;
  const { variant, device } = state.info;
  const where = state.info.device === 'server' ? { host: state.info.host } : {};
  return { id, name, source, revision, variant, device, ...where };
}

/**
 * Who writes a run: the model that is there at its start, on whichever device it is by the run's end. A device that was lost on
 * the way is not the one that wrote the end; a model that was chosen meanwhile, the same on another device too, wrote none of it.
 *
 * @returns the model as a run names it, of the state at its end
 */
export function followModel(atStart: ModelState): (now: ModelState) => ModelUsed {
  const usedAtStart = modelUsed(atStart);
  return (now) =>
    now.status === 'ready' && atStart.status === 'ready' && now.load === atStart.load ? modelUsed(now) : usedAtStart;
}

/** Tokens per second after the first delta, as `Timings.tokensPerSecond` counts. Undefined before the second. */
export function paceTokensPerSecond({ first, latest }: RunPace): number | undefined {
  const seconds = (latest.elapsedMs - first.elapsedMs) / 1000;
  return seconds > 0 ? (latest.editTokens - first.editTokens) / seconds : undefined;
}
