import type { StateCreator } from 'zustand/vanilla';

import { CATALOGUE } from '../align/catalogue.ts';
import { AlignError, type AlignErrorData } from '../align/errors.ts';
import { isSendableKey, UNSENDABLE_KEY } from '../batch/post-with-back-off.ts';
import { isLoopbackHost, parseServerAddress } from '../server-client/server-address.ts';
import type { OfferedModel } from '../server-client/server-client.ts';
import type { ConvertedModel } from '../worker-client/model-library.ts';
import type { AppDependencies, AppState } from './app-store.ts';
import { toErrorData } from './error-data.ts';

/** A server whose models the page may use. */
export interface KnownServer {
  /** Before `/v1`. */
  url: string;
  /** Name and port. */
  host: string;
  /** The one that the page came from: it needs no address. */
  isOwn: boolean;
  status: 'checking' | 'ready' | 'failed';
  /** As of the last check that went well: they stay while another is on its way. */
  models: readonly ConvertedModel[];
  /** Why the last check failed. */
  error: AlignErrorData | undefined;
  /** Whether there is one for it, and how long it stays. */
  key: 'none' | 'tab' | 'remembered';
}

export interface ServerSlice {
  /** The page's own first. */
  servers: readonly KnownServer[];
  /** An address is being tried. */
  isConnecting: boolean;
  /** Why the address or the key that was entered last does not do. */
  connectError: AlignErrorData | undefined;
  /** Asks a known server, or one that becomes known by it, what it offers. */
  checkServer: (url: string, isOwn?: boolean) => Promise<void>;
  /** All of them again. */
  checkServers: () => Promise<void>;
  /**
   * Tries an address and a key; only what works replaces what was there before.
   *
   * @param key  empty: the one that is kept for that address, if there is one
   * @returns the server's address in its one form; undefined with `connectError` set
   */
  connectServer: (address: string, key: string, remembersKey: boolean) => Promise<string | undefined>;
  /** Its models are gone from the page, and its key from the browser. */
  forgetServer: (url: string) => Promise<void>;
}

export function createServerSlice({
  servers: client,
  serverKeys,
}: AppDependencies): StateCreator<AppState, [], [], ServerSlice> {
  return (set, get) => {
    const put = (state: Omit<KnownServer, 'host' | 'key'>) =>
      set(({ servers }) => {
        const { url } = state;
        const key = serverKeys.keyOf(url) === undefined ? 'none' : serverKeys.isRemembered(url) ? 'remembered' : 'tab';
        const server: KnownServer = { ...state, host: new URL(url).host, key };
        const known = servers.some(({ url }) => url === server.url);
        const next = known ? servers.map((one) => (one.url === server.url ? server : one)) : [...servers, server];
        return { servers: next.toSorted((one, other) => Number(other.isOwn) - Number(one.isOwn)) };
      });
    /** Who asked or changed something at an address last: an answer to an earlier one is no news any more. */
    const latest = new Map<string, object>();
    const begin = (url: string) => {
      const turn = {};
      latest.set(url, turn);
      return () => latest.get(url) === turn;
    };
    const find = (url: string) => get().servers.find((server) => server.url === url);
    return {
      servers: [],
      isConnecting: false,
      connectError: undefined,

      async checkServer(url, isOwn = find(url)?.isOwn ?? false) {
        const { models: before = [] } = find(url) ?? {};
        const server = { url, isOwn };
        const isLatest = begin(url);
        put({ ...server, status: 'checking', models: before, error: undefined });
        try {
          const models = shownModels(await client.models(url), url, before);
          if (isLatest()) put({ ...server, status: 'ready', models, error: undefined });
        } catch (error) {
          if (isLatest()) put({ ...server, status: 'failed', models: [], error: toErrorData(error) });
        }
      },

      async checkServers() {
        await Promise.all(get().servers.map(({ url }) => get().checkServer(url)));
      },

      async connectServer(address, key, remembersKey) {
        set({ isConnecting: true, connectError: undefined });
        let withdraw = () => {};
        try {
          const url = parseServerAddress(address);
          const typed = key.trim();
          // No header takes others; the call would fail as if nobody were there.
          if (!isSendableKey(typed)) throw new AlignError('invalid-request', UNSENDABLE_KEY);
          const tried = typed === '' ? (serverKeys.keyOf(url) ?? '') : typed;
          if (typed !== '') withdraw = serverKeys.tryOut(url, typed);
          const known = latest.get(url);
          const offered = await client.models(url);
          // A check may have begun meanwhile; this answer is as good. Only a server that was forgotten stays away.
          if (known !== undefined && !latest.has(url)) {
            withdraw();
            return undefined;
          }
          begin(url);
          serverKeys.keep(url, tried, remembersKey);
          const { isOwn = false, models: before = [] } = find(url) ?? {};
          put({ url, isOwn, status: 'ready', models: shownModels(offered, url, before), error: undefined });
          for (const other of get().servers) if (!other.isOwn && other.url !== url) await get().forgetServer(other.url);
          return url;
        } catch (error) {
          withdraw();
          set({ connectError: toErrorData(error) });
          return undefined;
        } finally {
          set({ isConnecting: false });
        }
      },

      async forgetServer(url) {
        const { model } = get();
        const isUsed = model.status !== 'none' && isOf(model.model, url);
        if (isUsed) await get().unloadModel();
        serverKeys.forget(url);
        latest.delete(url);
        set(({ servers }) => ({
          connectError: undefined,
          servers: servers.filter((server) => server.url !== url || server.isOwn),
        }));
        // The page's own stays known, without its key.
        if (find(url) !== undefined) await get().checkServer(url);
      },
    };
  };
}

