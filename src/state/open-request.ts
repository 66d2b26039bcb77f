import type { AlignRequest } from '../align/request.ts';
import type { HistoryEntry } from '../history/history-entry.ts';
import type { AppStore } from './app-store.ts';
import { readyModels } from './current-request.ts';
import type { DraftStore } from './draft-store.ts';
import type { SettingsStore } from './settings-store.ts';

/** Puts a request from elsewhere on the page, to be looked at and run. Nothing runs by itself. */
export function openRequest(
  { draft, settings }: { draft: DraftStore; settings: SettingsStore },
  request: AlignRequest,
) {
  const { sampling, promptStyle, maxNewTokens, template } = request;
  draft.getState().openRequest(request);
  settings.getState().change({
    promptStyle,
    maxNewTokens,
    fallbackTemplate: template,
    usesCheckpointSampling: sampling === 'checkpoint',
    ...(sampling !== 'checkpoint' && { sampling }),
  });
}

/** Opens a kept run as it was left: its request, its edit and decisions, and its model where it still is. */
export async function openEntry(
  { app, ...stores }: { app: AppStore; draft: DraftStore; settings: SettingsStore },
  entry: HistoryEntry,
): Promise<void> {
  openRequest(stores, entry.request);
  const { model, batch, comparison } = app.getState();
  const { id, variant } = entry.model;
  const isLoaded = model.status === 'ready' && model.model.id === id && model.info.variant === variant;
  if (!isLoaded && readyModels(app.getState()).some((one) => one.id === id)) {
    const isWorking = comparison?.isRunning === true || (batch.status === 'ready' && batch.activity !== 'resting');
    // The next Align loads it; a model that is gone is not replaced, the page says which one wrote the edit.
    if (!isWorking) void app.getState().unloadModel();
    stores.settings.getState().change({ modelId: id, ...(variant !== undefined && { variant }) });
  }
  // In a task of its own: a long text laid out here and there at once would hold the page up.
  await new Promise((resolve) => setTimeout(resolve));
  app.getState().openRun(entry);
}
