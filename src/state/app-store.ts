import { createStore, type StoreApi } from 'zustand/vanilla';

import type { RowState } from '../batch/page-batch.ts';
import type { BatchStore } from '../history/batch-store.ts';
import type { HistoryStore } from '../history/history-store.ts';
import type { ServerClient } from '../server-client/server-client.ts';
import type { EngineClient } from '../worker-client/engine-client.ts';
import type { EvaluationClient } from '../worker-client/evaluation-client.ts';
import type { ModelLibrary } from '../worker-client/model-library.ts';
import type { JudgeClient } from '../worker-client/judge-client.ts';
import type { RowsClient } from '../worker-client/rows-client.ts';
import type { ScoresClient } from '../worker-client/scores-client.ts';
import type { WeightsClient } from '../worker-client/weights-client.ts';
import { type BatchJob, type BatchSlice, createBatchSlice } from './batch-slice.ts';
import { type ComparisonSlice, createComparisonSlice } from './comparison-slice.ts';
import { createDataSlice, type DataSlice } from './data-slice.ts';
import { createDeviceSlice, type DeviceSlice } from './device-slice.ts';
import { createEvaluationSlice, type EvaluationSlice } from './evaluation-slice.ts';
import { createHistorySlice, type HistorySlice } from './history-slice.ts';
import { createLibrarySlice, type LibrarySlice } from './library-slice.ts';
import { createModelSlice, type ModelSlice } from './model-slice.ts';
import { PacedFrames } from './paced-frames.ts';
import { createProgramSlice, type ProgramSlice } from './program-slice.ts';
import { createPromptSlice, type PromptSlice } from './prompt-slice.ts';
import { createRunSlice, type RunSlice } from './run-slice.ts';
import type { ServerKeys } from './server-keys.ts';
import { createServerSlice, type ServerSlice } from './server-slice.ts';
import { createStandInSlice, type StandInSlice } from './stand-in-slice.ts';
import { createScoresSlice, type ScoresSlice } from './scores-slice.ts';
import { createWeightsSlice, type WeightsSlice } from './weights-slice.ts';

/** Whether what the visitor writes outlives the page. */
interface SavingSlice {
  /** A write to the browser's storage failed since the page was opened. */
  isUnsaved: boolean;
  reportUnsaved: () => void;
}

export type AppState = BatchSlice &
  ComparisonSlice &
  DataSlice &
  DeviceSlice &
  EvaluationSlice &
  HistorySlice &
  LibrarySlice &
  ModelSlice &
  ProgramSlice &
  PromptSlice &
  RunSlice &
  SavingSlice &
  ServerSlice &
  StandInSlice &
  ScoresSlice &
  WeightsSlice;
export type AppStore = StoreApi<AppState>;

/** What the slices reach of the world outside the store. */
export interface AppDependencies {
  client: EngineClient;
  library: ModelLibrary;
  weights: WeightsClient;
  scores: ScoresClient;
  judge: JudgeClient;
  history: HistoryStore;
  batches: BatchStore<BatchJob, RowState>;
  rows: RowsClient;
  servers: ServerClient;
  serverKeys: ServerKeys;
  /** Of the page: its own server's address. */
  pageOrigin: string;
  evaluations: EvaluationClient;
  /** Runs the callback before a frame is drawn; bursts of events are shown once per frame. */
  scheduleFrame: (callback: () => void) => void;
  /** Milliseconds of a monotonic clock. */
  now: () => number;
  /** @throws the signal's reason */
  wait: (ms: number, signal: AbortSignal) => Promise<void>;
}

function waitBy(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason instanceof Error ? signal.reason : new DOMException('Stopped.', 'AbortError'));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal.addEventListener('abort', stop, { once: true });
  });
}

/** Those that the browser itself is behind. */
type Clockwork = 'scheduleFrame' | 'now' | 'wait';

/** Nothing of it outlives the page: see settings-store.ts, draft-store.ts and src/history/ for what does. */
export function createAppStore(given: Omit<AppDependencies, Clockwork> & Partial<AppDependencies>): AppStore {
  const frames = new PacedFrames();
  const dependencies: AppDependencies = {
    scheduleFrame: (callback) => frames.schedule(callback),
    now: () => performance.now(),
    wait: waitBy,
    ...given,
  };
  const { client, history } = dependencies;
  const store = createStore<AppState>()((...store) => ({
    ...createBatchSlice(dependencies)(...store),
    ...createComparisonSlice(dependencies)(...store),
    ...createDataSlice(dependencies)(...store),
    ...createDeviceSlice(dependencies)(...store),
    ...createEvaluationSlice(dependencies)(...store),
    ...createHistorySlice(dependencies)(...store),
    ...createLibrarySlice(dependencies)(...store),
    ...createModelSlice(dependencies)(...store),
    ...createProgramSlice(...store),
    ...createPromptSlice(dependencies)(...store),
    ...createRunSlice(dependencies)(...store),
    ...createServerSlice(dependencies)(...store),
    ...createStandInSlice(dependencies)(...store),
    ...createScoresSlice(dependencies)(...store),
    ...createWeightsSlice(dependencies)(...store),
    isUnsaved: false,
    reportUnsaved: () => store[0]({ isUnsaved: true }),
  }));
  history.onChange(() => void store.getState().loadHistory());
  client.onRestart((restart) => store.getState().noteRestart(restart));
  client.onCrash((error) => store.getState().failModel(error));
  return store;
}
