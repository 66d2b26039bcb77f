import { useSyncExternalStore } from 'react';

/** After the `#` of the address: no server has to know of it, and a reload stays where it was. */
export const ROUTES = ['', 'batch', 'data', 'evaluate', 'history', 'storage'] as const;
export type Route = (typeof ROUTES)[number];

export function useRoute(): Route {
  const hash = useSyncExternalStore(
    (onChange) => {
      window.addEventListener('hashchange', onChange);
      return () => window.removeEventListener('hashchange', onChange);
    },
    () => window.location.hash.slice(1),
  );
  return ROUTES.find((route) => route === hash) ?? '';
}
