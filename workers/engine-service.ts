import { align, type AlignerModel, encodePrompt } from '../src/align/align.ts';
import type { AlignEvent } from '../src/align/edit.ts';
import { AlignError } from '../src/align/errors.ts';
import type { AlignRequest } from '../src/align/request.ts';
import { EventChannel } from './event-channel.ts';
import type { DeviceReport, EngineWorkerApi, LoadedModelInfo, LoadEvent, LoadRequest, RunId } from './protocol.ts';

/** What the service needs of the machine. The worker gives it the real one. */
export interface EngineHost {
  probe(): Promise<DeviceReport>;
  /** @throws the signal's reason when it aborts; whatever it throws, nothing is left of the load */
  load(
    request: LoadRequest,
    onEvent: (event: LoadEvent) => void,
    signal: AbortSignal,
  ): Promise<{ model: AlignerModel; info: LoadedModelInfo }>;
}

/** A model that is loaded or on its way. */
interface Load {
  aborter: AbortController;
  outcome: ReturnType<EngineHost['load']>;
  model: AlignerModel | undefined;
}

/**
 * One model at a time, one run at a time. A model that is replaced ends its runs as cancelled and is gone before the
 * next one starts to load: two of them would not fit.
 */
export class EngineService implements EngineWorkerApi {
  readonly #host: EngineHost;
  /** A load that failed is forgotten, so the next one starts afresh. */
  #current: Load | undefined;
  #previousGone: Promise<void> = Promise.resolve();
  readonly #runs = new Map<RunId, AbortController>();
  /** Ends when every run so far has. */
  #runsEnded: Promise<unknown> = Promise.resolve();

  constructor(host: EngineHost) {
    this.#host = host;
  }

  holdLock(name: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const held = navigator.locks.request(name, () => {
        resolve();
        return new Promise(() => {});
      });
      held.catch(reject);
    });
  }

  probe(): Promise<DeviceReport> {
    return this.#host.probe();
  }

  async load(request: LoadRequest, onEvent: (event: LoadEvent) => void): Promise<LoadedModelInfo> {
    const events = new EventChannel(onEvent);
    this.#drop('Another load has overtaken this one.');
    const aborter = new AbortController();
    const previousGone = this.#previousGone;
    this.#previousGone = Promise.resolve();
    const start = async () => {
      await previousGone;
      aborter.signal.throwIfAborted();
      return this.#host.load(request, (event) => events.send(event), aborter.signal);
    };
    const current: Load = { aborter, outcome: start(), model: undefined };
    this.#current = current;
    try {
      const { model, info } = await current.outcome;
      aborter.signal.throwIfAborted();
      current.model = model;
      await events.allArrived();
      return info;
    } catch (error) {
      if (this.#current === current) this.#current = undefined;
      throw aborter.signal.aborted ? aborter.signal.reason : error;
    } finally {
      events.release();
    }
  }

  async unload(): Promise<void> {
    this.#drop('The model was unloaded.');
    await this.#previousGone;
  }

  async align(runId: RunId, request: AlignRequest, onEvent: (event: AlignEvent) => void): Promise<void> {
    const events = new EventChannel(onEvent);
    const aborter = new AbortController();
    this.#runs.set(runId, aborter);
    const { signal } = aborter;
    const turn = this.#runsEnded;
    const run = (async () => {
      const model = this.#model();
      // A run that is cancelled in the queue ends at once: the engine is never asked, its signal is aborted already.
      await Promise.race([turn, aborted(signal)]);
      for await (const event of align(request, model, signal)) events.send(event);
      await events.allArrived();
    })();
    this.#runsEnded = Promise.allSettled([turn, run]);
    try {
      await run;
    } finally {
      this.#runs.delete(runId);
      events.release();
    }
  }

  async countPromptTokens(request: AlignRequest): Promise<number> {
    return encodePrompt(request, this.#model()).length;
  }

  cancel(runId: RunId): void {
    this.#runs.get(runId)?.abort();
  }

  #model(): AlignerModel {
    const model = this.#current?.model;
    if (model === undefined) throw new AlignError('invalid-request', 'No model is loaded yet; load one first.');
    return model;
  }

  #drop(reason: string): void {
    const dropped = this.#current;
    if (dropped === undefined) return;
    this.#current = undefined;
    dropped.aborter.abort(new DOMException(reason, 'AbortError'));
    for (const run of this.#runs.values()) run.abort();
    this.#previousGone = dropped.outcome.then(
      ({ model }) => model.engine.dispose(),
      // Whoever asked for it was told; a load that failed leaves nothing.
      () => {},
    );
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
