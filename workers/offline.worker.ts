import { cleanupOutdatedCaches, matchPrecache, precache } from 'workbox-precaching';
import { createPartialResponse } from 'workbox-range-requests';

/**
 * Written by `vite.config.ts`: the build's own files, addresses relative to this script; the list of the models among
 * them; a policy for static hosts.
 */
declare const SHELL: {
  files: readonly { url: string; revision: string | null; integrity: string }[];
  models: unknown;
  policy: string;
};

/** What this script uses of its global scope; TypeScript's own types for it clash with the page's. */
interface ServiceWorkerScope {
  registration: { scope: string };
  clients: {
    matchAll(options: { type: 'window'; includeUncontrolled: boolean }): Promise<readonly { url: string }[]>;
    claim(): Promise<void>;
  };
  skipWaiting(): Promise<void>;
  addEventListener(type: 'fetch', listener: (event: FetchEventLike) => void): void;
  addEventListener(type: 'message', listener: (event: MessageEvent<unknown>) => void): void;
  addEventListener(type: 'activate', listener: (event: { waitUntil(work: Promise<unknown>): void }) => void): void;
}
interface FetchEventLike {
  request: Request;
  respondWith(response: Promise<Response>): void;
}
const scope = self as unknown as ServiceWorkerScope;
/** Once: the name stands for its whole text. */
const shell = SHELL;

/** Without these there is no SharedArrayBuffer, so wasm has one thread. Our server sends them; a static host may not. */
const ISOLATION: Readonly<Record<string, string>> = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

/** In every version of the page, and in no other that may come to stand at its address: on localhost they change. */
const PAGE_MARK = '<title>MetaAligner</title>';

/** How long a page waits for its server before it starts from the cache. */
const SERVER_MS = 2000;

// A new version is fetched beside the old one and takes over when no page of the old one is open: a page that runs still
// finds the workers and the engine that it was built with.
precache([...shell.files]);
cleanupOutdatedCaches();
// The first visit's page is served from here from then on.
scope.addEventListener('activate', (event) => event.waitUntil(scope.clients.claim()));

scope.addEventListener('message', (event) => {
  if (event.data !== 'take-over') return;
  void (async () => {
    // This version serves none of them yet.
    const windows = await scope.clients.matchAll({ type: 'window', includeUncontrolled: true });
    const pages = windows.filter(({ url }) => url.startsWith(scope.registration.scope));
    // Another tab may be in the middle of a run.
    if (pages.length <= 1) await scope.skipWaiting();
    event.ports[0]?.postMessage(pages.length);
  })();
});

scope.addEventListener('fetch', (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  const address = origin + pathname;
  if ((request.method !== 'GET' && request.method !== 'HEAD') || !address.startsWith(scope.registration.scope)) return;
  const path = address.slice(scope.registration.scope.length);
  if (request.mode === 'navigate') {
    if (path === '' || path === 'index.html') event.respondWith(page(request));
  } else if (path === 'models/index.json') event.respondWith(list(request));
  else event.respondWith(file(request));
});

/**
 * The page of this version, with the headers that its server sends now where it answers in time. Another version's page
 * is not shown: its files would be missing when the network goes.
 */
async function page(request: Request): Promise<Response> {
  const kept = await matchPrecache('index.html');
  const served = await Promise.race([
    fetch(request).catch(() => undefined),
    new Promise<undefined>((resolve) => setTimeout(resolve, kept === undefined ? 2 ** 31 - 1 : SERVER_MS, undefined)),
  ]);
  if (kept === undefined) return served === undefined ? Response.error() : isolated(served);
  if (served?.ok !== true) return isolated(kept);
  const text = await served.text();
  if (!text.includes(PAGE_MARK)) return new Response(text, served);
  return isolated(text === (await kept.clone().text()) ? new Response(text, served) : kept);
}

/** The models that the server has now; without it those that came with the page. */
async function list(request: Request): Promise<Response> {
  const served = await fetch(request).catch(() => undefined);
  return isolated(served?.ok === true ? served : Response.json(shell.models));
}

async function file(request: Request): Promise<Response> {
  const address = new URL(request.url);
  address.search = '';
  const kept = await matchPrecache(address.href);
  if (kept === undefined) return isolated(await fetch(request));
  if (request.method === 'HEAD') return isolated(new Response(null, kept));
  return isolated(request.headers.has('range') ? await createPartialResponse(request, kept) : kept);
}

/** The same answer with the headers of an isolated page; those that are set already stay. */
function isolated(response: Response): Response {
  if (response.type === 'error' || response.type === 'opaque' || response.type === 'opaqueredirect') return response;
  const headers = new Headers(response.headers);
  const isPage = headers.get('content-type')?.startsWith('text/html') === true;
  const policy: Record<string, string> = isPage ? { 'Content-Security-Policy': shell.policy } : {};
  for (const [name, value] of Object.entries({ ...ISOLATION, ...policy })) {
    if (!headers.has(name)) headers.set(name, value);
  }
  return new Response(response.status === 204 || response.status === 304 ? null : response.body, {
    status: response.status,
    statusText: response.statusText,
    headers,
  });
}
