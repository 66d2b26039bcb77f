import type { AlignEvent } from '../align/edit.ts';
import type { AlignError } from '../align/errors.ts';
import type { AlignRequest } from '../align/request.ts';
import type {
  ChatQuestion,
  DeviceReport,
  LoadedModelInfo,
  LoadEvent,
  LoadRequest,
  RunEvent,
} from '../../workers/protocol.ts';

export type EngineRestart = Omit<Extract<RunEvent, { type: 'engine-restarted' }>, 'type'>;

/** What the stores know of the engine: nothing of workers, Comlink or run ids. */
export interface EngineClient {
  probe(): Promise<DeviceReport>;
  /**
   * Replaces the model that was loaded.
   *
   * @throws an AbortError when another `load` or an `unload` overtakes it; AlignError when it failed
   */
  load(request: LoadRequest, onEvent: (event: LoadEvent) => void): Promise<LoadedModelInfo>;
  /** Frees the model; gives up a load that is on its way. Harmless without one. */
  unload(): Promise<void>;
  /**
   * Resolves after `edit-end`. An abort is no failure: the run ends with `cancelled`.
   *
   * @throws AlignError, before or after some deltas; nothing arrives through `onEvent` afterwards
   */
  align(request: AlignRequest, onEvent: (event: AlignEvent) => void, signal: AbortSignal): Promise<void>;
  /**
   * A reply of the loaded model in its own chat; waits its turn behind runs.
   *
   * @throws the signal's reason; AlignError
   */
  ask(question: ChatQuestion, signal: AbortSignal): Promise<string>;
  /** Token count of the prompt that the request would send, BOS included. Does not wait for a run. */
  countPromptTokens(request: AlignRequest): Promise<number>;
  /**
   * The engine died and lost its model; the next `load` starts a new one. Calls that were pending reject as well.
   *
   * @returns stops listening
   */
  onCrash(listener: (error: AlignError) => void): () => void;
  /**
   * The device went away and the engine runs on another, or on the same one anew; a run that was on its way goes on.
   *
   * @returns stops listening
   */
  onRestart(listener: (restart: EngineRestart) => void): () => void;
}
