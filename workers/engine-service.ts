import { align, type AlignerModel, encodePrompt } from '../src/align/align.ts';
import { AlignError } from '../src/align/errors.ts';
import { generateText } from '../src/align/generate-text.ts';
import { type AlignRequest, GREEDY } from '../src/align/request.ts';
import { lastingEngine } from '../src/engines/lasting-engine.ts';
import { EventChannel } from './event-channel.ts';
import type {
  ChatQuestion,
  DeviceReport,
  EngineWorkerApi,
  LoadedModelInfo,
  LoadEvent,
  LoadRequest,
  RunEvent,
  RunId,
} from './protocol.ts';

/** What the service needs of the machine. The worker gives it the real one. */
export interface EngineHost {
  probe(): Promise<DeviceReport>;
  /** @throws the signal's reason when it aborts; whatever it throws, nothing is left of the load */
  load(request: LoadRequest, onEvent: (event: LoadEvent) => void, signal: AbortSignal): Promise<HostedModel>;
}

export interface HostedModel {
  model: AlignerModel;
  info: LoadedModelInfo;
  /** A chat as the model's token ids, int32 [promptTokens]. */
  encodeChat: (messages: ChatQuestion['messages']) => Int32Array | Promise<Int32Array>;
}

/** A model that is loaded or on its way. */
interface Load {
  request: LoadRequest;
  aborter: AbortController;
  outcome: ReturnType<EngineHost['load']>;
  model: AlignerModel | undefined;
  /** Losses of its device since a run ended well. */
  lossesInARow: number;
}

/** So many losses in a row say that the device is no good: the CPU takes over. */
const LOSSES_BEFORE_CPU = 2;

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
    const current: Load = { request, aborter, outcome: start(), model: undefined, lossesInARow: 0 };
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

  async align(runId: RunId, request: AlignRequest, onEvent: (event: RunEvent) => void): Promise<void> {
    const events = new EventChannel(onEvent);
    const aborter = new AbortController();
    this.#runs.set(runId, aborter);
    const { signal } = aborter;
    const turn = this.#runsEnded;
    const run = (async () => {
      const load = this.#loaded();
      // A run that is cancelled in the queue ends at once: the engine is never asked, its signal is aborted already.
      await Promise.race([turn, aborted(signal)]);
      const engine = lastingEngine({
        current: () => load.model.engine,
        revive: async (loss) => events.send(await this.#revive(load, loss)),
      });
      for await (const event of align(request, { ...load.model, engine }, signal)) events.send(event);
      load.lossesInARow = 0;
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

  async ask(runId: RunId, { messages, temperature, seed, maxNewTokens }: ChatQuestion): Promise<string> {
    const aborter = new AbortController();
    this.#runs.set(runId, aborter);
    const { signal } = aborter;
    const turn = this.#runsEnded;
    const run = (async () => {
      const load = this.#loaded();
      await Promise.race([turn, aborted(signal)]);
      signal.throwIfAborted();
      const { encodeChat } = await load.outcome;
      const options = { maxNewTokens, sampling: { ...GREEDY, temperature, seed } };
      return (await generateText(await encodeChat(messages), load.model, options, signal)).text;
    })();
    this.#runsEnded = Promise.allSettled([turn, run]);
    try {
      return await run;
    } finally {
      this.#runs.delete(runId);
    }
  }

  async countPromptTokens(request: AlignRequest): Promise<number> {
    return encodePrompt(request, this.#loaded().model).length;
  }

  cancel(runId: RunId): void {
    this.#runs.get(runId)?.abort();
  }

  #loaded(): Load & { model: AlignerModel } {
    const load = this.#current;
    if (load?.model === undefined) throw new AlignError('invalid-request', 'No model is loaded yet; load one first.');
    return load as Load & { model: AlignerModel };
  }

  /**
   * Loads the model again, from where it was loaded, after its device went away.
   *
   * @throws as `EngineHost.load`; then there is no model
   */
  async #revive(load: Load, loss: AlignError): Promise<RunEvent> {
    load.lossesInARow += 1;
    const { aborter, request, lossesInARow } = load;
    const isGivingUp = lossesInARow >= LOSSES_BEFORE_CPU;
    // Its memory went with the device.
    await load.model?.engine.dispose().catch(() => {});
    try {
      load.outcome = this.#host.load(
        isGivingUp ? { ...request, device: 'wasm', variant: 'auto' } : request,
        () => {},
        aborter.signal,
      );
      const { model, info } = await load.outcome;
      load.model = model;
      const how = isGivingUp ? `${lossesInARow} times in a row, so the CPU takes over` : 'and started again';
      const message = `${loss.message.replace(/[.\s]*$/, '')}; it was lost ${how}.`;
      return { type: 'engine-restarted', info, message, lossesInARow };
    } catch (error) {
      if (this.#current === load) this.#current = undefined;
      if (aborter.signal.aborted) throw error;
      // Whoever hears of it has to know that the model is gone, not only why it did not come back.
      const why = error instanceof Error ? error.message : String(error);
      throw new AlignError(
        'device-lost',
        `${loss.message.replace(/[.\s]*$/, '')}, and it could not start again: ${why}`,
        {
          cause: error,
        },
      );
    }
  }

  #drop(reason: string): void {
    const dropped = this.#current;
    if (dropped === undefined) return;
    this.#current = undefined;
    dropped.aborter.abort(new DOMException(reason, 'AbortError'));
    for (const run of this.#runs.values()) run.abort();
    this.#previousGone = dropped.outcome.then(
      // Undefined where the load was not over: then what it gives is all there is.
      ({ model }) => (dropped.model ?? model).engine.dispose(),
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
