import { AlignError, isDeviceFault } from '../align/errors.ts';
import { hostOf } from '../engines/server-call.ts';
import type { LoadedModelInfo, LoadRequest, ModelLocation } from '../../workers/protocol.ts';
import type {
  EngineClient,
  EngineRestart,
  LocalClient,
  ModelChoice,
  ServedModelInfo,
  ServerLocation,
} from '../worker-client/engine-client.ts';
import { stampOfFolder } from '../worker-client/folder-stamp.ts';
import type { ServerClient } from './server-client.ts';

/**
 * One client for models here and at servers. A server's model leaves what is loaded here in its place, so that going to and
 * fro loads nothing again.
 *
 * @param stampOf  changes when a folder is converted anew under its name; undefined where nothing tells
 */
export function createRoutedClient(
  local: LocalClient,
  servers: ServerClient,
  stampOf: (location: ModelLocation) => Promise<string | undefined> = stampOfFolder,
): EngineClient {
  /** What the engine here holds. */
  let held: Held | undefined;
  let inUse: ServerLocation | 'here' = 'here';
  /** A server's model was asked for since: going back is no wish for a fresh load. Whoever chooses a model anew here has one. */
  let mayGoBack = false;
  /** Of the model in use: its runs and its load end with it. */
  let term = new AbortController();
  const crashListeners = new Set<(error: AlignError) => void>();
  const restartListeners = new Set<(restart: EngineRestart) => void>();
  // What happens here is no matter of a model that runs elsewhere.
  local.onCrash((error) => {
    held = undefined;
    if (inUse === 'here') for (const listener of crashListeners) listener(error);
  });
  local.onRestart((restart) => {
    if (held !== undefined) held = { ...held, request: asRestarted(held, restart), info: restart.info };
    if (inUse === 'here') for (const listener of restartListeners) listener(restart);
  });

  function begin(reason: string): AbortSignal {
    term.abort(new DOMException(reason, 'AbortError'));
    term = new AbortController();
    return term.signal;
  }

  async function loadHere(request: LoadRequest, onEvent: Parameters<LocalClient['load']>[1], signal: AbortSignal) {
    inUse = 'here';
    const isBack = mayGoBack;
    mayGoBack = false;
    if (isBack && held !== undefined && isSame(held.request, request)) {
      const { info, stamp } = held;
      const [then, now] = await Promise.all([stamp, stampOf(request.location)]);
      signal.throwIfAborted();
      // It may have crashed meanwhile.
      if (held !== undefined && (then === undefined || now === undefined || now === then)) return info;
    }
    held = undefined;
    const stamp = stampOf(request.location);
    const info = await local.load(request, onEvent);
    signal.throwIfAborted();
    held = { request, info, stamp };
    return info;
  }

  async function connect(location: ServerLocation, signal: AbortSignal): Promise<ServedModelInfo> {
    mayGoBack = true;
    // A load that is on its way here is not wanted any more; a model that is here stays.
    if (inUse === 'here' && held === undefined) await local.unload();
    const models = await servers.models(location.url);
    signal.throwIfAborted();
    const host = hostOf(location.url);
    const model = models.find(({ id }) => id === location.modelId);
    if (model === undefined) {
      const known = models.map(({ id }) => id);
      throw new AlignError(
        'unknown-name',
        `${host} does not offer ${location.modelId} any more. It has ${known.join(', ')}.`,
        { details: { host, known } },
      );
    }
    inUse = location;
    const { variant, contextLength } = model;
    return { device: 'server', host, variant, contextLength };
  }

  return {
    probe: () => local.probe(),
    async load({ location, ...choice }: ModelChoice, onEvent) {
      const signal = begin('Another load has overtaken this one.');
      try {
        return await (location.kind === 'server'
          ? connect(location, signal)
          : loadHere({ ...choice, location }, onEvent, signal));
      } catch (error) {
        throw signal.aborted ? signal.reason : error;
      }
    },
    async unload() {
      begin('The model was unloaded.');
      inUse = 'here';
      held = undefined;
      await local.unload();
    },
    async align(request, onEvent, signal) {
      const either = AbortSignal.any([signal, term.signal]);
      if (inUse !== 'here') return servers.align(inUse, request, onEvent, either);
      try {
        await local.align(request, onEvent, either);
      } catch (error) {
        // What broke once is not handed out again as if it were whole.
        if (error instanceof AlignError && isDeviceFault(error)) held = undefined;
        throw error;
      }
    },
    async ask(question, signal) {
      if (inUse === 'here') return local.ask(question, AbortSignal.any([signal, term.signal]));
      throw new AlignError(
        'invalid-request',
        `The model at ${hostOf(inUse.url)} is not asked for scores. Load one here, or give the judge its own address.`,
      );
    },
    async countPromptTokens(request) {
      if (inUse === 'here') return local.countPromptTokens(request);
      throw new AlignError('invalid-request', `Nothing is sent to ${hostOf(inUse.url)} to be counted.`);
    },
    onCrash(listener) {
      crashListeners.add(listener);
      return () => crashListeners.delete(listener);
    },
    onRestart(listener) {
      restartListeners.add(listener);
      return () => restartListeners.delete(listener);
    },
  };
}

interface Held {
  request: LoadRequest;
  info: LoadedModelInfo;
  stamp: Promise<string | undefined>;
}

/** What would have to be asked for to get what runs now: whoever asks for the device that went away gets it anew. */
function asRestarted(
  { request, info }: { request: LoadRequest; info: LoadedModelInfo },
  restart: EngineRestart,
): LoadRequest {
  const { device } = restart.info;
  return device === info.device || device === 'cpu' ? request : { ...request, device, variant: 'auto' };
}

function isSame(one: LoadRequest, other: LoadRequest): boolean {
  return one.device === other.device && one.variant === other.variant && isSamePlace(one.location, other.location);
}

function isSamePlace(one: ModelLocation, other: ModelLocation): boolean {
  switch (one.kind) {
    case 'url':
      return other.kind === 'url' && one.baseUrl === other.baseUrl;
    case 'stored':
      return other.kind === 'stored' && one.source === other.source && one.variant === other.variant;
    case 'files':
      // Picked anew it may be another folder of the same name.
      return other.kind === 'files' && one.files === other.files;
    default:
      return one satisfies never;
  }
}
