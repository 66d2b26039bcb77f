import { strings } from '../strings.ts';
import type { AppState, AppStore } from './app-store.ts';
import type { SettingsStore } from './settings-store.ts';
import type { Transfer } from './weights-slice.ts';

/** A run that took less than this was watched, or is not worth a notification. */
const LONG_RUN_MS = 10_000;

/** What a tab's title and a notification say; `Document` is one. */
interface Tab {
  title: string;
  readonly hidden: boolean;
  addEventListener: (type: 'visibilitychange', listener: () => void) => void;
}

/**
 * Keeps the tab's title true to what the page is doing, and tells of the end of a long run by a notification where the
 * visitor asked for it and looks elsewhere.
 */
export function keepTabTold(
  { app, settings }: { app: AppStore; settings: SettingsStore },
  tab: Tab,
  notify: (text: string) => void = showNotification,
  now: () => number = () => performance.now(),
): void {
  let beganMs: number | undefined;
  let ended: string | undefined;
  const show = () => {
    const doing = workTitle(app.getState()) ?? (tab.hidden ? ended : undefined);
    const title = doing === undefined ? strings.product : `${doing} – ${strings.product}`;
    if (tab.title !== title) tab.title = title;
  };
  app.subscribe((state, before) => {
    const wasWorking = isWorking(before);
    if (isWorking(state) && !wasWorking) {
      beganMs = now();
      ended = undefined;
    }
    if (!isWorking(state) && wasWorking) {
      const isFetched = endedTransfers(state, before).length > 0;
      ended = hasFailed(state, before) ? strings.tab.failed : isFetched ? strings.tab.fetched : strings.tab.ended;
      const isLong = beganMs !== undefined && now() - beganMs >= LONG_RUN_MS;
      if (isLong && tab.hidden && settings.getState().notifies) notify(endMessage(state, before));
    }
    show();
  });
  tab.addEventListener('visibilitychange', show);
}

function isBatchRunning(batch: AppState['batch']): batch is Extract<AppState['batch'], { status: 'ready' }> {
  return batch.status === 'ready' && batch.activity !== 'resting';
}

function isWorking({ run, comparison, batch, transfers }: AppState): boolean {
  const isTransferring = Object.values(transfers).some(isRunning);
  return run.status === 'running' || comparison?.isRunning === true || isBatchRunning(batch) || isTransferring;
}

function isRunning(transfer: Transfer | undefined): transfer is Extract<Transfer, { status: 'running' }> {
  return transfer?.status === 'running';
}

/** Those that were on their way and are not any more. */
function endedTransfers(state: AppState, before: AppState): (Transfer | undefined)[] {
  const names = Object.keys(before.transfers).filter((name) => isRunning(before.transfers[name]));
  return names.map((name) => state.transfers[name]).filter((transfer) => !isRunning(transfer));
}

/** Of what was working, not of what ended before it. */
function hasFailed(state: AppState, before: AppState): boolean {
  const { run, batch } = state;
  if (endedTransfers(state, before).some((transfer) => transfer?.status === 'failed')) return true;
  if (isBatchRunning(before.batch)) return batch.status === 'ready' && batch.error !== undefined;
  return before.run.status === 'running' && run.status === 'failed';
}

function workTitle({ run, comparison, batch, model, transfers }: AppState): string | undefined {
  if (comparison?.isRunning === true) {
    const done = comparison.cells.filter(({ outcome }) => ['done', 'failed'].includes(outcome.status)).length;
    return strings.tab.comparing(done, comparison.cells.length);
  }
  if (isBatchRunning(batch)) return strings.tab.batch(batch.counts.edited + batch.counts.failed, batch.rows.length);
  if (run.status === 'running') return strings.tab.writing(run.pace?.latest.editTokens ?? 0);
  const [transfer] = Object.values(transfers).filter(isRunning);
  if (transfer !== undefined) {
    const { loadedBytes = 0, totalBytes = 0 } = transfer.progress ?? {};
    return strings.tab.fetching(totalBytes > 0 ? Math.floor((100 * loadedBytes) / totalBytes) : undefined);
  }
  if (model.status !== 'loading') return undefined;
  const { progress } = model;
  const isKnown = progress?.phase === 'reading' && progress.totalBytes > 0;
  return strings.tab.loading(isKnown ? Math.floor((100 * progress.loadedBytes) / progress.totalBytes) : undefined);
}

function endMessage(state: AppState, before: AppState): string {
  const { run, comparison, batch } = state;
  const ended = endedTransfers(state, before);
  for (const transfer of ended) {
    if (transfer?.status === 'failed') return `${strings.tab.failed}: ${transfer.error.message}`;
  }
  if (ended.length > 0) return strings.tab.notifiedTransfer;
  if (isBatchRunning(before.batch) && batch.status === 'ready') {
    return strings.tab.notifiedBatch(batch.counts.edited + batch.counts.failed);
  }
  if (before.comparison?.isRunning === true) return strings.tab.notifiedComparison(comparison?.cells.length ?? 0);
  return run.status === 'failed' ? `${strings.tab.failed}: ${run.error.message}` : strings.tab.notified;
}

function showNotification(text: string): void {
  if (!('Notification' in globalThis) || Notification.permission !== 'granted') return;
  const notification = new Notification(strings.product, { body: text });
  notification.onclick = () => {
    window.focus();
    notification.close();
  };
}
