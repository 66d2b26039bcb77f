import type { StorageArea } from './storage.ts';

/** Keys of servers, each for its own address. Outside the stores: what is in those is shown, or kept. */
export interface ServerKeys {
  keyOf: (url: string) => string | undefined;
  /** It is in the browser's own storage, unencrypted, until it is forgotten. */
  isRemembered: (url: string) => boolean;
  /**
   * @param key  empty: the server is called without one
   * @param remembers  beyond this tab
   */
  keep: (url: string, key: string, remembers: boolean) => void;
  /** Uses a key before it is known to do: nothing is written. @returns takes it back */
  tryOut: (url: string, key: string) => () => void;
  forget: (url: string) => void;
}

const NAME = 'metaaligner-server-keys';

/**
 * A key stays with its tab, through reloads, unless the visitor asks for more.
 *
 * @param tab  the tab's own storage
 * @param shared  the browser's. Undefined, as `tab`: it is denied, so the page itself remembers
 * @param onWriteFailed  a key that was to be remembered is not
 */
export function createServerKeys(
  tab: StorageArea | undefined,
  shared: StorageArea | undefined,
  onWriteFailed: (error: unknown) => void,
): ServerKeys {
  /** For a browser that keeps nothing. */
  const here = new Map<string, string>();
  const change = (area: StorageArea | undefined, url: string, key: string | undefined) => {
    const { [url]: before, ...others } = read(area);
    if (before === key) return;
    const keys = key === undefined ? others : { ...others, [url]: key };
    if (Object.keys(keys).length === 0) area?.removeItem(NAME);
    else area?.setItem(NAME, JSON.stringify(keys));
  };
  const forget = (url: string) => {
    here.delete(url);
    change(tab, url, undefined);
    change(shared, url, undefined);
  };
  return {
    keyOf: (url) => here.get(url) ?? read(tab)[url] ?? read(shared)[url],
    isRemembered: (url) => read(shared)[url] !== undefined,
    keep(url, key, remembers) {
      forget(url);
      if (key === '') return;
      here.set(url, key);
      try {
        if (remembers && shared === undefined) throw new Error('The browser denies storage to this page.');
        change(remembers ? shared : tab, url, key);
      } catch (error) {
        if (remembers) onWriteFailed(error);
      }
    },
    tryOut(url, key) {
      const before = here.get(url);
      here.set(url, key);
      return () => {
        // It may have been forgotten meanwhile, with the one before it.
        if (here.get(url) !== key) return;
        if (before === undefined) here.delete(url);
        else here.set(url, before);
      };
    },
    forget,
  };
}

function read(area: StorageArea | undefined): Record<string, string> {
  let value: unknown;
  try {
    value = JSON.parse(area?.getItem(NAME) ?? '{}');
  } catch {
    return {};
  }
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
