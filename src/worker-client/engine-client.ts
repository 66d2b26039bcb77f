import type { AlignEvent } from '../align/edit.ts';
import type { AlignError } from '../align/errors.ts';
import type { AlignRequest } from '../align/request.ts';
import type { Variant } from '../align/variant.ts';
import type {
  ChatQuestion,
  DeviceReport,
  LoadedModelInfo,
  LoadEvent,
  LoadRequest,
  ModelLocation,
  RunEvent,
} from '../../workers/protocol.ts';

export type EngineRestart = Omit<Extract<RunEvent, { type: 'engine-restarted' }>, 'type'>;

/** A model that a server runs: whatever is aligned with it is sent there. */
export interface ServerLocation {
  kind: 'server';
  /** Before `/v1`, without a slash at its end. */
  url: string;
  /** As the server names it. */
  modelId: string;
}

/** Where a model is: its files, to be run here, or the server that runs it. */
export type AnyLocation = ModelLocation | ServerLocation;

export type ModelChoice = Omit<LoadRequest, 'location'> & { location: AnyLocation };

/** What is known of a model that a server runs. */
export interface ServedModelInfo {
  device: 'server';
  /** Name and port: who gets the texts. */
  host: string;
  /** Undefined where the server does not tell. */
  variant: Variant | undefined;
  /** Undefined where the server does not tell. */
  contextLength: number | undefined;
}

export type ReadyModelInfo = LoadedModelInfo | ServedModelInfo;

/** What the stores know of the engine: nothing of workers, Comlink, HTTP or run ids. */
export interface EngineClient {
  probe(): Promise<DeviceReport>;
  /**
   * Takes another model into use, here or at a server. One that is loaded here is replaced by the next one here only, so
   * that coming back from a server's takes no time.
   *
   * @throws an AbortError when another `load` or an `unload` overtakes it; AlignError when it failed
   */
  load(request: ModelChoice, onEvent: (event: LoadEvent) => void): Promise<ReadyModelInfo>;
  /** Frees the model; gives up a load that is on its way. Harmless without one. */
  unload(): Promise<void>;
  /**
   * Resolves after `edit-end`. An abort is no failure: the run ends with `cancelled`.
   *
   * @throws AlignError, before or after some deltas; nothing arrives through `onEvent` afterwards
   */
  align(request: AlignRequest, onEvent: (event: AlignEvent) => void, signal: AbortSignal): Promise<void>;
  /**
   * A reply of the model in its own chat; waits its turn behind runs.
   *
   * @throws the signal's reason; AlignError, `invalid-request` for a server's model
   */
  ask(question: ChatQuestion, signal: AbortSignal): Promise<string>;
  /**
   * Token count of the prompt that the request would send, BOS included. Does not wait for a run.
   *
   * @throws AlignError `invalid-request` for a server's model: nothing is sent to be counted
   */
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

/** The engine of this page alone. */
export interface LocalClient extends Omit<EngineClient, 'load'> {
  /** As {@link EngineClient.load}; replaces the model that was loaded. */
  load(request: LoadRequest, onEvent: (event: LoadEvent) => void): Promise<LoadedModelInfo>;
}