function isOf({ location }: ConvertedModel, url: string): boolean {
  return location.kind === 'server' && location.url === url;
}

/** Offered models as ones that can be chosen; those that are known already stay the same objects. */
function shownModels(
  offered: readonly OfferedModel[],
  url: string,
  before: readonly ConvertedModel[],
): readonly ConvertedModel[] {
  return offered.map(({ id, family, contextLength }) => {
    const model: ConvertedModel = {
      id: `${SERVED}${url}#${id}`,
      name: id.slice(id.lastIndexOf('/') + 1),
      source: id,
      family,
      parameterCount: CATALOGUE.find((published) => published.id === id)?.parameterCount,
      contextLength,
      variants: [],
      location: { kind: 'server', url, modelId: id },
    };
    const same = before.find((one) => JSON.stringify(one) === JSON.stringify(model));
    return same ?? model;
  });
}

/** What the ids of servers' models begin with. */
const SERVED = 'server:';

/** Whether a model is a server's, by its id alone: the server may not have answered yet. */
export function isServed(modelId: string): boolean {
  return modelId.startsWith(SERVED);
}

/** As {@link hostOfModel}, by a model's id alone. */
export function hostOfModelId(modelId: string): string | undefined {
  return isServed(modelId) ? URL.parse(modelId.slice(SERVED.length))?.host : undefined;
}

/** Who gets the texts that are aligned with a model, name and port; undefined: nobody, it runs here. */
export function hostOfModel(model: ConvertedModel | undefined): string | undefined {
  return model?.location.kind === 'server' ? new URL(model.location.url).host : undefined;
}

/** Whether what goes to an address can be read by whoever is between: it is http, and another machine. */
export function isReadableOnTheWay(address: string): boolean {
  const known = addressAsKept(address);
  if (known === undefined) return false;
  const url = new URL(known);
  return url.protocol === 'http:' && !isLoopbackHost(url.hostname);
}

/** An address as it is typed in the one form in which servers are known by it; undefined: it is none yet. */
export function addressAsKept(address: string): string | undefined {
  try {
    return parseServerAddress(address);
  } catch {
    return undefined;
  }
}
