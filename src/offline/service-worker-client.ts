/** A version of the program that is ready and waits for the pages of this one to close. */
export interface WaitingVersion {
  /**
   * Starts it: this page reloads.
   *
   * @returns how many other tabs of this page are open; it starts only when there is none
   */
  start(): Promise<number>;
}

export interface ServiceWorkerEvents {
  /** A new version is ready. */
  onWaiting: (version: WaitingVersion) => void;
  /** The program starts without a network from now on. */
  onReady: () => void;
  /** The page would run with threads after a reload, which its host's headers did not allow. */
  onIsolationReady: () => void;
}

/** How often a page that stays open looks for a new version. */
const UPDATE_MS = 60 * 60 * 1000;

/**
 * Keeps the program for use without a network. Does nothing where there are no service workers, as in some private
 * windows: the page then needs its server.
 *
 * @param script  address of the service worker, in the folder that it serves
 */
export async function registerServiceWorker(script: string, events: ServiceWorkerEvents): Promise<void> {
  // Absent on plain http, whatever the types say.
  const container = navigator.serviceWorker as ServiceWorkerContainer | undefined;
  if (container === undefined) return;
  // Extensions that block service workers reject, or give nothing.
  const registration = await container
    .register(script, { updateViaCache: 'none' })
    .catch(() => undefined as ServiceWorkerRegistration | undefined);
  if (registration === undefined) return;
  // On the first visit there is nothing to replace.
  const announce = () => {
    const { waiting, active } = registration;
    if (waiting !== null && active !== null) events.onWaiting({ start: () => takeOver(container, waiting) });
  };
  registration.addEventListener('updatefound', () => {
    registration.installing?.addEventListener('statechange', announce);
  });
  announce();
  setInterval(() => void registration.update().catch(() => undefined), UPDATE_MS);
  await container.ready;
  events.onReady();
  if (!crossOriginIsolated) events.onIsolationReady();
}

async function takeOver(container: ServiceWorkerContainer, waiting: ServiceWorker): Promise<number> {
  const reload = () => location.reload();
  container.addEventListener('controllerchange', reload, { once: true });
  const { port1, port2 } = new MessageChannel();
  const answered = new Promise<number>((resolve) => {
    port1.onmessage = (event: MessageEvent<number>) => resolve(event.data - 1);
  });
  waiting.postMessage('take-over', [port2]);
  const otherTabs = await answered;
  if (otherTabs > 0) container.removeEventListener('controllerchange', reload);
  return otherTabs;
}
